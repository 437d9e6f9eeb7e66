"""Rays of a camera from the slopes of pixels, differentiable in pose and lens."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

UNDISTORTION_STEPS = 4
"""Steps of the fixed-point iteration; each leaves about k r^2 of the error, and a face fills r < 0.3."""


def undistort_slopes(slopes: Float[Tensor, "num_rays 2"], radial: Float[Tensor, "1"]) -> Float[Tensor, "num_rays 2"]:
    """Undo a lens that moves the image of slope s to s (1 + k |s|^2), as OpenCV's k1 does.

    Args:
        slopes: As the lens images them: right and up over the distance along the axis.
        radial: k.
    """
    straight = slopes
    for _ in range(UNDISTORTION_STEPS):
        straight = slopes / (1 + radial * straight.square().sum(dim=-1, keepdim=True))
    return straight


def slopes_of(
    directions: Float[Tensor, "num_rays 3"], rotations: Float[Tensor, "num_rays 3 3"]
) -> Float[Tensor, "num_rays 2"]:
    """Return the slopes of rays in an OpenGL camera: right and up over the distance along its axis."""
    local = torch.einsum("rij,ri->rj", rotations, directions)
    return local[:, :2] / -local[:, 2:]


def directions_of(
    slopes: Float[Tensor, "num_rays 2"], rotations: Float[Tensor, "num_rays 3 3"]
) -> tuple[Float[Tensor, "num_rays 3"], Float[Tensor, "num_rays 1"]]:
    """Return unit directions of slopes, and the length of the ones that reach depth 1."""
    norms = (slopes.square().sum(dim=-1, keepdim=True) + 1).sqrt()
    local = torch.cat([slopes, -torch.ones_like(norms)], dim=-1) / norms
    return torch.einsum("rij,rj->ri", rotations, local), norms
