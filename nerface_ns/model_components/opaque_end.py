"""Volume rendering of rays that end in something opaque: the background is each ray's last sample."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

LAST_LENGTH = 1e10
"""Stretch that a ray's last sample stands for (NeRF's code)."""
LAST_DENSITY = 1e-6
"""Least density of the last sample; over its length it lets no light through (NerFace's code)."""
LEAST_CLEARNESS = 1e-10
"""Added to the light that a sample lets through (NeRF's code)."""


def opaque_end_weights(
    densities: Float[Tensor, "num_rays num_samples"], distances: Float[Tensor, "num_rays num_samples"]
) -> Float[Tensor, "num_rays num_samples"]:
    """Return each sample's share in its ray's colour; the shares of a ray sum to 1.

    Args:
        densities: At least 0, per unit of distance.
        distances: Of the samples, growing along a ray; a sample stands for the stretch up to the next one.
    """
    last = torch.full_like(distances[:, :1], LAST_LENGTH)
    lengths = torch.cat([distances.diff(dim=-1), last], dim=-1)
    densities = torch.cat([densities[:, :-1], densities[:, -1:] + LAST_DENSITY], dim=-1)
    opacities = 1 - torch.exp(-densities * lengths)
    passed = torch.cumprod(1 - opacities + LEAST_CLEARNESS, dim=-1)
    return opacities * torch.cat([torch.ones_like(last), passed[:, :-1]], dim=-1)
