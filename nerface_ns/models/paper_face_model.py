"""NerFace itself: a coarse and a fine network, and the background as each ray's last sample."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Dict, List, Literal, Optional, Tuple, Type, Union

import torch
from jaxtyping import Int
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import mse_loss

from nerface_ns.conditioning import keys
from nerface_ns.conditioning.expression import ExpressionEncodingConfig
from nerface_ns.conditioning.face_condition import CodeProtocol, FaceCondition
from nerface_ns.conditioning.latent_codes import LatentCodesConfig
from nerface_ns.fields.base_face_field import FaceFieldConfig
from nerface_ns.model_components.block_occupancy import ImageBlocks
from nerface_ns.models.base_face_model import FaceModel, FaceModelConfig
from nerface_ns.models.paper_fidelity import (
    DirectionInput,
    Fidelity,
    FidelityChoices,
    FollowsFidelity,
    fidelity_choices,
)
from nerface_ns.models.paper_rays import PaperRays, RenderedRays, join_rendered, make_paper_rays
from nerface_ns.models.paper_rendering import Colours, PaperRenderer
from nerface_ns.models.paper_skipping import IMAGE_BLOCK, OccupiedRenderer, SkippingSettings
from nerface_ns.models.parameter_groups import parameter_groups

CPU_RAYS = 64
"""Rays rendered at a time on a CPU outside training: a layer's outputs for their samples stay in its caches, which
takes about half the time of a thousand rays."""


NUM_TESTED_RAYS = 128
"""Rays of an image that are rendered with and without skipping, to see what skipping does."""


@dataclass
class PaperFaceModelConfig(FaceModelConfig):
    """NerFace's recipe; constants are those of its released code and configurations where nothing else is said."""

    _target: Type = field(default_factory=lambda: PaperFaceModel)
    """Target class to instantiate."""
    fidelity: Fidelity = "published"
    """"published": what the paper describes, evaluated without chance. "released": what its released code computes, on
    data as its own, the head 0.5 from the camera. It decides every field below that is None or "fidelity"; another
    value goes before it. See `paper_fidelity`; one difference more is the pixel sampler's `transposed_box`."""
    direction_input: Union[DirectionInput, FollowsFidelity] = "fidelity"
    """What the colour layers are told of a ray: its "view_direction" (published), or the "last_columns" of the released
    code's ray batch: z of the direction that reaches depth 1, near and far (released)."""
    jitter_in_evaluation: Optional[bool] = None
    """Draw samples at random outside training too (released: `perturb` of its validation settings)."""
    code_protocol: Union[CodeProtocol, FollowsFidelity] = "fidelity"  # type: ignore[assignment]
    """Latent code of frames that were not trained on: "zero" (published), "mean" of all, "nearest" training
    expression's, or that of training frame `code_frame` (released: "frame")."""
    code_frame: int = 10
    """Training frame of protocol "frame". The released code takes the one made from the recording's frame 10, which row
    10 of the data's `index_map.npy` names."""
    freeze_codes_on_resume: Optional[bool] = None
    """Train the latent codes no longer once a training is resumed (released)."""
    use_expression: bool = True
    """Tell the networks the expression; without it they model one face for all (the paper's ablation)."""
    background_at_end: bool = True
    """Let each ray end in the background's colour; without it the networks have to model the background, and the last
    sample, opaque as ever, has the network's colour (the paper's ablation)."""
    eval_num_rays_per_chunk: int = 1 << 12
    """Rays rendered at a time outside training, which take about 2 GB; on a CPU they are cut finer."""
    expression: ExpressionEncodingConfig = field(
        default_factory=lambda: ExpressionEncodingConfig(scale=1 / 3, centre=False, clamp_margin=-1.0)
    )
    """How tracked coefficients become the network's condition."""
    latent_codes: LatentCodesConfig = field(default_factory=lambda: LatentCodesConfig(length=32))
    """Per-frame codes; length 0 is the paper's ablation without them."""
    coarse_field: FaceFieldConfig = field(default_factory=FaceFieldConfig)
    """The network that is asked along the whole ray."""
    fine_field: FaceFieldConfig = field(default_factory=FaceFieldConfig)
    """The network that makes the picture."""
    num_coarse_samples: int = 64
    """Samples that are spread evenly along a ray."""
    num_importance_samples: int = 64
    """Samples that the fine network gets beside the coarse ones, where these weigh most."""
    near: Optional[float] = None
    """Depth along the camera's axis at which rays are first sampled, in scene units; None takes the data's near plane
    (published) or 0.2 (released)."""
    far: Optional[float] = None
    """Depth of the last sample, which shows the background; None takes the data's far plane (published) or 0.8
    (released)."""
    coarse_weight: float = 1.0
    """Weight of the coarse colours' squared error beside the fine ones'."""
    code_weight: float = 0.005
    """Weight of the latent code's length, not squared (0.0005 times 10); 0 is the ablation without it."""
    eval_skipping: Literal["none", "occupied"] = "none"
    """Samples to evaluate in whole images: all, or those that an occupancy grid of the image and the light that is left
    call for (see `paper_skipping`). Without effect in a crop, and where the networks model the background."""
    skipping_block_px: int = 8
    """Side of the grid's blocks of pixels, one ray of each of which is rendered whole to fill the grid."""
    skipping_margin: int = 2
    """Cells before and behind occupied ones that count as occupied too, in coarse samples' spacings."""
    skipping_lost_weight: float = 1e-2
    """Share in a ray's colour that may lie outside its occupied cells."""
    skipping_least_light: float = 3e-3
    """A ray ends when less light than this is left."""
    skipping_colour_error: float = 4e-3
    """Root mean square error of an image's colours, in [0, 1], that skipping may cause, as found on some of its rays.
    Where no setting keeps to it, all samples are evaluated."""


class PaperFaceModel(FaceModel):
    """Two rounds of samples, each with its own network.

    Args:
        config: Settings.
        metadata: The training dataset's metadata.
    """

    config: PaperFaceModelConfig

    def populate_modules(self) -> None:
        """Build both networks."""
        super().populate_modules()
        config = self.config
        if config.num_coarse_samples < 3 or config.num_importance_samples < 1:
            raise ValueError(
                "num_coarse_samples, num_importance_samples: expected at least 3 and 1, "
                f"got {config.num_coarse_samples} and {config.num_importance_samples}"
            )
        if config.background.random_in_training:
            raise ValueError("background.random_in_training: expected False, rays end in the background, got True")
        near, far = self.choices.near_far or (self.near, self.far)
        self.near = near if config.near is None else config.near
        self.far = far if config.far is None else config.far
        if not 0 <= self.near < self.far:
            raise ValueError(f"near, far: expected 0 <= near < far, got {self.near} and {self.far}")
        self.direction_input: DirectionInput = self.choices.direction_input
        self.coarse_field = self.make_field(config.coarse_field, config.use_expression)
        self.fine_field = self.make_field(config.fine_field, config.use_expression)
        if not config.background_at_end:
            self.background.requires_grad_(False)
        self._renderer = PaperRenderer(
            self.coarse_field,
            self.fine_field,
            config.num_coarse_samples,
            config.num_importance_samples,
            config.background_at_end,
        )
        self.eval_skipping = config.eval_skipping
        self._occupied: Optional[OccupiedRenderer] = None

    @property
    def choices(self) -> FidelityChoices:
        """What the fidelity, or a field of the config that goes before it, decides."""
        c = self.config
        return fidelity_choices(
            c.fidelity, c.direction_input, c.jitter_in_evaluation, c.code_protocol, c.freeze_codes_on_resume
        )

    @property
    def unseen_code(self) -> Tuple[CodeProtocol, int]:
        """See `FaceModel.unseen_code`."""
        return self.choices.code_protocol, self.config.code_frame

    def make_condition(self, *args: Any, **kwargs: Any) -> FaceCondition:
        """See `FaceModel.make_condition`; without the expression where the networks are not told it."""
        condition = super().make_condition(*args, **kwargs)
        if self.config.use_expression:
            return condition
        return dataclasses.replace(condition, expression=condition.expression[:, :0])

    def get_param_groups(self) -> Dict[str, List[Parameter]]:
        """Group parameters as the other models do."""
        groups = parameter_groups([self.coarse_field, self.fine_field], self.latent_codes, self.background)
        return {**groups, **self.refinement_groups(), **self.identity_groups()}

    def get_training_callbacks(
        self, training_callback_attributes: TrainingCallbackAttributes
    ) -> List[TrainingCallback]:
        """Freeze the latent codes of a resumed training, whose first step is not step 0, where the settings say so."""
        first_step: List[int] = []

        def freeze(step: int) -> None:
            """Keep the codes from the first step of a resumed training on."""
            if not first_step and step > 0:
                self.latent_codes.requires_grad_(False)
            first_step.append(step)
            del first_step[1:]

        stages = self.stage_callbacks(training_callback_attributes)
        refinement = [*stages, *self.refinement_callbacks(training_callback_attributes)]
        if not self.choices.freeze_codes_on_resume:
            return refinement
        return [TrainingCallback([TrainingCallbackLocation.BEFORE_TRAIN_ITERATION], freeze), *refinement]

    def prepare_image(self, rays: RayBundle, height: int, width: int, condition: FaceCondition) -> None:
        """Render one ray of each block of pixels whole, to know where the others need no samples."""
        self._occupied = None
        config = self.config
        if self.eval_skipping == "none" or rays.nears is not None or not config.background_at_end or self.training:
            return
        blocks = ImageBlocks(height, width, config.skipping_block_px)
        block = blocks.of_pixels()

        def render(pixels: Tensor, colours: Colours) -> Tuple[PaperRays, Tuple[RenderedRays, RenderedRays]]:
            """Render pixels, with or without colours."""
            chosen = rays[pixels.to(rays.origins.device)].to(self.device)
            frame_rows = torch.zeros(len(chosen), dtype=torch.long, device=self.device)
            made = self._make_rays(chosen, frame_rows, width / height, condition.identity)
            return made, self._render_parts(made, condition, (None, None), colours)

        settings = SkippingSettings(
            config.skipping_margin,
            config.skipping_lost_weight,
            config.skipping_least_light,
            config.skipping_colour_error,
            (self.near, self.far),
        )
        occupied = OccupiedRenderer(self._renderer, settings, condition, blocks, render(blocks.middles(), "none")[1])
        busy = occupied.is_busy.cpu()[block].nonzero()[:, 0]
        if len(busy):
            tested = busy[torch.linspace(0, len(busy) - 1, NUM_TESTED_RAYS).round().long()]
            made, (_, whole) = render(tested, "fine")
            if not occupied.choose_stride(made, block[tested].to(self.device), whole, len(busy) / len(block)):
                return
        rays.metadata[IMAGE_BLOCK] = block[:, None].to(rays.origins.device)
        self._occupied = occupied

    def render_rays(
        self,
        ray_bundle: RayBundle,
        condition: FaceCondition,
        frame_rows: Int[Tensor, "num_rays"],
        aspect: Optional[float] = None,
    ) -> Dict[str, Tensor]:
        """Render rays; see `FaceModel.render_rays`. In training also "rgb_coarse" and "code_length"."""
        rays = self._make_rays(ray_bundle, frame_rows, aspect, condition.identity)
        if self.training or torch.is_grad_enabled():
            colours = "both" if self.training else "fine"
            coarse, fine = self._renderer.render(rays, condition, partial(self._draw, rays), colours)
            outputs = fine.outputs(rays)
            if self.training:
                outputs["rgb_coarse"] = coarse.rgb
                outputs["code_length"] = condition.latent_code.norm(dim=-1).mean()
            return outputs
        chances = tuple(self._draw(rays, count) for count in self._renderer.num_samples)
        block = ray_bundle.metadata.get(IMAGE_BLOCK)
        if block is None or self._occupied is None:
            return self._render_parts(rays, condition, chances)[1].outputs(rays)
        return self._occupied.render(rays, block[:, 0], chances)

    def _make_rays(
        self, ray_bundle: RayBundle, frame_rows: Tensor, aspect: Optional[float], identity: Optional[Tensor] = None
    ) -> PaperRays:
        position = ray_bundle.metadata[keys.PIXEL_POSITION].to(self.train_camera_to_world)
        background = self.background(position, aspect, None if identity is None else identity[frame_rows])
        return make_paper_rays(ray_bundle, frame_rows, background, (self.near, self.far), self.direction_input)

    def _draw(self, rays: PaperRays, num_samples: int) -> Optional[Tensor]:
        """Draw numbers that place so many samples of each ray, unless they stand still."""
        if not (self.training or self.choices.jitter_in_evaluation):
            return None
        return torch.rand(len(rays.lengths), num_samples, dtype=rays.lengths.dtype, device=rays.lengths.device)

    def _render_parts(
        self,
        rays: PaperRays,
        condition: FaceCondition,
        chances: Tuple[Optional[Tensor], ...],
        colours: Colours = "fine",
    ) -> Tuple[RenderedRays, RenderedRays]:
        """Render rays some at a time, with numbers that were drawn before."""
        size = CPU_RAYS if rays.origins.device.type == "cpu" else self.config.eval_num_rays_per_chunk
        coarse, fine = [], []
        for start in range(0, len(rays.origins), size):
            part = slice(start, start + size)
            drawn = iter([None if chance is None else chance[part] for chance in chances])
            rendered = self._renderer.render(rays.part(part), condition, lambda _, drawn=drawn: next(drawn), colours)
            coarse.append(rendered[0])
            fine.append(rendered[1])
        return join_rendered(coarse), join_rendered(fine)

    def get_loss_dict(
        self,
        outputs: Dict[str, Tensor],
        batch: Dict[str, Tensor],
        metrics_dict: Optional[Dict[str, Tensor]] = None,
    ) -> Dict[str, Tensor]:
        """Return weighted loss terms of a step; outside training the fine colours' alone."""
        truth = batch["image"].to(self.device)
        losses = {"fine_loss": mse_loss(outputs["rgb"], truth)}
        if self.training:
            losses["coarse_loss"] = self.loss_weights["coarse"] * mse_loss(outputs["rgb_coarse"], truth)
            losses["code_loss"] = self.loss_weights["code"] * outputs["code_length"]
        return {**losses, **self.refinement_losses()}
