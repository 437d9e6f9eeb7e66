"""Losses on the head's outline and surface: silhouette, normals, depth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Type

import torch
from jaxtyping import Float, Int
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor
from torch.nn.functional import normalize

from nerface_ns.model_components.loss_weights import LossWeights
from nerface_ns.model_components.losses import depth_roughness, silhouette_loss

OPAQUE = 0.5
"""Opacity from which on a ray meets a surface, whose normal can be told."""
TETRAHEDRON = ((1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (1.0, 1.0, 1.0))
"""Four points about which a gradient is taken: a density each, where differences along three axes take six."""


@dataclass
class SurfaceLossesConfig(InstantiateConfig):
    """Weights, all 0 by default, and where normals are taken."""

    _target: Type = field(default_factory=lambda: SurfaceLosses)
    """Target class to instantiate."""
    silhouette_weight: float = 0.0
    """Weight of 1 less the intersection over the union of opacity and matte; applies where the data have mattes."""
    normals_weight: float = 0.0
    """Weight of the squared difference between the normals of a surface point and of one beside it. Normals are the
    density's gradient, taken by differences, so that fields without second derivatives learn of them."""
    depth_weight: float = 0.0
    """Weight of the depth's bend within patches, in box lengths; applies in steps that draw patches
    (`PatchPixelSampler`)."""
    num_normals: int = 128
    """Rays of a step whose normals are compared; each asks the field for eight densities."""
    normals_reach: float = 0.01
    """Distance of the two points, and reach of the differences, in box lengths (about half a sample interval)."""


class SurfaceLosses:
    """Terms of one step.

    Args:
        config: Weights and reach.
        weights: The weights of the step that is made.
        box_length: Longest side of the scene box.

    Raises:
        ValueError: A setting is out of its range.
    """

    def __init__(self, config: SurfaceLossesConfig, weights: LossWeights, box_length: float) -> None:
        for name in ("silhouette_weight", "normals_weight", "depth_weight"):
            if getattr(config, name) < 0:
                raise ValueError(f"surface_losses.{name}: expected at least 0, got {getattr(config, name)}")
        if config.num_normals < 1 or config.normals_reach <= 0:
            raise ValueError(
                "surface_losses: expected num_normals of at least 1 and normals_reach above 0, got "
                f"{config.num_normals} and {config.normals_reach}"
            )
        self.config, self.weights, self.box_length = config, weights, box_length

    @classmethod
    def of(cls, model_config: Any, weights: LossWeights, box_length: float) -> SurfaceLosses:
        """Return the losses of a model's settings; runs of before there were any have none."""
        config = getattr(model_config, "surface_losses", None) or SurfaceLossesConfig()
        return cls(config, weights, box_length)

    def terms(
        self,
        field: Any,
        prepared: Any,
        rays: RayBundle,
        frame_rows: Int[Tensor, "num_rays"],
        outputs: Dict[str, Tensor],
    ) -> Dict[str, Tensor]:
        """Return what a step's rays say of the field's surface, unweighted: "normal_roughness" where it is asked for.

        Args:
            field: The radiance field.
            prepared: What it made of the step's frames.
            rays: Of the step.
            frame_rows: Row of the frames that holds for each ray, never falling.
            outputs: "depth" and "accumulation" of the rays.
        """
        if self.weights["normals"] == 0:
            return {}
        chosen = (outputs["accumulation"].detach()[:, 0] > OPAQUE).nonzero()[:, 0]
        if len(chosen) == 0:
            return {"normal_roughness": outputs["depth"].new_zeros(())}
        count = min(self.config.num_normals, len(chosen))
        chosen = chosen[torch.randperm(len(chosen), device=chosen.device)[:count]].sort().values
        reach = self.config.normals_reach * self.box_length
        points = rays.origins[chosen] + outputs["depth"].detach()[chosen] * rays.directions[chosen]
        beside = points + reach * normalize(torch.randn_like(points), dim=-1)
        # Field and samples go by frame: a point and its neighbour stand together.
        both = torch.stack([points, beside], dim=1).flatten(0, 1).detach()
        normals = surface_normals(field, prepared, both, frame_rows[chosen].repeat_interleave(2), reach)
        first, second = normals.unflatten(0, (count, 2)).unbind(dim=1)
        return {"normal_roughness": (first - second).square().sum(dim=-1).mean()}

    def losses(self, outputs: Dict[str, Tensor], batch: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """Return the weighted terms that the settings ask for and the data allow."""
        weights, losses = self.weights, {}
        opacity = outputs["accumulation"]
        if weights["silhouette"] > 0 and "alpha" in batch:
            losses["silhouette_loss"] = weights["silhouette"] * silhouette_loss(opacity, batch["alpha"].to(opacity))
        if "normal_roughness" in outputs:
            losses["normals_loss"] = weights["normals"] * outputs["normal_roughness"]
        rows = batch.get("patch_rows")
        if weights["depth"] > 0 and rows is not None and rows.shape[-1] > 2:
            depth, image = outputs["depth"][:, 0] / self.box_length, batch["image"].to(opacity)
            losses["depth_loss"] = weights["depth"] * depth_roughness(depth[rows], opacity[:, 0][rows], image[rows])
        return losses


def surface_normals(
    field: Any,
    prepared: Any,
    points: Float[Tensor, "n 3"],
    frame_rows: Int[Tensor, "n"],
    reach: float,
) -> Float[Tensor, "n 3"]:
    """Return unit vectors along which the logarithm of the density falls, by differences over `reach`."""
    corners = points.new_tensor(TETRAHEDRON)
    taps = (points[:, None] + reach / 3**0.5 * corners).flatten(0, 1)
    densities = field.get_density(taps, frame_rows.repeat_interleave(4), prepared)[0].reshape(-1, 4)
    # Of the logarithm: densities differ by orders of magnitude across a surface, and one tap would decide alone.
    gradient = ((densities + 1e-3).log()[..., None] * corners).sum(dim=1)
    return -normalize(gradient, dim=-1, eps=1e-6)
