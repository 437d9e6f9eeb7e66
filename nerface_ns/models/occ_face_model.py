"""Radiance field behind an occupancy grid: the model of `nerface` and its relatives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Tuple, Type

import torch
from jaxtyping import Float, Int
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from torch import Tensor
from torch.nn import Parameter

from nerface_ns.conditioning import keys
from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.fields.base_face_field import FaceFieldConfig
from nerface_ns.model_components.kept_answers import KeptAnswers
from nerface_ns.model_components.losses import code_penalty, colour_errors, distortion_loss, matte_loss, opacity_entropy
from nerface_ns.model_components.occupancy import DensityOfSamples, FaceOccupancyGridConfig
from nerface_ns.model_components.packed_samples import PackedSamples, accumulate, packed_weights
from nerface_ns.model_components.surface_losses import SurfaceLosses, SurfaceLossesConfig
from nerface_ns.models.base_face_model import FaceModel, FaceModelConfig
from nerface_ns.models.initial_carving import CarvingConfig
from nerface_ns.models.parameter_groups import parameter_groups

LEAST_OPACITY = 0.01
"""Opacity from which on a ray has a depth of its own, the mean over what it meets; clearer ones get the far plane."""
REFRESH_EXPRESSIONS = 8
"""Random training expressions that share the cells of one refresh of the occupancy grid."""


@dataclass
class OccFaceModelConfig(FaceModelConfig):
    """Occupancy-grid sampling of any radiance field."""

    _target: Type = field(default_factory=lambda: OccFaceModel)
    """Target class to instantiate."""
    radiance_field: FaceFieldConfig = field(default_factory=FaceFieldConfig)
    """The field."""
    occupancy: FaceOccupancyGridConfig = field(default_factory=FaceOccupancyGridConfig)
    """Occupancy grid."""
    carving: CarvingConfig = field(default_factory=CarvingConfig)
    """What is known to be empty before training."""
    intervals_across_box: int = 64
    """Sample intervals along the scene box's longest side."""
    huber_delta: float = 0.1
    """Colour error from which on the photometric loss grows linearly."""
    photometric_weight: float = 1.0
    """Weight of the Huber loss on colours, divided by delta so that 1 is an absolute difference at the far end."""
    matte_weight: float = 0.05
    """Weight of the squared opacity error; applies where the data have mattes."""
    entropy_weight: float = 0.003
    """Weight of the opacity's entropy."""
    distortion_weight: float = 0.01
    """Weight of the distortion loss, in box lengths: thinner surfaces need fewer samples, which leaves time."""
    code_weight: float = 1e-4
    """Weight of the latent codes' squared length."""
    surface_losses: SurfaceLossesConfig = field(default_factory=SurfaceLossesConfig)
    """Losses on the head's outline and surface; without any by default."""


class OccFaceModel(FaceModel):
    """Samples where the occupancy grid is set, asks the field, composites over the background.

    Args:
        config: Settings.
        metadata: The training dataset's metadata.
    """

    config: OccFaceModelConfig
    train_camera_to_world: Tensor

    def populate_modules(self) -> None:
        """Build the field and the occupancy grid."""
        super().populate_modules()
        self.field = self.make_field(self.config.radiance_field)
        self.occupancy = self.config.occupancy.setup(aabb=self.scene_box.aabb)
        self.box_length = float((self.scene_box.aabb[1] - self.scene_box.aabb[0]).max())
        self.step_size = self.box_length / self.config.intervals_across_box
        self.surface_losses = SurfaceLosses.of(self.config, self.loss_weights, self.box_length)

    def get_param_groups(self) -> Dict[str, List[Parameter]]:
        """Group parameters by how fast they may learn."""
        groups = parameter_groups([self.field], self.latent_codes, self.background)
        return {**groups, **self.refinement_groups(), **self.identity_groups()}

    def get_training_callbacks(
        self, training_callback_attributes: TrainingCallbackAttributes
    ) -> List[TrainingCallback]:
        """Carve the grid before the first step, refresh it later."""
        pipeline: Any = training_callback_attributes.pipeline
        datamanager = pipeline.datamanager

        def carve(step: int) -> None:
            """Forbid cells that no mask shows, before the first step."""
            if step == 0 and self.has_tracked_poses:
                self.occupancy.forbid(self.config.carving.setup().find_empty(self.occupancy, datamanager.train_dataset))

        def refresh(step: int) -> None:
            """Refresh the grid when that is due."""
            age = self.field_age(step)
            if self.occupancy.is_refresh_step(age):
                self.occupancy.refresh(age, self.step_size, self._density_of_any_expression)

        before = [TrainingCallbackLocation.BEFORE_TRAIN_ITERATION]
        refinement = self.refinement_callbacks(training_callback_attributes)
        refreshing = TrainingCallback(before, refresh, update_every_num_iters=1)
        stages = self.stage_callbacks(training_callback_attributes)
        return [*stages, TrainingCallback(before, carve), *refinement, refreshing]

    def reopen_space(self, dataset: Any) -> None:
        """Allow all cells, for the carving before the first step to close; where nothing can be carved they stay."""
        if self.has_tracked_poses and self.config.carving.setup().finds_outline(dataset):
            self.occupancy.allowed.fill_(True)

    def _density_of_any_expression(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """Density of positions, dealt out to random training expressions."""
        count = len(self.track.expression)
        frames = torch.randint(count, (min(REFRESH_EXPRESSIONS, count),), device=positions.device)
        prepared = self.field.prepare(self.any_condition(frames))
        deal = torch.randint(len(frames), (len(positions),), device=positions.device)
        order = deal.argsort(stable=True)
        densities = torch.empty(len(positions), device=positions.device)
        densities[order] = self.field.get_density(positions[order], deal[order], prepared)[0]
        return densities

    def any_condition(self, frames: Int[Tensor, "num_frames"]) -> FaceCondition:
        """Return conditions of training frames for which the occupancy grid has to hold."""
        return self.make_condition(self.frame_poses(frames), frames)

    def render_rays(
        self,
        ray_bundle: RayBundle,
        condition: FaceCondition,
        frame_rows: Int[Tensor, "num_rays"],
        aspect: Optional[float] = None,
    ) -> Dict[str, Tensor]:
        """Render rays; see `FaceModel.render_rays`."""
        prepared = self.field.prepare(condition)
        samples, densities, colours = self._evaluate(ray_bundle, frame_rows, prepared, len(condition.expression))
        weights = packed_weights(densities, samples)
        values = torch.cat([colours, samples.t_middles[:, None], torch.ones_like(colours[:, :1])], dim=-1)
        foreground, depth, accumulation = accumulate(weights, values, samples).split([3, 1, 1], dim=-1)
        identity = None if condition.identity is None else condition.identity[frame_rows]
        background = self.background(ray_bundle.metadata[keys.PIXEL_POSITION], aspect, identity)
        is_clear = accumulation < LEAST_OPACITY
        outputs = {
            "rgb": foreground + (1 - accumulation) * background,
            "accumulation": accumulation,
            "depth": torch.where(is_clear, self.far, depth / accumulation.clamp(min=LEAST_OPACITY)),
            "foreground": foreground,
            "background": background,
            "num_samples_per_ray": samples.first_sample.diff()[:, None],
        }
        if self.training:
            outputs.update(self._regularisers(weights, samples, condition))
            outputs.update(self.surface_losses.terms(self.field, prepared, ray_bundle, frame_rows, outputs))
        return outputs

    def _regularisers(self, weights: Tensor, samples: PackedSamples, condition: FaceCondition) -> Dict[str, Tensor]:
        terms = {"code_penalty": code_penalty(condition.latent_code)}
        if self.loss_weights["distortion"] > 0:
            lengths = (samples.t_ends - samples.t_starts) / self.box_length
            middles = samples.t_middles / self.box_length
            terms["distortion"] = distortion_loss(weights, middles, lengths, samples.first_sample, samples.ray_indices)
        return terms

    def _evaluate(
        self, ray_bundle: RayBundle, frame_rows: Tensor, prepared: Any, num_frames: int
    ) -> Tuple[PackedSamples, Float[Tensor, "num_samples"], Float[Tensor, "num_samples 3"]]:
        """Return the visible samples of rays, their densities and colours."""
        origins, directions = ray_bundle.origins, ray_bundle.directions

        def ask(t_starts: Tensor, t_ends: Tensor, ray_indices: Tensor) -> Tuple[Tensor, Any]:
            """Ask the field about samples on the rays."""
            middles = (t_starts + t_ends)[:, None] / 2
            positions = origins[ray_indices] + middles * directions[ray_indices]
            return self.field.get_lean_density(positions, frame_rows[ray_indices], prepared)

        # Gradients need the samples alone, and several frames' answers would have to be put in the frames' order.
        if torch.is_grad_enabled() or num_frames > 1:
            samples = self._sample(ray_bundle, lambda *asked: ask(*asked)[0])
        else:
            answers = KeptAnswers(ask)
            samples = self._sample(ray_bundle, answers, answers.keep)
            if not answers.is_empty:
                places, (rays, densities, lean) = answers.places(), answers.kept()
                return samples, densities[places], self._colours(rays, ray_bundle, frame_rows, prepared, lean)[places]
        rays = samples.ray_indices
        densities, lean = ask(samples.t_starts, samples.t_ends, rays)
        return samples, densities, self._colours(rays, ray_bundle, frame_rows, prepared, lean)

    def _colours(self, rays: Tensor, ray_bundle: RayBundle, frame_rows: Tensor, prepared: Any, lean: Any) -> Tensor:
        """Return colours of samples on the named rays."""
        embedding = self.field.get_embedding(lean)
        return self.field.get_rgb(ray_bundle.directions[rays], frame_rows[rays], prepared, embedding)

    @torch.no_grad()
    def _sample(
        self,
        ray_bundle: RayBundle,
        density_fn: DensityOfSamples,
        keep: Optional[Callable[[Tensor, Tensor], None]] = None,
    ) -> PackedSamples:
        """Visible samples of rays; their lattice is jittered in training."""
        origins, directions = ray_bundle.origins, ray_bundle.directions
        nears, fars = torch.full_like(origins[:, 0], self.near), torch.full_like(origins[:, 0], self.far)
        if ray_bundle.nears is not None and ray_bundle.fars is not None:
            nears, fars = nears.maximum(ray_bundle.nears[:, 0]), fars.minimum(ray_bundle.fars[:, 0])
        jitter = torch.rand_like(nears) if self.training else None
        memo = self.memo_of(origins)
        return self.occupancy.sample(origins, directions, nears, fars, self.step_size, density_fn, jitter, keep, memo)

    def get_loss_dict(
        self,
        outputs: Dict[str, Tensor],
        batch: Dict[str, Tensor],
        metrics_dict: Optional[Dict[str, Tensor]] = None,
    ) -> Dict[str, Tensor]:
        """Return weighted loss terms of a step."""
        delta, weights = self.config.huber_delta, self.ray_weights(batch)
        render, truth = self._compared_colours(outputs, batch)
        if weights is None:
            photometric = torch.nn.functional.huber_loss(render, truth, delta=delta) / delta
        else:
            photometric = (weights * colour_errors(render, truth, delta)).mean()
        losses = {"rgb_loss": self.loss_weights["photometric"] * photometric}
        return {**losses, **self._other_losses(outputs, batch)}

    def _compared_colours(self, outputs: Dict[str, Tensor], batch: Dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Rendered and true colours, over new backgrounds where the settings ask for them."""
        if self.config.background.random_in_training and self.training:
            truth, render = self._over_random_colours(outputs, batch)
            return render, truth
        return outputs["rgb"], batch["image"].to(self.device)

    def _other_losses(self, outputs: Dict[str, Tensor], batch: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """Weighted terms beside the colours'."""
        weight, losses = self.loss_weights, {}
        if weight["matte"] > 0 and "alpha" in batch:
            alpha = batch["alpha"].to(self.device)
            losses["matte_loss"] = weight["matte"] * matte_loss(outputs["accumulation"], alpha)
        if weight["entropy"] > 0:
            losses["entropy_loss"] = weight["entropy"] * opacity_entropy(outputs["accumulation"])
        if self.training:
            losses["code_loss"] = weight["code"] * outputs["code_penalty"]
            if "distortion" in outputs:
                losses["distortion_loss"] = weight["distortion"] * outputs["distortion"]
        return {**losses, **self.surface_losses.losses(outputs, batch), **self.refinement_losses()}

    def _over_random_colours(self, outputs: Dict[str, Tensor], batch: Dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Put both the truth's head and the rendered one before new colours."""
        if "alpha" not in batch:
            raise ValueError("background.random_in_training: expected mattes in the data (masks/), got none")
        alpha, image = batch["alpha"].to(self.device), batch["image"].to(self.device)
        colours = torch.rand_like(image)
        truth = image - (1 - alpha) * outputs["background"].detach() + (1 - alpha) * colours
        return truth, outputs["foreground"] + (1 - outputs["accumulation"]) * colours
