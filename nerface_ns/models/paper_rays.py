"""Rays as NerFace counts them, along the camera's axis, and what becomes of them."""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional, Sequence, Tuple

import torch
from nerfstudio.cameras.rays import RayBundle
from torch import Tensor

from nerface_ns.model_components.opaque_end import opaque_end_weights
from nerface_ns.models.paper_fidelity import DirectionInput


class PaperRays(NamedTuple):
    """Rays whose directions reach depth 1: a point at depth z is origin + z * direction."""

    origins: Tensor
    """(num_rays, 3)."""
    directions: Tensor
    """(num_rays, 3), not of length 1."""
    lengths: Tensor
    """(num_rays, 1) of the directions."""
    nears: Tensor
    """(num_rays, 1) depth of the first sample."""
    fars: Tensor
    """(num_rays, 1) depth of the last sample."""
    told: Tensor
    """(num_rays, 3) that the colour layers are told of the ray."""
    background: Tensor
    """(num_rays, 3) colour behind the head."""
    frame_rows: Tensor
    """(num_rays,) row of the condition."""

    def part(self, rows: "Tensor | slice") -> PaperRays:
        """Return some of the rays."""
        return PaperRays(*(column[rows] for column in self))

    def positions(self, depths: Tensor) -> Tensor:
        """Return the points (num_rays, num_samples, 3) at depths (num_rays, num_samples)."""
        return self.origins[:, None] + self.directions[:, None] * depths[..., None]


def make_paper_rays(
    ray_bundle: RayBundle,
    frame_rows: Tensor,
    background: Tensor,
    near_far: Tuple[float, float],
    direction_input: DirectionInput,
) -> PaperRays:
    """Take nerfstudio's rays as NerFace does.

    Args:
        ray_bundle: Flat. Rays that were made without a camera, as some of nerfstudio's tools do, carry no
            "directions_norm"; their depth is then their distance.
        frame_rows: Row of the condition that holds for each ray.
        background: (num_rays, 3), in the precision in which the rays shall be rendered.
        near_far: Depths between which rays are sampled; a viewer's crop leaves less.
        direction_input: What the colour layers are told.
    """
    origins, units = ray_bundle.origins.to(background), ray_bundle.directions.to(background)
    lengths: Optional[Tensor] = ray_bundle.metadata.get("directions_norm")
    lengths = torch.ones_like(units[:, :1]) if lengths is None else lengths.to(background)
    directions = units * lengths
    nears, fars = (torch.full_like(lengths, plane) for plane in near_far)
    told = units if direction_input == "view_direction" else torch.cat([directions[:, 2:], nears, fars], dim=-1)
    if ray_bundle.nears is not None and ray_bundle.fars is not None:
        nears = nears.maximum(ray_bundle.nears / lengths).minimum(fars)
        fars = fars.minimum(ray_bundle.fars / lengths).maximum(nears)
    return PaperRays(origins, directions, lengths, nears, fars, told, background, frame_rows)


class RenderedRays(NamedTuple):
    """What samples make of rays."""

    depths: Tensor
    """(num_rays, num_samples)."""
    densities: Tensor
    """(num_rays, num_samples), at least 0."""
    colours: Optional[Tensor]
    """(num_rays, num_samples, 3); None where the network was not asked for them."""
    weights: Tensor
    """(num_rays, num_samples); the last is the background's."""
    foreground: Tensor
    """(num_rays, 3) premultiplied."""
    background: Tensor
    """(num_rays, 3) colour of the last sample."""

    @property
    def rgb(self) -> Tensor:
        """Colours (num_rays, 3)."""
        return self.foreground + self.weights[:, -1:] * self.background

    def outputs(self, rays: PaperRays) -> Dict[str, Tensor]:
        """Return what a face model says of rays; depth is counted along them."""
        return {
            "rgb": self.rgb,
            "foreground": self.foreground,
            "background": self.background,
            "accumulation": self.weights[:, :-1].sum(dim=-1, keepdim=True),
            "depth": (self.weights * self.depths).sum(dim=-1, keepdim=True) * rays.lengths,
            "num_samples_per_ray": torch.full_like(rays.lengths, self.depths.shape[1]),
        }


def join_rendered(parts: Sequence[RenderedRays]) -> RenderedRays:
    """Return parts of one image as a whole."""
    return RenderedRays._make(None if values[0] is None else torch.cat(values) for values in zip(*parts))


def composed_rays(
    depths: Tensor, densities: Tensor, colours: Optional[Tensor], rays: PaperRays, background_at_end: bool
) -> RenderedRays:
    """Render samples.

    Args:
        depths, densities: (num_rays, num_samples).
        colours: (num_rays, num_samples, 3); None leaves the foreground black.
        rays: The rays.
        background_at_end: Whether the last sample has the background's colour instead of its own.
    """
    weights, background = opaque_end_weights(densities, depths, rays.lengths), rays.background
    if colours is None:
        foreground = torch.zeros_like(background)
    else:
        foreground = (weights[:, :-1, None] * colours[:, :-1]).sum(dim=1)
        background = background if background_at_end else colours[:, -1]
    return RenderedRays(depths, densities, colours, weights, foreground, background)
