"""Where along the rays of one image something is: an occupancy grid whose axes are the image's and the depth.

A grid in space would have to hold all that the cameras see between near and far, for one expression, and be filled anew
for the next. This one is filled from some of the image's own rays, so it fits the image's camera and expression, and it
knows what is hidden behind the first surface, which a grid in space does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class ImageBlocks:
    """An image cut into square blocks of pixels, counted row by row; those at its right and lower end may be cut."""

    height: int
    width: int
    side_px: int
    """Side of a block."""

    @property
    def shape(self) -> Tuple[int, int]:
        """Rows and columns of blocks."""
        return -(-self.height // self.side_px), -(-self.width // self.side_px)

    def of_pixels(self) -> Int[Tensor, "num_pixels"]:
        """Return the block of each pixel, row by row."""
        rows, columns = torch.arange(self.height) // self.side_px, torch.arange(self.width) // self.side_px
        return (rows[:, None] * self.shape[1] + columns).flatten()

    def middles(self) -> Int[Tensor, "num_blocks"]:
        """Return one pixel of each block, its middle where the block is whole."""
        rows, columns = (
            (torch.arange(count) * self.side_px + self.side_px // 2).clamp(max=size - 1)
            for count, size in zip(self.shape, (self.height, self.width))
        )
        return (rows[:, None] * self.width + columns).flatten()


@dataclass(frozen=True)
class DepthCells:
    """Cells along the depth; the first and the last have their middles at near and far."""

    near: float
    far: float
    count: int

    def at(self, depths: Float[Tensor, "num_rays num_samples"]) -> Int[Tensor, "num_rays num_samples"]:
        """Return the cell of each depth; those beyond near and far belong to the outer cells."""
        share = (depths - self.near) / (self.far - self.near)
        return (share * (self.count - 1)).round().long().clamp(0, self.count - 1)

    def holding(
        self,
        depths: Float[Tensor, "num_rays num_samples"],
        weights: Float[Tensor, "num_rays num_samples"],
        lost_weight: float,
    ) -> Bool[Tensor, "num_rays num_cells"]:
        """Return the cells that hold what a ray shows, but for so much of its colour in the lightest ones.

        Args:
            depths: Of samples.
            weights: Their shares in the ray's colour.
            lost_weight: Sum of weights that may be left out.
        """
        share = torch.zeros(len(depths), self.count, dtype=weights.dtype, device=weights.device)
        share.scatter_add_(1, self.at(depths), weights)
        lightest = share.sort(dim=-1)
        is_kept = lightest.values.cumsum(dim=-1) > lost_weight
        return torch.zeros_like(share, dtype=torch.bool).scatter_(1, lightest.indices, is_kept)


def widened(cells: Bool[Tensor, "*shape"], margins: Tuple[int, int, int]) -> Bool[Tensor, "*shape"]:
    """Return cells (rows, columns, depths) with so many neighbours along each axis."""
    kernel = [2 * margin + 1 for margin in margins]
    return nn.functional.max_pool3d(cells[None].float(), kernel, stride=1, padding=list(margins))[0] > 0


class BlockOccupancy:
    """Occupied cells of depth in each block of an image.

    Args:
        blocks: How the image is cut.
        cells: How the depth is cut.
        holding: Cells that hold what each block's own ray shows, see `DepthCells.holding`.
        margin: Cells around these that count as occupied too, along the depth; and the blocks next to each.
    """

    def __init__(
        self, blocks: ImageBlocks, cells: DepthCells, holding: Bool[Tensor, "num_blocks num_cells"], margin: int
    ) -> None:
        self.cells = cells
        wide = widened(holding.reshape(*blocks.shape, cells.count), (1, 1, margin)).reshape(-1, cells.count)
        self.occupied = wide
        self.is_busy = wide.any(dim=-1)
        self.first = torch.where(self.is_busy, wide.int().argmax(dim=-1), cells.count)
        self.last = int(wide.any(dim=0).nonzero().max()) if wide.any() else -1

    def is_occupied(
        self, block: Int[Tensor, "num_rays"], depths: Float[Tensor, "num_rays num_samples"]
    ) -> Bool[Tensor, "num_rays num_samples"]:
        """Return whether samples lie in occupied cells, given each ray's block."""
        return self.occupied[block].gather(1, self.cells.at(depths))

    def is_behind_first(
        self, block: Int[Tensor, "num_rays"], depths: Float[Tensor, "num_rays num_samples"]
    ) -> Bool[Tensor, "num_rays num_samples"]:
        """Return whether samples lie in the block's first occupied cell or behind, up to the image's last one.

        At an outline a surface turns away from the view, farther than any ray of a neighbouring block tells.
        """
        cell = self.cells.at(depths)
        return (cell >= self.first[block, None]) & (cell <= self.last)
