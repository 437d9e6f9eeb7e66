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
    length_limit: float = 0.0
    """Longest deviation from the mean, as a share of the training frames' longest. The length is Mahalanobis's, so
    that combinations of coefficients which were never recorded together are shortened; 0 sets no limit."""
    length_floor: float = 1.0
    """What is added to the variance of every direction for that length, as a share of the mean variance: the higher,
    the less a deviation in directions that hardly varied counts."""
    noise: float = 0.0
    """Training adds normal noise of this share of each coefficient's standard deviation (ridge regression's effect:
    directions that hardly varied, which tell frames apart but not faces, lose their weight)."""
    scale: float = 1.0
    """Factor on every coefficient (NeRFace's reference code: 1/3, without centring)."""


class ExpressionEncoding(nn.Module):
    """Clamps, centres and scales coefficients. Ranges come from the training frames and live in the checkpoint.

    Args:
        config: What to apply.
        train_expression: Coefficients of the training frames.

    Raises:
        ValueError: Noise or a limit below zero, or a floor that is not above it.
    """

    low: Tensor
    high: Tensor
    mean: Tensor
    whitening: Tensor
    longest: Tensor
    deviation: Tensor

    def __init__(
        self, config: ExpressionEncodingConfig, train_expression: Float[Tensor, "num_frames num_coefficients"]
    ) -> None:
        super().__init__()
        if config.noise < 0 or config.length_limit < 0 or config.length_floor <= 0:
            raise ValueError(f"expression: expected noise, length_limit >= 0 and length_floor > 0, got {config}")
        self.config = config
        self.register_buffer("low", train_expression.amin(dim=0))
        self.register_buffer("high", train_expression.amax(dim=0))
        self.register_buffer("mean", train_expression.mean(dim=0))
        # Not in the checkpoint: they follow from the training frames, which a model is always built with.
        whitening = _whitening(train_expression, config.length_floor)
        self.register_buffer("whitening", whitening, persistent=False)
        lengths = ((train_expression - self.mean) @ whitening).norm(dim=-1)
        self.register_buffer("longest", lengths.max(), persistent=False)
        self.register_buffer("deviation", train_expression.std(dim=0, correction=0), persistent=False)

    def limit_length(
        self, expression: Float[Tensor, "num_frames num_coefficients"]
    ) -> Float[Tensor, "num_frames num_coefficients"]:
        """Shorten deviations from the mean that are longer than any recorded one, times `length_limit`."""
        offset = expression - self.mean
        lengths = (offset @ self.whitening).norm(dim=-1, keepdim=True)
        limit = self.config.length_limit * self.longest
        return torch.where(lengths > limit, self.mean + offset * (limit / lengths.clamp(min=1e-12)), expression)

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
        if self.training and self.config.noise > 0:
            expression = expression + torch.randn_like(expression) * (self.config.noise * self.deviation)
        clamped = self.clamp(expression)
        if self.config.length_limit > 0:
            clamped = self.limit_length(clamped)
        return (clamped - self.mean if self.config.centre else clamped) * self.config.scale


def _whitening(
    expression: Float[Tensor, "num_frames num_coefficients"], floor: float
) -> Float[Tensor, "num_coefficients num_coefficients"]:
    """Return W with |x W| = sqrt(x^T (C + floor trace(C) / K I)^-1 x) for the frames' covariance C."""
    offset = (expression - expression.mean(dim=0)).double()
    covariance = offset.T @ offset / max(len(offset), 1)
    variance = (floor * covariance.diagonal().mean()).clamp(min=1e-12)
    regular = covariance + variance * torch.eye(len(covariance), dtype=torch.float64, device=expression.device)
    return torch.linalg.inv(torch.linalg.cholesky(regular)).T.to(expression)
