"""Multiresolution feature tables, one for each expression coefficient, blended before one lookup.

After NeRFBlendShape (Gao et al. 2022, section 3.2): a frame's table is the mean table plus the sum of the bases' tables
times the frame's coefficients. It is made once per frame of a batch by one matrix product, whose derivative is another;
what a sample costs does not depend on the number of coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Optional, Type

import torch
from jaxtyping import Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor, nn

from nerface_ns.field_components.basis_map import BasisMapKind, make_basis_map
from nerface_ns.field_components.blended_lookup import TableLevels, blended_lookup, level_resolutions

LARGEST_LOG2_SIZE = 24
"""A level of more rows than 2 to this power would not fit into memory beside Adam's moments."""


@dataclass
class BlendedTablesConfig(InstantiateConfig):
    """Sizes of the tables. The release has 16 levels of 4 features from 16 to 1024 vertices, 2^14 rows each."""

    _target: Type = field(default_factory=lambda: BlendedTables)
    """Target class to instantiate."""
    num_levels: int = 6
    """Levels, their resolutions in geometric progression."""
    channels: int = 4
    """Features at each vertex."""
    base_resolution: int = 12
    """Vertices along each axis of the coarsest level."""
    finest_resolution: int = 112
    """Vertices along each axis of the finest level."""
    num_basis_levels: int = 3
    """How many of the coarsest levels follow the expression; the finer ones are the mean table's alone, which saves
    most of the memory traffic of a step. 0 for all (NeRFBlendShape)."""
    log2_table_size: int = 15
    """Binary logarithm of the rows of a level that follows the expression; with fewer vertices than that it is dense,
    with more it is hashed (NeRFBlendShape: 14)."""
    log2_mean_table_size: int = 18
    """The same for a level of the mean table alone."""
    half_shifted: bool = False
    """Let the box begin and end half a cell inside the lattice, as instant-ngp and NeRFBlendShape do, instead of on
    vertices; all levels must follow the expression."""
    include_mean: bool = True
    """Have a table that belongs to no coefficient; without it every level has to follow the expression."""
    rank: int = 0
    """Number of bases, which share what coefficients have in common; one for each coefficient where the data have no
    more than that, and for 0 (NeRFBlendShape)."""
    basis_map: BasisMapKind = "linear"
    """How coefficients become weights of `rank` bases."""
    init_scale: float = 1e-2
    """The mean table starts uniform in [-init_scale, init_scale]."""
    basis_init_scale: float = 1e-3
    """The bases' tables start so (NeRFBlendShape: 1e-4 for both)."""


class BlendedFrames(NamedTuple):
    """What is known of some frames before any point is."""

    tables: Tensor
    """Blended levels of each frame, (num_frames, rows, channels)."""
    shared: Optional[Tensor]
    """Levels that are alike in all frames, (1, rows, channels)."""


class BlendedTables(nn.Module):
    """Features of a point under an expression.

    Args:
        config: Sizes.
        num_coefficients: Length of the expression.

    Raises:
        ValueError: Sizes that are no table's.
    """

    def __init__(self, config: BlendedTablesConfig, num_coefficients: int) -> None:
        super().__init__()
        _check(config, num_coefficients)
        self.config = config
        extent = config.base_resolution, config.finest_resolution, config.num_levels
        resolutions, count = level_resolutions(*extent), config.num_basis_levels or config.num_levels
        self.basis_levels = TableLevels.within(resolutions[:count], config.log2_table_size)
        self.mean_levels = TableLevels.within(resolutions[count:], config.log2_mean_table_size)
        if config.half_shifted:
            self.basis_levels = TableLevels.half_shifted(*extent, config.log2_table_size)
        is_reduced = 0 < config.rank < num_coefficients
        self.num_bases = config.rank if is_reduced else num_coefficients
        self.basis_map = make_basis_map(config.basis_map, num_coefficients, config.rank) if is_reduced else None
        bases = torch.rand(self.num_bases, self.basis_levels.num_rows, config.channels) * 2 - 1
        self.bases = nn.Parameter(bases * config.basis_init_scale)
        if config.include_mean:
            num_rows = self.basis_levels.num_rows + self.mean_levels.num_rows
            self.table = nn.Parameter((torch.rand(num_rows, config.channels) * 2 - 1) * config.init_scale)
        else:
            self.register_parameter("table", None)

    @property
    def num_features(self) -> int:
        """Length of a point's feature vector: levels times channels."""
        return self.config.num_levels * self.config.channels

    def prepare(self, expression: Float[Tensor, "num_frames num_coefficients"]) -> BlendedFrames:
        """Blend the tables of frames."""
        weights = expression if self.basis_map is None else self.basis_map(expression)
        bases = self.bases.flatten(1)
        if self.table is None:
            return BlendedFrames((weights @ bases).unflatten(1, self.bases.shape[1:]), None)
        # One split: the derivative of two slices would fill and add two tables of zeros.
        coarse, fine = self.table.split([self.basis_levels.num_rows, self.mean_levels.num_rows])
        blended = torch.addmm(coarse.reshape(1, -1), weights, bases)
        shared = fine[None] if self.mean_levels.sizes else None
        return BlendedFrames(blended.unflatten(1, self.bases.shape[1:]), shared)

    def forward(
        self, points: Float[Tensor, "num_points 3"], frame_rows: Int[Tensor, "num_points"], prepared: BlendedFrames
    ) -> Float[Tensor, "num_points num_features"]:
        """Look up points in [0, 1]^3, ordered by frame."""
        features = blended_lookup(points, frame_rows, prepared.tables, self.basis_levels)
        if prepared.shared is None:
            return features
        fine = blended_lookup(points, torch.zeros_like(frame_rows), prepared.shared, self.mean_levels)
        return torch.cat([features, fine], dim=-1)

    def table_penalty(self) -> Float[Tensor, ""]:
        """Mean absolute entry of the bases' tables, the mean table not counted (NeRFBlendShape's regulariser)."""
        return torch.linalg.vector_norm(self.bases, ord=1) / self.bases.numel()  # without a table of its own


def _check(config: BlendedTablesConfig, num_coefficients: int) -> None:
    if config.num_levels < 1 or config.channels < 1 or not 2 <= config.base_resolution <= config.finest_resolution:
        raise ValueError(
            "blended tables: expected num_levels >= 1, channels >= 1 and 2 <= base_resolution <= finest_resolution, "
            f"got {config.num_levels}, {config.channels}, {config.base_resolution}, {config.finest_resolution}"
        )
    if not 0 <= config.num_basis_levels <= config.num_levels:
        raise ValueError(f"num_basis_levels: expected 0..{config.num_levels}, got {config.num_basis_levels}")
    for name in ("log2_table_size", "log2_mean_table_size"):
        if not 1 <= getattr(config, name) <= LARGEST_LOG2_SIZE:
            raise ValueError(f"{name}: expected 1..{LARGEST_LOG2_SIZE}, got {getattr(config, name)}")
    if (not config.include_mean or config.half_shifted) and config.num_basis_levels not in (0, config.num_levels):
        raise ValueError(
            f"include_mean {config.include_mean}, half_shifted {config.half_shifted}: expected num_basis_levels 0 or "
            f"{config.num_levels}, for all levels have to follow the expression; got {config.num_basis_levels}"
        )
    if config.rank < 0:
        raise ValueError(f"rank: expected at least 0, got {config.rank}")
    if num_coefficients < 1:
        raise ValueError("blended tables: expected at least one expression coefficient, got none")
