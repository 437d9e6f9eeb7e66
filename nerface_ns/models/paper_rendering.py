"""NerFace's two rounds of samples along rays, each with its own network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Literal, Optional, Tuple

from torch import Tensor

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.fields.base_face_field import FaceField
from nerface_ns.model_components.ray_sampling import refined_depths, stratified_depths
from nerface_ns.models.paper_rays import PaperRays, RenderedRays, composed_rays

Draw = Callable[[int], Optional[Tensor]]
"""Gives numbers in [0, 1) for so many samples of each ray, (num_rays, num_samples); None where samples stand still."""
Colours = Literal["none", "fine", "both"]
"""Networks that are asked for colours; without them a network's foreground is black."""


@dataclass(frozen=True)
class PaperRenderer:
    """Renders rays with all their samples.

    Random numbers are used in the released code's order: the coarse samples' places, the coarse network's density
    noise (training only), the fine samples' places, the fine network's noise; one number per ray and sample.
    """

    coarse_field: FaceField
    fine_field: FaceField
    num_coarse_samples: int
    num_importance_samples: int
    background_at_end: bool
    """Whether the last sample is the background instead of the network's."""

    @property
    def num_samples(self) -> Tuple[int, int]:
        """Coarse and importance samples of a ray."""
        return self.num_coarse_samples, self.num_importance_samples

    def render(
        self, rays: PaperRays, condition: FaceCondition, draw: Draw, colours: Colours = "fine"
    ) -> Tuple[RenderedRays, RenderedRays]:
        """Return what the coarse and what the fine network make of rays."""
        depths = stratified_depths(rays.nears, rays.fars, self.num_coarse_samples, draw(self.num_coarse_samples))
        coarse = self._ask(self.coarse_field, depths, rays, condition, colours == "both")
        depths = refined_depths(depths, coarse.weights, self.num_importance_samples, draw(self.num_importance_samples))
        return coarse, self._ask(self.fine_field, depths, rays, condition, colours != "none")

    def _ask(
        self, radiance_field: FaceField, depths: Tensor, rays: PaperRays, condition: FaceCondition, with_colours: bool
    ) -> RenderedRays:
        """Ask a network at (num_rays, num_samples) depths."""
        num_rays, num_samples = depths.shape
        rows = rays.frame_rows.repeat_interleave(num_samples)
        prepared = radiance_field.prepare(condition)
        densities, embedding = radiance_field.get_density(rays.positions(depths).reshape(-1, 3), rows, prepared)
        densities = densities.reshape(num_rays, num_samples)
        if not with_colours:
            return composed_rays(depths, densities, None, rays, self.background_at_end)
        told = rays.told[:, None].expand(-1, num_samples, -1).reshape(-1, 3)
        colours = radiance_field.get_rgb(told, rows, prepared, embedding).reshape(num_rays, num_samples, 3)
        return composed_rays(depths, densities, colours, rays, self.background_at_end)
