"""From tracked expression coefficients to the network's condition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Type

import torch
from jaxtyping import Float
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor, nn


@dataclass
class ExpressionEncodingConfig(InstantiateConfig):
    """How tracked coefficients become the network's condition."""

    _target: Type = field(default_factory=lambda: ExpressionEncoding)
    """Target class to instantiate."""
    clamp_margin: float = 0.1
    """Coefficients are clamped to the training frames' range, widened by this share of it at both ends; negative
    switches the clamp off (NeRFBlendShape clamps to the range itself)."""
    centre: bool = True
    """Subtract the training frames' mean, so that a latent code of zero stands for the average frame."""
    scale: float = 1.0
    """Factor on every coefficient (NeRFace's reference code: 1/3, without centring)."""


class ExpressionEncoding(nn.Module):
    """Clamps, centres and scales coefficients. Ranges come from the training frames and live in the checkpoint.

    Args:
        config: What to apply.
        train_expression: Coefficients of the training frames.
    """

    low: Tensor
    high: Tensor
    mean: Tensor

    def __init__(
        self, config: ExpressionEncodingConfig, train_expression: Float[Tensor, "num_frames num_coefficients"]
    ) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("low", train_expression.amin(dim=0))
        self.register_buffer("high", train_expression.amax(dim=0))
        self.register_buffer("mean", train_expression.mean(dim=0))

    def clamp(
        self, expression: Float[Tensor, "num_frames num_coefficients"]
    ) -> Float[Tensor, "num_frames num_coefficients"]:
        """Bring coefficients into the trained range and its margin."""
        if self.config.clamp_margin < 0:
            return expression
        margin = self.config.clamp_margin * (self.high - self.low)
        return torch.minimum(torch.maximum(expression, self.low - margin), self.high + margin)

    def forward(
        self, expression: Float[Tensor, "num_frames num_coefficients"]
    ) -> Float[Tensor, "num_frames num_coefficients"]:
        """Return the condition of raw coefficients."""
        clamped = self.clamp(expression)
        return (clamped - self.mean if self.config.centre else clamped) * self.config.scale
