"""Renders whole images of NerFace's networks at a fraction of the samples.

One ray of each block of pixels is rendered whole. Where it takes its colour from, in either network, the cells of an
occupancy grid over image and depth are set (`BlockOccupancy`). The samples of all other rays lie where they always do,
but

- rays of blocks without set cells ask for none;
- the coarse network is asked from the block's first set cell on, the fine one in set cells and where the ray's own
  coarse weights are;
- both are asked from the camera on, until next to no light is left;
- of these samples every so many-th is asked for, the others are interpolated (`sample_thinning`);
- only samples that show get a colour.

Some rays between the blocks' middles are rendered in both ways first. They decide how many samples may be left out, and
whether any may. Expression and latent code enter as biases made once for the image, and the linear layers from the
trunk to the density are one (`FaceField.get_lean_density`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.fields.base_face_field import FaceField
from nerface_ns.model_components.block_occupancy import BlockOccupancy, DepthCells, ImageBlocks, widened
from nerface_ns.model_components.opaque_end import opaque_end_weights, sample_stretches
from nerface_ns.model_components.ray_sampling import refined_depths, stratified_depths
from nerface_ns.model_components.sample_thinning import KnotInterpolation, between_knots, choose_knots
from nerface_ns.models.paper_rays import PaperRays, RenderedRays
from nerface_ns.models.paper_rendering import PaperRenderer

IMAGE_BLOCK = "image_block"
"""Ray metadata: the ray's block of pixels, (num_rays, 1)."""
STRIDES = (12, 8, 6, 5, 4, 3, 2, 1)
"""Strides to try for the fine network, in this order; the coarse one, whose samples lie farther apart, has the half."""
LEAST_RELATIVE_WEIGHT = 0.02
"""Samples of a smaller share in a ray's colour, relative to the ray's largest one, take the others' colour."""
ROUND_SAMPLES = 8
"""Samples of a ray that are asked for before the light that is left is looked at."""
SAMPLES_AT_ONCE = 1 << 13
"""Samples that a network is given at a time: on a CPU a layer's outputs for them stay in its caches."""


@dataclass(frozen=True)
class SkippingSettings:
    """What may be skipped; the first four are the fields `skipping_...` of `PaperFaceModelConfig`."""

    margin: int
    lost_weight: float
    least_light: float
    colour_error: float
    near_far: Tuple[float, float]
    """Depths between which rays are sampled."""


class _Asked(NamedTuple):
    """What a network said at knots."""

    densities: Tensor
    """(num_rays, num_samples), 0 where it was not asked."""
    index: Tensor
    """Of the samples asked for, in the flattened densities."""
    lean: Tensor
    """Of the samples asked for, see `FaceField.get_lean_density`."""


class OccupiedRenderer:
    """Renders rays of one image under one condition.

    Args:
        renderer: Networks and numbers of samples.
        settings: What may be skipped.
        condition: Of the image, one row.
        blocks: How the image is cut.
        probes: What the coarse and the fine network make of the rays of the blocks' middles.
    """

    def __init__(
        self,
        renderer: PaperRenderer,
        settings: SkippingSettings,
        condition: FaceCondition,
        blocks: ImageBlocks,
        probes: Tuple[RenderedRays, RenderedRays],
    ) -> None:
        self.renderer, self.settings, self.condition = renderer, settings, condition
        self.cells = DepthCells(*settings.near_far, renderer.num_coarse_samples)
        self.coarse, self.fine = (
            BlockOccupancy(blocks, self.cells, self._holding(part.depths, part.weights), settings.margin)
            for part in probes
        )
        self.is_busy = self.coarse.is_busy | self.fine.is_busy
        self.stride = 1

    def choose_stride(self, rays: PaperRays, block: Tensor, whole: RenderedRays, share: float) -> bool:
        """Leave out as many samples as the settings' error allows; return whether any setting keeps to it.

        Args:
            rays: Some of the image, of busy blocks.
            block: (num_rays,) their blocks.
            whole: What the fine network makes of these rays.
            share: Share of the image's rays for which they stand; the others have no error.
        """
        for self.stride in STRIDES:
            rgb = self._render_busy(rays, block, None, None)["rgb"]
            if float((rgb - whole.rgb).square().mean()) * share <= self.settings.colour_error**2:
                return True
        return False

    def render(self, rays: PaperRays, block: Tensor, chances: Tuple[Optional[Tensor], ...]) -> Dict[str, Tensor]:
        """Return what the fine network makes of rays; see `FaceModel.render_rays`.

        Args:
            rays: Of the image.
            block: (num_rays,) their blocks.
            chances: Numbers in [0, 1) for their coarse and for their importance samples; None where these stand still.
        """
        outputs = {name: values.clone() for name, values in _empty(rays).outputs(rays).items()}
        outputs["num_samples_per_ray"].zero_()
        busy = self.is_busy[block].nonzero()[:, 0]
        drawn = [None if chance is None else chance[busy] for chance in chances]
        for name, values in self._render_busy(rays.part(busy), block[busy], *drawn).items():
            outputs[name][busy] = values
        return outputs

    def _render_busy(
        self, rays: PaperRays, block: Tensor, coarse_chance: Optional[Tensor], fine_chance: Optional[Tensor]
    ) -> Dict[str, Tensor]:
        renderer = self.renderer
        depths = stratified_depths(rays.nears, rays.fars, renderer.num_coarse_samples, coarse_chance)
        thinned = _Thinned.choose(self.coarse.is_behind_first(block, depths), depths, max(self.stride // 2, 1))
        densities = thinned.spread(self._ask(renderer.coarse_field, rays, depths, thinned).densities)
        weights = opaque_end_weights(densities, depths, rays.lengths)
        held = self._holding(depths, weights)
        held = widened(held[:, None], (0, 0, self.settings.margin))[:, 0]
        depths = refined_depths(depths, weights, renderer.num_importance_samples, fine_chance)
        wanted = self.fine.is_occupied(block, depths) | held.gather(1, self.cells.at(depths))
        thinned = _Thinned.choose(wanted, depths, self.stride)
        asked = self._ask(renderer.fine_field, rays, depths, thinned)
        densities = thinned.spread(asked.densities)
        weights = opaque_end_weights(densities, depths, rays.lengths)
        foreground = self._colour(rays, thinned.collect(weights), asked)
        outputs = RenderedRays(depths, densities, None, weights, foreground, rays.background).outputs(rays)
        num_asked = torch.bincount(asked.index // depths.shape[1], minlength=len(depths))
        return {**outputs, "num_samples_per_ray": num_asked[:, None].to(depths)}

    def _holding(self, depths: Tensor, weights: Tensor) -> Tensor:
        """Return the cells that hold what rays show before the background."""
        return self.cells.holding(depths[:, :-1], weights[:, :-1], self.settings.lost_weight)

    def _ask(self, radiance_field: FaceField, rays: PaperRays, depths: Tensor, thinned: _Thinned) -> _Asked:
        """Ask a network at knots, from the camera on, as long as there is light."""
        order = thinned.knots.cumsum(dim=-1) - 1
        stretches = thinned.collect(sample_stretches(depths, rays.lengths))
        most_depth = -math.log(self.settings.least_light)
        densities, prepared = torch.zeros_like(depths), radiance_field.prepare(self.condition)
        index, lean = [torch.empty(0, dtype=torch.long, device=depths.device)], []
        for start in range(0, depths.shape[1], ROUND_SAMPLES):
            is_lit = (densities * stretches).sum(dim=-1, keepdim=True) < most_depth
            chosen = thinned.knots & is_lit & (order >= start) & (order < start + ROUND_SAMPLES)
            if not chosen.any():
                break
            for part in chosen.flatten().nonzero()[:, 0].split(SAMPLES_AT_ONCE):
                ray = part // depths.shape[1]
                positions = rays.origins[ray] + rays.directions[ray] * depths.flatten()[part, None]
                density, some_lean = radiance_field.get_lean_density(positions, rays.frame_rows[ray], prepared)
                densities.view(-1)[part] = density
                index.append(part)
                lean.append(some_lean)
        return _Asked(densities, torch.cat(index), torch.cat(lean) if lean else depths.new_empty(0))

    def _colour(self, rays: PaperRays, weights: Tensor, asked: _Asked) -> Tensor:
        """Return premultiplied colours (num_rays, 3); knots that hardly show take those of their ray's others."""
        radiance_field, foreground = self.renderer.fine_field, torch.zeros_like(rays.background)
        prepared, kept = radiance_field.prepare(self.condition), torch.zeros_like(rays.lengths)
        least = LEAST_RELATIVE_WEIGHT * weights.amax(dim=-1, keepdim=True)
        shown = (weights > least).flatten()[asked.index].nonzero()[:, 0]
        for part in shown.split(SAMPLES_AT_ONCE):
            ray = asked.index[part] // weights.shape[1]
            weight = weights.flatten()[asked.index[part], None]
            embedding = radiance_field.get_embedding(asked.lean[part])
            colours = radiance_field.get_rgb(rays.told[ray], rays.frame_rows[ray], prepared, embedding)
            foreground.index_add_(0, ray, weight * colours)
            kept.index_add_(0, ray, weight)
        return foreground * weights.sum(dim=-1, keepdim=True) / kept.clamp(min=1e-12)


class _Thinned(NamedTuple):
    """Samples that are wanted, and those of them that a network is asked for."""

    wanted: Tensor
    """(num_rays, num_samples)."""
    knots: Tensor
    """(num_rays, num_samples)."""
    between: KnotInterpolation

    @classmethod
    def choose(cls, wanted: Tensor, depths: Tensor, stride: int) -> _Thinned:
        """Want none of the last samples, which are the background whatever a network says there."""
        wanted = torch.cat([wanted[:, :-1], torch.zeros_like(wanted[:, :1])], dim=-1)
        knots = choose_knots(wanted, stride)
        return cls(wanted, knots, between_knots(knots, depths))

    def spread(self, densities: Tensor) -> Tensor:
        """Return the densities of all samples, 0 where they are not wanted, given those of knots."""
        return self.between.spread(densities) * self.wanted

    def collect(self, weights: Tensor) -> Tensor:
        """Return the knots' parts in wanted samples' weights."""
        return self.between.collect(weights * self.wanted)


def _empty(rays: PaperRays) -> RenderedRays:
    """Return rays that meet nothing before the background."""
    nothing = torch.zeros_like(rays.lengths)
    return RenderedRays(rays.fars, nothing, None, nothing + 1, torch.zeros_like(rays.background), rays.background)
