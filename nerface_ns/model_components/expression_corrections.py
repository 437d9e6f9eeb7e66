"""Small corrections of the training frames' expressions, because trackers err there as in the cameras."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Type

import torch
from jaxtyping import Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor, nn

LEAST_SPREAD = 1e-4
"""A coefficient that varies less than this in training is left alone."""


@dataclass
class ExpressionCorrectionsConfig(InstantiateConfig):
    """Per-frame corrections of the expression, in units of each coefficient's standard deviation in training."""

    _target: Type = field(default_factory=lambda: ExpressionCorrections)
    """Target class to instantiate."""
    enabled: bool = False
    """Let the training frames' expressions learn."""
    weight: float = 1e-2
    """Weight of the corrections' mean square."""
    freeze_steps: int = 100
    """Steps before the corrections begin to learn, as with cameras."""


class ExpressionCorrections(nn.Module):
    """What is added to the tracked coefficients of training frames, zero at the start.

    Args:
        config: Weight.
        train_expression: Raw coefficients of the training frames.
    """

    spread: Tensor

    def __init__(
        self, config: ExpressionCorrectionsConfig, train_expression: Float[Tensor, "num_frames num_coefficients"]
    ) -> None:
        super().__init__()
        self.config = config
        self.is_frozen = False
        self.offsets = nn.Parameter(torch.zeros_like(train_expression))
        spread = train_expression.std(dim=0, unbiased=False)
        self.register_buffer("spread", torch.where(spread < LEAST_SPREAD, 0.0, spread), persistent=False)

    def forward(
        self, expression: Float[Tensor, "num_frames num_coefficients"], frame_index: Int[Tensor, "num_frames"]
    ) -> Float[Tensor, "num_frames num_coefficients"]:
        """Correct the raw coefficients of training frames; those of others, whose index is -1, stay as they are."""
        offsets = self.offsets.detach() if self.is_frozen else self.offsets
        corrected = expression + offsets[frame_index.clamp(min=0)] * self.spread
        return torch.where((frame_index >= 0)[:, None], corrected, expression)

    def penalty(self, frames: Int[Tensor, "n"]) -> Float[Tensor, ""]:
        """Return the weighted loss of a step that drew these frames."""
        return self.config.weight * self.offsets[frames].square().mean()
