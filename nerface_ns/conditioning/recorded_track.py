"""The expressions of the recording, along its time."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class RecordedTrack(nn.Module):
    """Expression at any time of the recording, interpolated linearly between training frames.

    Args:
        expression: Raw coefficients of the training frames.
        times: Their places on the recording in [0, 1].
    """

    expression: Tensor
    times: Tensor
    order: Tensor

    def __init__(
        self, expression: Float[Tensor, "num_frames num_coefficients"], times: Float[Tensor, "num_frames 1"]
    ) -> None:
        super().__init__()
        self.register_buffer("expression", expression, persistent=False)
        ordered, order = times.flatten().float().sort(stable=True)
        self.register_buffer("times", ordered, persistent=False)
        self.register_buffer("order", order, persistent=False)

    @property
    def mean(self) -> Float[Tensor, "num_coefficients"]:
        """The average expression."""
        return self.expression.mean(dim=0)

    def forward(self, times: Float[Tensor, "num_times"]) -> Float[Tensor, "num_times num_coefficients"]:
        """Return expressions at times in [0, 1]; before the first and after the last frame they stand still."""
        times = times.to(self.times)
        after = torch.searchsorted(self.times, times).clamp(0, len(self.times) - 1)
        before = (after - 1).clamp(min=0)
        span = (self.times[after] - self.times[before]).clamp(min=1e-12)
        share = ((times - self.times[before]) / span).clamp(0, 1)[:, None]
        first, second = self.expression[self.order[before]], self.expression[self.order[after]]
        return first + share * (second - first)

    def nearest(self, times: Float[Tensor, "num_times"]) -> Int[Tensor, "num_times"]:
        """Return the training frames that are nearest to times in [0, 1]."""
        return self.order[(times.to(self.times)[:, None] - self.times).abs().argmin(dim=1)]
