"""A feature grid for each person, mixed as persons are."""

from __future__ import annotations

from typing import Optional

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nerface_ns.field_components.feature_grid import FeatureGrid, FeatureGridConfig


class IdentityGrids(nn.Module):
    """Features of a point in each person's own grid, weighed by the persons' shares in a frame.

    A grid is looked up only for samples in which its person has a share, so persons cost memory, not time.

    Args:
        config: Sizes of one person's grid.
        num_identities: Number of persons.
    """

    def __init__(self, config: FeatureGridConfig, num_identities: int) -> None:
        super().__init__()
        self.persons = nn.ModuleList([config.setup() for _ in range(num_identities)])

    @property
    def num_features(self) -> int:
        """Length of a point's feature vector."""
        first = self.persons[0]
        assert isinstance(first, FeatureGrid)
        return first.num_features

    def forward(
        self,
        points: Float[Tensor, "num_points 3"],
        frame_rows: Int[Tensor, "num_points"],
        shares: Optional[Float[Tensor, "num_frames num_identities"]],
    ) -> Float[Tensor, "num_points num_features"]:
        """Look points in [0, 1]^3 up; `frame_rows` says which shares hold for a point, None are the first person's."""
        if shares is None:
            return self.persons[0](points)
        features = points.new_zeros(len(points), self.num_features)
        for person, grid in enumerate(self.persons):
            share = shares[:, person]
            if not bool((share != 0).any()):
                continue
            if bool((share == 1).all()):
                return grid(points)
            rows = (share[frame_rows] != 0).nonzero()[:, 0]
            weighed = share[frame_rows[rows], None] * grid(points[rows])
            features = torch.index_add(features, 0, rows, weighed)
        return features
