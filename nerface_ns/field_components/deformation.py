"""How an expression moves points of the observed head to the canonical head.

Trackers' coefficients act linearly on the head they were made for, and so do both deformations here: a frame's field
is the sum of one field per coefficient. Linear fields carry over to expressions that were never seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Type

import torch
from jaxtyping import Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor, nn

from nerface_ns.field_components.feature_grid import FeatureGrid, FeatureGridConfig, grid_lookup
from nerface_ns.field_components.per_frame_linear import frame_counts, per_frame_matmul


@dataclass
class BilinearDeformationConfig(InstantiateConfig):
    """Fields linear in the expression, whose shapes in space come from a small network."""

    _target: Type = field(default_factory=lambda: BilinearDeformation)
    """Target class to instantiate."""
    grid: FeatureGridConfig = field(default_factory=lambda: FeatureGridConfig(resolutions=(12, 24, 48)))
    """Features of the observed point."""
    width: int = 32
    """Units of the two hidden layers."""


class BilinearDeformation(nn.Module):
    """h(point) W(expression): W is linear in the expression and made once per frame.

    Args:
        config: Sizes.
        num_coefficients: Length of the expression.
        num_out: Numbers per point.
    """

    def __init__(self, config: BilinearDeformationConfig, num_coefficients: int, num_out: int) -> None:
        super().__init__()
        self.grid: FeatureGrid = config.grid.setup()
        self.first = nn.Linear(self.grid.num_features, config.width)
        self.second = nn.Linear(config.width, config.width)
        self.basis = nn.Parameter(torch.randn(num_coefficients + 1, config.width, num_out) * 1e-2)

    def prepare(self, expression: Float[Tensor, "num_frames num_coefficients"]) -> Tensor:
        """Blend the last layers, (num_frames, width, num_out); one basis belongs to no coefficient."""
        weights = torch.cat([expression, expression.new_ones(len(expression), 1)], dim=1)
        return torch.einsum("fk,kwo->fwo", weights, self.basis)

    def forward(
        self, points: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: Tensor
    ) -> Float[Tensor, "num_samples num_out"]:
        """Evaluate at points in [0, 1]^3, ordered by frame."""
        hidden = torch.relu_(self.second(torch.relu_(self.first(self.grid(points)))))
        return per_frame_matmul(hidden, prepared, frame_counts(frame_rows, len(prepared)))


@dataclass
class BlendedGridDeformationConfig(InstantiateConfig):
    """Dense grids blended by the expression before one lookup (after NeRFBlendShape, section 3.2)."""

    _target: Type = field(default_factory=lambda: BlendedGridDeformation)
    """Target class to instantiate."""
    resolution: int = 24
    """Vertices along each axis."""
    rank: int = 24
    """Number of grids besides the constant one; the expression is projected onto as many learned directions."""


class BlendedGridDeformation(nn.Module):
    """One grid per direction of the expression space.

    Args:
        config: Sizes.
        num_coefficients: Length of the expression.
        num_out: Numbers per point.
    """

    def __init__(self, config: BlendedGridDeformationConfig, num_coefficients: int, num_out: int) -> None:
        super().__init__()
        self.config = config
        rank = min(config.rank, num_coefficients)
        self.projection = nn.Parameter(nn.init.orthogonal_(torch.empty(num_coefficients, rank)))
        self.grids = nn.Parameter(torch.randn(rank + 1, config.resolution**3, num_out) * 1e-3)

    def prepare(self, expression: Float[Tensor, "num_frames num_coefficients"]) -> Tensor:
        """Blend the grids, (num_frames, resolution^3, num_out)."""
        weights = torch.cat([expression @ self.projection, expression.new_ones(len(expression), 1)], dim=1)
        return (weights @ self.grids.flatten(1)).unflatten(1, self.grids.shape[1:])

    def forward(
        self, points: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: Tensor
    ) -> Float[Tensor, "num_samples num_out"]:
        """Evaluate at points in [0, 1]^3, ordered by frame."""
        parts = points.split(frame_counts(frame_rows, len(prepared)))
        return torch.cat([grid_lookup(part, grid, (self.config.resolution,)) for part, grid in zip(parts, prepared)])
