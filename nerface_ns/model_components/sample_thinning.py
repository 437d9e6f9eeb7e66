"""Asking a network at some of a ray's samples and interpolating linearly at those between."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def choose_knots(wanted: Bool[Tensor, "num_rays num_samples"], stride: int) -> Bool[Tensor, "num_rays num_samples"]:
    """Return every so many-th of the wanted samples, and the first and the last of each run of wanted ones."""
    order = wanted.cumsum(dim=-1) - 1
    padded = torch.nn.functional.pad(wanted, (1, 1))
    is_end = ~padded[:, :-2] | ~padded[:, 2:]
    return wanted & (is_end | (order % stride == 0))


class KnotInterpolation(NamedTuple):
    """How samples lie between knots; samples outside their ray's knots have the nearest one's values."""

    left: Int[Tensor, "num_rays num_samples"]
    """Sample that is the last knot at or before each one."""
    right: Int[Tensor, "num_rays num_samples"]
    """Sample that is the first knot at or behind each one."""
    share: Float[Tensor, "num_rays num_samples"]
    """Weight of the right knot, in [0, 1]."""

    def spread(self, values: Float[Tensor, "num_rays num_samples"]) -> Float[Tensor, "num_rays num_samples"]:
        """Return values at all samples, given those at knots."""
        return torch.lerp(values.gather(1, self.left), values.gather(1, self.right), self.share)

    def collect(self, weights: Float[Tensor, "num_rays num_samples"]) -> Float[Tensor, "num_rays num_samples"]:
        """Return weights of knots, so that their weighted sum of values is the samples' one of spread values."""
        collected = torch.zeros_like(weights).scatter_add_(1, self.left, weights * (1 - self.share))
        return collected.scatter_add_(1, self.right, weights * self.share)


def between_knots(
    knots: Bool[Tensor, "num_rays num_samples"], depths: Float[Tensor, "num_rays num_samples"]
) -> KnotInterpolation:
    """Return where samples at growing depths lie between knots."""
    count = depths.shape[1]
    index = torch.arange(count, device=depths.device).expand_as(knots)
    left = torch.where(knots, index, -1).cummax(dim=1).values
    right = torch.where(knots, index, count).flip(1).cummin(dim=1).values.flip(1)
    left, right = torch.where(left < 0, right, left), torch.where(right == count, left, right)
    left, right = left.clamp(0, count - 1), right.clamp(0, count - 1)
    start, end = depths.gather(1, left), depths.gather(1, right)
    share = torch.where(end > start, (depths - start) / (end - start), torch.zeros_like(depths))
    return KnotInterpolation(left, right, share)
