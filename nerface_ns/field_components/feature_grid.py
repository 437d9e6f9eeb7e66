"""Multi-resolution dense feature grids with trilinear lookup."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence, Tuple, Type

import numpy as np
import torch
from jaxtyping import Float
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor, nn


@dataclass
class FeatureGridConfig(InstantiateConfig):
    """Dense grids over the scene box. A head fills its box, so a hash would save little and collide on the face."""

    _target: Type = field(default_factory=lambda: FeatureGrid)
    """Target class to instantiate."""
    resolutions: Tuple[int, ...] = (16, 32, 64, 112)
    """Vertices along each axis, one number for each level; at least 2."""
    channels: int = 4
    """Features at each vertex."""
    init_scale: float = 1e-2
    """Features start uniform in [-init_scale, init_scale]."""


class FeatureGrid(nn.Module):
    """Features of a point: for each level, the trilinear mean of the eight vertices round it.

    Args:
        config: Sizes.

    Raises:
        ValueError: A level has fewer than two vertices along an axis.
    """

    def __init__(self, config: FeatureGridConfig) -> None:
        super().__init__()
        if min(config.resolutions) < 2 or config.channels < 1:
            raise ValueError(f"a feature grid needs resolutions >= 2 and channels >= 1, got {config}")
        self.resolutions = tuple(config.resolutions)
        rows = sum(resolution**3 for resolution in self.resolutions)
        self.table = nn.Parameter((torch.rand(rows, config.channels) * 2 - 1) * config.init_scale)

    @property
    def num_features(self) -> int:
        """Length of a point's feature vector: levels times channels."""
        return len(self.resolutions) * self.table.shape[1]

    def forward(self, points: Float[Tensor, "num_points 3"]) -> Float[Tensor, "num_points num_features"]:
        """Look points up, as `grid_lookup` does."""
        return grid_lookup(points, self.table, self.resolutions)


def grid_lookup(
    points: Float[Tensor, "num_points 3"], table: Float[Tensor, "rows channels"], resolutions: Sequence[int]
) -> Float[Tensor, "num_points num_features"]:
    """Interpolate dense grids of several resolutions, differentiable in the points and the table.

    On a CPU with float32 the compiled kernels run, else torch.

    Args:
        points: In [0, 1]^3; those outside take the value at the border.
        table: The grids' vertices one grid after the other, z fastest.
        resolutions: Vertices along an axis of each grid.

    Returns:
        For each point the channels of the first grid, then of the second, and so on.
    """
    if points.device.type == "cpu" and points.dtype == torch.float32:
        return _KernelLookup.apply(points.contiguous(), table.contiguous(), tuple(resolutions))
    return grid_lookup_torch(points, table, resolutions)


def grid_lookup_torch(
    points: Float[Tensor, "num_points 3"], table: Float[Tensor, "rows channels"], resolutions: Sequence[int]
) -> Float[Tensor, "num_points num_features"]:
    """Compute `grid_lookup` in plain torch operations, for any device and precision."""
    corners = torch.tensor([[c >> 2, (c >> 1) & 1, c & 1] for c in range(8)], device=points.device)
    features, first_row = [], 0
    for resolution in resolutions:
        scaled = points.clamp(0, 1) * (resolution - 1)
        cell = scaled.detach().long().clamp(max=resolution - 2)
        offset = (scaled - cell)[:, None]
        vertex = cell[:, None] + corners
        weights = torch.where(corners.bool(), offset, 1 - offset).prod(dim=-1, keepdim=True)
        row = first_row + (vertex[..., 0] * resolution + vertex[..., 1]) * resolution + vertex[..., 2]
        features.append((weights * table[row]).sum(dim=1))
        first_row += resolution**3
    return torch.cat(features, dim=-1)


class _KernelLookup(torch.autograd.Function):
    """`grid_lookup` on the CPU."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, resolutions: Tuple[int, ...]) -> Tensor:
        """Look up all levels, and keep what the derivatives need."""
        from nerface_ns.field_components import grid_kernels  # numba is slow to import

        levels = np.asarray(resolutions, dtype=np.int64)
        first_rows = np.concatenate([[0], np.cumsum(levels**3)[:-1]])
        features = torch.empty(points.shape[0], len(levels) * table.shape[1])
        ctx.lanes = (0,) * table.shape[1]
        layout = ctx.lanes, first_rows, levels
        grid_kernels.lookup(points.detach().numpy(), table.detach().numpy(), *layout, features.numpy())
        ctx.save_for_backward(points, table)
        ctx.levels = first_rows, levels
        return features

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Return the derivatives by points and table."""
        from nerface_ns.field_components import grid_kernels  # numba is slow to import

        points, table = ctx.saved_tensors
        arrays = points.detach().numpy(), gradients[0].contiguous().numpy()
        point_grad = table_grad = None
        if ctx.needs_input_grad[0]:
            point_grad = torch.empty_like(points)
            grid_kernels.point_gradient(*arrays, table.detach().numpy(), ctx.lanes, *ctx.levels, point_grad.numpy())
        if ctx.needs_input_grad[1]:
            table_grad = torch.zeros_like(table)
            lanes = grid_kernels.shared_lanes(ctx.lanes, len(ctx.levels[1]))
            grid_kernels.table_gradient(*arrays, lanes, *ctx.levels, table_grad.numpy())
        return point_grad, table_grad, None
