"""NerFace as published: a coarse and a fine network, and the background as each ray's last sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Optional, Tuple, Type

import torch
from jaxtyping import Int
from nerfstudio.cameras.rays import RayBundle
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import mse_loss

from nerface_ns.conditioning import keys
from nerface_ns.conditioning.expression import ExpressionEncodingConfig
from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.conditioning.latent_codes import LatentCodesConfig
from nerface_ns.fields.base_face_field import FaceField, FaceFieldConfig
from nerface_ns.model_components.opaque_end import opaque_end_weights
from nerface_ns.model_components.ray_sampling import refined_distances, stratified_distances
from nerface_ns.models.base_face_model import FaceModel, FaceModelConfig

CPU_RAYS = 64
"""Rays rendered at a time on a CPU outside training: a layer's outputs for their samples stay in its caches, which
takes about half the time of a thousand rays."""


@dataclass
class PaperFaceModelConfig(FaceModelConfig):
    """NerFace's recipe; constants are those of its released code and configurations where nothing else is said."""

    _target: Type = field(default_factory=lambda: PaperFaceModel)
    """Target class to instantiate."""
    eval_num_rays_per_chunk: int = 1 << 12
    """Rays rendered at a time outside training, which take about 2 GB; on a CPU they are cut finer."""
    expression: ExpressionEncodingConfig = field(
        default_factory=lambda: ExpressionEncodingConfig(scale=1 / 3, centre=False, clamp_margin=-1.0)
    )
    """How tracked coefficients become the network's condition."""
    latent_codes: LatentCodesConfig = field(default_factory=lambda: LatentCodesConfig(length=32))
    """Per-frame codes."""
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
    (release: 0.2)."""
    far: Optional[float] = None
    """Depth of the last sample, which shows the background; None takes the data's far plane (release: 0.8)."""
    coarse_weight: float = 1.0
    """Weight of the coarse colours' squared error beside the fine ones'."""
    code_weight: float = 0.005
    """Weight of the latent code's length, not squared (0.0005 times 10)."""


class _Rendered(NamedTuple):
    weights: Tensor
    """(num_rays, num_samples); the last is the background's."""
    foreground: Tensor
    """(num_rays, 3) premultiplied."""


class PaperFaceModel(FaceModel):
    """Two rounds of samples, each with its own network; jitter and density noise only in training.

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
        self.near = self.near if config.near is None else config.near
        self.far = self.far if config.far is None else config.far
        if not 0 <= self.near < self.far:
            raise ValueError(f"near, far: expected 0 <= near < far, got {self.near} and {self.far}")
        self.coarse_field, self.fine_field = (
            self._make_field(config.coarse_field),
            self._make_field(config.fine_field),
        )

    def _make_field(self, config: FaceFieldConfig) -> FaceField:
        return config.setup(
            scene_box=self.scene_box,
            num_coefficients=len(self.expression_names),
            code_length=self.config.latent_codes.length,
        )

    def get_param_groups(self) -> Dict[str, List[Parameter]]:
        """Group parameters as the other models do."""
        groups = {
            "networks": [*self.coarse_field.parameters(), *self.fine_field.parameters()],
            "latent_codes": list(self.latent_codes.parameters()),
            "background": list(self.background.parameters()),
        }
        return {name: trained for name, group in groups.items() if (trained := [p for p in group if p.requires_grad])}

    def render_rays(
        self,
        ray_bundle: RayBundle,
        condition: FaceCondition,
        frame_rows: Int[Tensor, "num_rays"],
        aspect: Optional[float] = None,
    ) -> Dict[str, Tensor]:
        """Render rays; see `FaceModel.render_rays`. In training also "rgb_coarse" and "code_length"."""
        if self.training or torch.is_grad_enabled() or ray_bundle.origins.device.type != "cpu":
            return self._render_at_once(ray_bundle, condition, frame_rows, aspect)
        slices = [slice(start, start + CPU_RAYS) for start in range(0, len(frame_rows), CPU_RAYS)]
        parts = [self._render_at_once(ray_bundle[part], condition, frame_rows[part], aspect) for part in slices]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _render_at_once(
        self, ray_bundle: RayBundle, condition: FaceCondition, frame_rows: Tensor, aspect: Optional[float]
    ) -> Dict[str, Tensor]:
        config = self.config
        background = self.background(ray_bundle.metadata[keys.PIXEL_POSITION], aspect)
        nears, fars = self._get_planes(ray_bundle)
        shape = (len(nears), config.num_coarse_samples)
        chance = torch.rand(shape, dtype=nears.dtype, device=nears.device) if self.training else None
        distances = stratified_distances(nears, fars, config.num_coarse_samples, chance)
        coarse = self._render_at(distances, self.coarse_field, ray_bundle, condition, frame_rows, self.training)
        distances = refined_distances(distances, coarse.weights, config.num_importance_samples, self.training)
        fine = self._render_at(distances, self.fine_field, ray_bundle, condition, frame_rows, True)
        outputs = {
            "rgb": fine.foreground + fine.weights[:, -1:] * background,
            "foreground": fine.foreground,
            "background": background,
            "accumulation": fine.weights[:, :-1].sum(dim=-1, keepdim=True),
            "depth": (fine.weights * distances).sum(dim=-1, keepdim=True),
            "num_samples_per_ray": torch.full((len(distances), 1), distances.shape[1], device=distances.device),
        }
        if self.training:
            outputs["rgb_coarse"] = coarse.foreground + coarse.weights[:, -1:] * background
            outputs["code_length"] = condition.latent_code.norm(dim=-1).mean()
        return outputs

    def _get_planes(self, ray_bundle: RayBundle) -> Tuple[Tensor, Tensor]:
        """Distances to the near and far plane, within the viewer's crop where there is one."""
        per_depth = ray_bundle.metadata["directions_norm"]
        nears, fars = self.near * per_depth, self.far * per_depth
        if ray_bundle.nears is not None and ray_bundle.fars is not None:
            nears = nears.maximum(ray_bundle.nears).minimum(fars)
            fars = fars.minimum(ray_bundle.fars).maximum(nears)
        return nears, fars

    def _render_at(
        self,
        distances: Tensor,
        radiance_field: FaceField,
        ray_bundle: RayBundle,
        condition: FaceCondition,
        frame_rows: Tensor,
        with_colours: bool,
    ) -> _Rendered:
        """Ask a network at (num_rays, num_samples) distances; without colours the foreground is black."""
        num_rays, num_samples = distances.shape
        directions = ray_bundle.directions[:, None].expand(-1, num_samples, -1)
        positions = (ray_bundle.origins[:, None] + distances[..., None] * directions).reshape(-1, 3)
        rows = frame_rows.repeat_interleave(num_samples)
        prepared = radiance_field.prepare(condition)
        densities, embedding = radiance_field.get_density(positions, rows, prepared)
        weights = opaque_end_weights(densities.reshape(num_rays, num_samples), distances)
        if not with_colours:
            return _Rendered(weights, torch.zeros_like(ray_bundle.origins))
        colours = radiance_field.get_rgb(directions.reshape(-1, 3), rows, prepared, embedding)
        colours = colours.reshape(num_rays, num_samples, 3)
        return _Rendered(weights, (weights[:, :-1, None] * colours[:, :-1]).sum(dim=1))

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
            losses["coarse_loss"] = self.config.coarse_weight * mse_loss(outputs["rgb_coarse"], truth)
            losses["code_loss"] = self.config.code_weight * outputs["code_length"]
        return losses
