"""Volume rendering of rays that end in something opaque: the background is each ray's last sample."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

LAST_DEPTH = 1e10
"""Depth of the stretch that a ray's last sample stands for (NeRF's code)."""
LAST_DENSITY = 1e-6
"""Added to the last sample's density; over its stretch it lets no light through (NerFace's code)."""
LEAST_CLEARNESS = 1e-10
"""Added to the light that a sample lets through (NeRF's code)."""


def sample_stretches(
    depths: Float[Tensor, "num_rays num_samples"], lengths: Float[Tensor, "num_rays 1"]
) -> Float[Tensor, "num_rays num_samples"]:
    """Return how long a way each sample stands for: up to the next one, the last one's practically without end.

    Args:
        depths: Of the samples, growing along a ray.
        lengths: Of each ray's stretch of depth 1.
    """
    last = torch.full_like(depths[:, :1], LAST_DEPTH)
    return torch.cat([depths.diff(dim=-1), last], dim=-1) * lengths


def opaque_end_weights(
    densities: Float[Tensor, "num_rays num_samples"],
    depths: Float[Tensor, "num_rays num_samples"],
    lengths: Float[Tensor, "num_rays 1"],
) -> Float[Tensor, "num_rays num_samples"]:
    """Return each sample's share in its ray's colour; the shares of a ray sum to 1.

    Args:
        densities: At least 0, per scene unit.
        depths: Of the samples, growing along a ray.
        lengths: Of each ray's stretch of depth 1.
    """
    densities = torch.cat([densities[:, :-1], densities[:, -1:] + LAST_DENSITY], dim=-1)
    opacities = 1 - torch.exp(-densities * sample_stretches(depths, lengths))
    passed = torch.cumprod(1 - opacities + LEAST_CLEARNESS, dim=-1)
    return opacities * torch.cat([torch.ones_like(passed[:, :1]), passed[:, :-1]], dim=-1)
