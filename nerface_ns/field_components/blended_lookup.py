"""Trilinear lookup in multiresolution tables, one table for each frame of a batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Sequence, Tuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

HASH_Y, HASH_Z = 2654435761, 805459861
"""Factors of the hash along y and z; x has 1 (Mueller et al. 2022, eq. 4)."""


@dataclass(frozen=True)
class TableLevels:
    """How the levels lie in a table, one after the other."""

    resolutions: Tuple[int, ...]
    """Vertices along each axis, at least 2."""
    sizes: Tuple[int, ...]
    """Rows: every vertex's own where it is the resolution's cube, else a power of two that vertices share by hash."""
    scales: Tuple[float, ...]
    """Spacings of vertices that fit into the box; the box may end between vertices."""
    shift: float
    """Where in the first cell the box begins."""

    @classmethod
    def within(cls, resolutions: Sequence[int], log2_size: int) -> TableLevels:
        """Lay out levels whose outermost vertices lie on the box's faces.

        Args:
            resolutions: Vertices along an axis of each level.
            log2_size: A level is dense where its vertices fit into 2**log2_size rows, and hashed otherwise.
        """
        sizes = tuple(min(resolution**3, 2**log2_size) for resolution in resolutions)
        return cls(tuple(resolutions), sizes, tuple(resolution - 1.0 for resolution in resolutions), 0.0)

    @classmethod
    def half_shifted(cls, base: int, finest: int, count: int, log2_size: int) -> TableLevels:
        """Lay out levels as instant-ngp and NeRFBlendShape do, half a cell off the box's faces.

        Args:
            base, finest: Spacings across the box and the cell that is added, of the first and the last level.
            count: Number of levels.
            log2_size: As in `within`.
        """
        growth = (finest / base) ** (1 / max(count - 1, 1))
        spacings = [base * growth**level for level in range(count)]
        # The finest level's power may be rounded to just above a whole number.
        resolutions = [math.ceil(round(spacing, 6)) + 1 for spacing in spacings]
        sizes = tuple(min(resolution**3, 2**log2_size) for resolution in resolutions)
        return cls(tuple(resolutions), sizes, tuple(spacing - 1 for spacing in spacings), 0.5)

    def __add__(self, other: TableLevels) -> TableLevels:
        """Put another's levels, shifted as much, behind these."""
        assert self.shift == other.shift or not other.sizes
        resolutions, sizes = self.resolutions + other.resolutions, self.sizes + other.sizes
        return TableLevels(resolutions, sizes, self.scales + other.scales, self.shift)

    @property
    def first_rows(self) -> Tuple[int, ...]:
        """Each level's first row."""
        return tuple(int(sum(self.sizes[:level])) for level in range(len(self.sizes)))

    @property
    def num_rows(self) -> int:
        """Rows of all levels."""
        return sum(self.sizes)


def level_resolutions(base: int, finest: int, count: int) -> Tuple[int, ...]:
    """Return geometrically growing numbers of vertices, both ends included (instant-ngp, eqs. 2 and 3)."""
    return tuple(round(base * (finest / base) ** (level / max(count - 1, 1))) for level in range(count))


def blended_lookup(
    points: Float[Tensor, "num_points 3"],
    frame_rows: Int[Tensor, "num_points"],
    tables: Float[Tensor, "num_frames rows channels"],
    levels: TableLevels,
) -> Float[Tensor, "num_points num_features"]:
    """Interpolate every level of each point's table, differentiable in the points and the tables.

    On a CPU with float32 the compiled kernels run, else torch.

    Args:
        points: In [0, 1]^3, ordered by frame; those outside take the value at the border.
        frame_rows: Each point's table.
        tables: One for each frame.
        levels: How a table is divided.

    Returns:
        For each point the channels of the first level, then of the second, and so on.
    """
    if points.device.type == "cpu" and points.dtype == torch.float32:
        return _KernelLookup.apply(points.contiguous(), frame_rows.contiguous(), tables.contiguous(), levels)
    return blended_lookup_torch(points, frame_rows, tables, levels)


def blended_lookup_torch(
    points: Float[Tensor, "num_points 3"],
    frame_rows: Int[Tensor, "num_points"],
    tables: Float[Tensor, "num_frames rows channels"],
    levels: TableLevels,
) -> Float[Tensor, "num_points num_features"]:
    """Compute `blended_lookup` in plain torch operations, for any device, precision and order of the points."""
    corners = torch.tensor([[c >> 2, (c >> 1) & 1, c & 1] for c in range(8)], device=points.device)
    flat = tables.flatten(0, 1)
    features = []
    layout = zip(levels.resolutions, levels.sizes, levels.scales, levels.first_rows)
    for resolution, size, scale, first_row in layout:
        scaled = points.clamp(0, 1) * scale + levels.shift
        cell = scaled.detach().long().clamp(max=resolution - 2)
        offset = (scaled - cell)[:, None]
        x, y, z = (cell[:, None] + corners).unbind(-1)
        weights = torch.where(corners.bool(), offset, 1 - offset).prod(dim=-1, keepdim=True)
        if resolution**3 <= size:
            row = (x * resolution + y) * resolution + z
        else:
            row = (x ^ (y * HASH_Y) ^ (z * HASH_Z)) & (size - 1)
        row = row + first_row + frame_rows[:, None] * tables.shape[1]
        features.append((weights * flat[row]).sum(dim=1))
    return torch.cat(features, dim=-1)


class _KernelLookup(torch.autograd.Function):
    """`blended_lookup` on the CPU."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, frame_rows: Tensor, tables: Tensor, levels: TableLevels) -> Tensor:
        """Look up all levels, and keep what the derivatives need."""
        from nerface_ns.field_components import blended_kernels  # numba is slow to import

        whole = (np.asarray(part, np.int64) for part in (levels.first_rows, levels.resolutions, levels.sizes))
        scales = np.asarray(levels.scales, np.float32)
        layout = (0,) * tables.shape[2], *whole, scales, np.full_like(scales, levels.shift)
        features = torch.empty(points.shape[0], len(levels.sizes) * tables.shape[2])
        arrays = points.detach().numpy(), frame_rows.numpy(), tables.detach().numpy()
        blended_kernels.lookup(*arrays, *layout, features.numpy())
        ctx.save_for_backward(points, frame_rows, tables)
        ctx.layout = layout
        return features

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Return the derivatives by points and tables."""
        from nerface_ns.field_components import blended_kernels  # numba is slow to import

        points, frame_rows, tables = ctx.saved_tensors
        located, gradient = points.detach().numpy(), gradients[0].contiguous().numpy()
        point_grad = tables_grad = None
        if ctx.needs_input_grad[0]:
            point_grad = torch.empty_like(points)
            arrays = located, frame_rows.numpy(), gradient, tables.detach().numpy()
            blended_kernels.point_gradient(*arrays, *ctx.layout, point_grad.numpy())
        if ctx.needs_input_grad[2]:
            tables_grad = torch.zeros_like(tables)
            starts = np.searchsorted(frame_rows.numpy(), np.arange(len(tables) + 1))
            blended_kernels.table_gradient(located, starts, gradient, *ctx.layout, tables_grad.numpy())
        return point_grad, None, tables_grad, None
