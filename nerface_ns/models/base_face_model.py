"""What every model of a face shares: conditions of frames, background, scores."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple, Type

import torch
from jaxtyping import Int
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.data.scene_box import OrientedBox
from nerfstudio.models.base_model import Model, ModelConfig
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.conditioning.expression import ExpressionEncodingConfig
from nerface_ns.conditioning.face_condition import CodeProtocol, FaceCondition, ask_driver
from nerface_ns.conditioning.head_pose import HeadPoseEncoding
from nerface_ns.conditioning.identities import IdentitiesConfig, make_identities
from nerface_ns.conditioning.latent_codes import LatentCodesConfig
from nerface_ns.conditioning.recorded_track import RecordedTrack
from nerface_ns.conditioning.recorded_views import RecordedViews
from nerface_ns.fields.base_face_field import FaceField, FaceFieldConfig
from nerface_ns.model_components.background import BackgroundConfig
from nerface_ns.model_components.foveation import FoveationConfig, foveation_of
from nerface_ns.model_components.image_metrics import full_scores
from nerface_ns.model_components.perceptual_distance import PerceptualDistance
from nerface_ns.model_components.processor_settings import prepare_processor
from nerface_ns.model_components.schedules import TrainingProgress
from nerface_ns.model_components.view_cache import RayMemo, ViewCache, image_rays
from nerface_ns.models.checkpoint_sizes import check_sizes
from nerface_ns.models.frame_conditions import FrameConditions
from nerface_ns.models.frame_refinement import FrameRefinement, RefinementConfig
from nerface_ns.models.logged_pictures import logged_pictures
from nerface_ns.models.staged_training import StagedTraining, StagedTrainingConfig
from nerface_ns.viewer.face_panel import FacePanel


@dataclass
class FaceModelConfig(StagedTrainingConfig, RefinementConfig, ModelConfig):
    """Settings of every model of a face."""

    _target: Type = field(default_factory=lambda: FaceModel)
    """Target class to instantiate."""
    enable_collider: bool = False
    """Near and far come from the dataset, not from nerfstudio's collider."""
    eval_num_rays_per_chunk: int = 1 << 15
    """Rays rendered at a time outside training."""
    expression: ExpressionEncodingConfig = field(default_factory=ExpressionEncodingConfig)
    """How tracked coefficients become the network's condition."""
    latent_codes: LatentCodesConfig = field(default_factory=LatentCodesConfig)
    """Per-frame codes."""
    identities: IdentitiesConfig = field(default_factory=IdentitiesConfig)
    """Codes of the persons, where the data show several."""
    code_protocol: CodeProtocol = "zero"
    """Latent code of frames that were not trained on: "zero", "mean" of all, "nearest" training expression's, or that
    of training frame `code_frame`."""
    code_frame: int = 0
    """Training frame of protocol "frame"."""
    background: BackgroundConfig = field(default_factory=BackgroundConfig)
    """What stands behind the head."""
    foveation: FoveationConfig = field(default_factory=FoveationConfig)
    """Where pictures are sharp; everywhere by default."""
    view_cache_mb: int = 128
    """Memory for what pictures from one place have in common, in megabytes; 0 makes it anew for each."""
    max_num_steps: int = 30_000
    """Steps of a whole training, for schedules inside the model."""


class FaceModel(StagedTraining, FrameRefinement, FrameConditions, Model):
    """Base of the models; a method implements `render_rays` and `get_loss_dict`.

    Args:
        config: Settings.
        metadata: The training dataset's metadata, which fixes all sizes.
    """

    config: FaceModelConfig
    train_camera_to_world: Tensor

    def populate_modules(self) -> None:
        """Build what depends on the dataset."""
        super().populate_modules()
        if self.config.enable_collider:
            raise ValueError("model.enable_collider: expected False, near and far come from the dataset, got True")
        prepare_processor()
        metadata = self.kwargs["metadata"]
        expression = metadata[keys.TRAIN_EXPRESSION].float()
        self.expression_names: Tuple[str, ...] = metadata["expression_names"]
        self.near, self.far = metadata["near_far"]
        self.image_size: Tuple[int, int] = metadata["image_size"]
        self.expression_encoding = self.config.expression.setup(train_expression=expression)
        self.latent_codes = self.config.latent_codes.setup(train_expression=expression)
        # Runs of before there were several persons have no such setting.
        settings = getattr(self.config, "identities", None) or IdentitiesConfig()
        self.identities = make_identities(settings, metadata, self.config.expression)
        self.track = RecordedTrack(expression, metadata[keys.TRAIN_TIMES])
        self.background = self.config.background.setup(
            image_size=self.image_size,
            photograph=metadata.get("background_filename"),
            others=metadata.get(keys.IDENTITY_BACKGROUNDS, ())[1:],
        )
        poses = self.start_poses(metadata)
        self.register_buffer("train_camera_to_world", poses, persistent=False)
        self.head_pose_encoding = HeadPoseEncoding(poses)
        recorded = metadata.get(keys.RECORDED_VIEWS, (poses, expression))
        self.recorded_views = RecordedViews(*recorded)
        self.training_progress = TrainingProgress(self.config.max_num_steps)
        self.populate_stages()
        self.populate_refinement(metadata)
        # Runs of before there was any have no such setting; the viewer changes it.
        self.foveation = dataclasses.replace(getattr(self.config, "foveation", None) or FoveationConfig())
        self.face_panel = FacePanel(self)  # where nerfstudio's viewer finds it; empty until then
        self.views = ViewCache(self.config.view_cache_mb)
        self._ray_memo: Optional[RayMemo] = None
        self._perceptual_distance: Optional[PerceptualDistance] = None
        self.register_load_state_dict_pre_hook(check_sizes)

    def make_field(self, config: FaceFieldConfig, with_expression: bool = True) -> FaceField:
        """Build a radiance field for the data's number of coefficients, or for none, and the model's codes.

        A person's code counts as expression and as latent code: a field is conditioned on it wherever it is on these.
        """
        identity_length = 0 if self.identities is None else self.identities.codes.shape[1]
        sizes = {
            "num_coefficients": (len(self.expression_names) if with_expression else 0) + identity_length,
            "code_length": self.config.latent_codes.length + identity_length,
        }
        if self.identities is not None and hasattr(config, "identity_grid") and not self.has_gaze:
            sizes["num_identities"] = len(self.identities.names)
        return config.setup(scene_box=self.scene_box, **sizes)

    def get_outputs(self, ray_bundle: RayBundle) -> Dict[str, Tensor]:
        """Render rays that carry their conditions, as the data manager makes them.

        Those that carry none, as nerfstudio's exporters make them, show the average face as the first training frame's
        camera sees it, before the middle of the background.
        """
        if keys.FRAME_INDEX in ray_bundle.metadata:
            ray_bundle = self.refine_rays(ray_bundle)
            condition, frame_rows = self.get_ray_conditions(ray_bundle)
        else:
            position = torch.full_like(ray_bundle.origins[:, :2], 0.5)
            ray_bundle.metadata = {**ray_bundle.metadata, keys.PIXEL_POSITION: position}
            condition = self.make_condition(self.train_camera_to_world[:1], expression=self.track.mean[None])
            frame_rows = torch.zeros(len(ray_bundle), dtype=torch.long, device=self.device)
        return self.render_rays(ray_bundle, condition, frame_rows)

    def render_rays(
        self,
        ray_bundle: RayBundle,
        condition: FaceCondition,
        frame_rows: Int[Tensor, "num_rays"],
        aspect: Optional[float] = None,
    ) -> Dict[str, Tensor]:
        """Render rays.

        Args:
            ray_bundle: Flat, with `keys.PIXEL_POSITION`.
            condition: Conditions of some frames.
            frame_rows: Row of the condition that holds for each ray, never falling.
            aspect: Width over height of the image that is rendered, None for the training images'.

        Returns:
            Per ray at least "rgb", "foreground" (premultiplied), "background", "accumulation", "depth".
        """
        raise NotImplementedError

    def prepare_image(self, rays: RayBundle, height: int, width: int, condition: FaceCondition) -> None:
        """Look at a whole image's rays, flat and row by row, before they are rendered in chunks.

        A model may add metadata to them; they are not on its device yet.
        """

    def reopen_space(self, dataset: Any) -> None:
        """Forget what was found empty of heads that were known before, where frames of a new one tell it anew."""

    @torch.no_grad()
    def get_outputs_for_camera(self, camera: Cameras, obb_box: Optional[OrientedBox] = None) -> Dict[str, Tensor]:
        """Render one camera's whole image; see `get_camera_condition` for the expression it shows."""
        driven, camera = ask_driver(self.frame_driver, camera), self.refine_camera(camera)
        condition = self.get_camera_condition(camera, driven)
        bare = camera.reshape((camera.size,))[0:1]
        bare.metadata = None  # what a frame has in common shall not travel on every ray
        width, height = int(bare.width), int(bare.height)
        view = self.views.view(bare, obb_box, lambda: image_rays(bare, obb_box))
        flat = view.rays[:]  # models may add to the metadata
        self.prepare_image(flat, height, width, condition)
        foveation = foveation_of(self.foveation, bare, self.scene_box.aabb)
        if foveation is not None:
            flat = flat[foveation.pixels.to(flat.origins.device)]
        chunks = []
        for start in range(0, len(flat), self.config.eval_num_rays_per_chunk):
            chunk = flat[start : start + self.config.eval_num_rays_per_chunk].to(self.device)
            frame_rows = torch.zeros(len(chunk), dtype=torch.long, device=self.device)
            self._ray_memo = view.memo((start, None if foveation is None else foveation.name), chunk.origins)
            chunks.append(self.render_rays(chunk, condition, frame_rows, width / height))
        # nerfstudio's colour maps take floats only.
        images = {name: torch.cat([chunk[name] for chunk in chunks]).float() for name in chunks[0]}
        if foveation is not None:
            images = {name: foveation.fill(image) for name, image in images.items()}
        return driven.compose({name: image.reshape(height, width, -1) for name, image in images.items()})

    def memo_of(self, origins: Tensor) -> Optional[RayMemo]:
        """Return the memo of the rays with these origins, if they are those of a picture that is being made."""
        memo = self._ray_memo
        return None if self.training or memo is None or memo.origins is not origins else memo

    def get_rgba_image(self, outputs: Dict[str, Tensor], output_name: str = "rgb") -> Tensor:
        """Return the head alone: straight (not premultiplied) colours and its opacity as alpha."""
        alpha = outputs["accumulation"]
        if output_name != "rgb":
            return torch.cat([outputs[output_name], alpha], dim=-1)
        return torch.cat([(outputs["foreground"] / alpha.clamp(min=1e-6)).clamp(0, 1), alpha], dim=-1)

    def get_metrics_dict(self, outputs: Dict[str, Tensor], batch: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """Return what is logged of a training step."""
        error = ((outputs["rgb"].detach() - batch["image"].to(self.device)) ** 2).mean()
        metrics = {"psnr": -10 * torch.log10(error)}
        if "num_samples_per_ray" in outputs:
            metrics["num_samples_per_batch"] = outputs["num_samples_per_ray"].sum()
        return {**metrics, **self.stage_metrics()}

    def get_image_metrics_and_images(
        self, outputs: Dict[str, Tensor], batch: Dict[str, Any]
    ) -> Tuple[Dict[str, float], Dict[str, Tensor]]:
        """Score a rendered frame and lay pictures side by side.

        Returns:
            "psnr", "ssim", "l1", and "lpips" where its weights are on this machine; pictures for the event log.
        """
        truth, render = batch["image"].to(self.device)[..., :3], outputs["rgb"]
        all_scores = full_scores(render.clamp(0, 1), truth, self._get_perceptual_distance())
        scores = {name: value for name, value in all_scores.items() if value is not None}
        return scores, logged_pictures(truth, outputs, (self.near, self.far))

    def _get_perceptual_distance(self) -> PerceptualDistance:
        """Return LPIPS, made when first asked for and kept out of the module tree, hence of checkpoints."""
        if self._perceptual_distance is None:
            self._perceptual_distance = PerceptualDistance(self.device)
            if self._perceptual_distance.message is not None:
                warnings.warn(self._perceptual_distance.message, stacklevel=2)
        return self._perceptual_distance
