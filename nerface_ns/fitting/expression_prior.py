"""What expressions, codes and gazes a person is known to have: those of the training frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

KEPT_VARIANCE = 0.995
"""Share of the training frames' variance that the directions kept explain."""
LEAST_SPREAD = 1e-6
"""Directions along which frames differ less are none."""


@dataclass(frozen=True)
class TrainedSpread:
    """A normal distribution about the mean of some rows, along the directions in which they differ most.

    A place in it is given by one number for each direction, in standard deviations, so that with independent numbers of
    variance 1 the rows' own mean and covariance come out.
    """

    mean: Float[Tensor, " length"]
    """Place of all zeros."""
    directions: Float[Tensor, "num_directions length"]
    """Change of a place by one standard deviation along each direction."""
    low: Float[Tensor, " length"]
    """Least value that each number may have."""
    high: Float[Tensor, " length"]
    """Largest one."""

    @classmethod
    def of(cls, rows: Float[Tensor, "num_rows length"], most: int, keeps_range: bool = True) -> TrainedSpread:
        """Describe rows.

        Args:
            rows: One for each training frame.
            most: Directions to keep at most.
            keeps_range: Whether places beyond the rows' range are none.
        """
        rows = rows.detach().float().cpu()
        mean = rows.mean(dim=0)
        _, spread, axes = torch.linalg.svd(rows - mean, full_matrices=False)
        spread = spread / max(len(rows) - 1, 1) ** 0.5
        explained = spread.square().cumsum(0)
        # The direction that reaches the share is needed too.
        needed = int((explained < KEPT_VARIANCE * explained[-1]).sum()) + 1 if len(spread) else 0
        count = min(needed, most, int((spread > LEAST_SPREAD).sum()))
        low, high = rows.amin(dim=0), rows.amax(dim=0)
        if not keeps_range:
            low, high = torch.full_like(low, -torch.inf), torch.full_like(high, torch.inf)
        return cls(mean, spread[:count, None] * axes[:count], low, high)

    @property
    def num_directions(self) -> int:
        """How many numbers give a place."""
        return len(self.directions)

    def decode(self, numbers: Float[Tensor, " num_directions"]) -> Float[Tensor, " length"]:
        """Return the place that numbers give, kept within the range."""
        place = self.mean + numbers.to(self.mean) @ self.directions
        return torch.minimum(torch.maximum(place, self.low), self.high)

    def encode(self, place: Float[Tensor, " length"]) -> Float[Tensor, " num_directions"]:
        """Return the numbers that give the nearest place of all."""
        scale = self.directions.square().sum(dim=1)
        return (self.directions @ (place.to(self.mean) - self.mean)) / scale
