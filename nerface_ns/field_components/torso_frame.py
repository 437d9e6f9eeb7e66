"""A second rigid frame: neck and torso, which stay where they are while the head turns.

The field lives in head space, where the camera moves and everything that stands still moves with it. Each point is
taken to where it lies in the head that rests at its mean pose, by as much as it belongs to the torso: linear blend
skinning with two bones, whose weights are a smooth function of both places.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Type

import torch
from jaxtyping import Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor, nn

from nerface_ns.field_components.feature_grid import grid_lookup
from nerface_ns.field_components.per_frame_linear import frame_counts, per_frame_matmul

LOGIT_GAIN = 10.0
"""Factor on the grids' numbers, so that weights can change within the first hundred steps."""


@dataclass
class TorsoFrameConfig(InstantiateConfig):
    """How space is divided between head and torso."""

    _target: Type = field(default_factory=lambda: TorsoFrame)
    """Target class to instantiate."""
    enabled: bool = False
    """Let neck and torso stay where they are while the head turns."""
    resolution: int = 16
    """Vertices of the weights' grids along each axis: few, so that weights are smooth."""
    start_height: float = 0.25
    """Share of the scene box's height below which space belongs to the torso at the start of the training."""
    softness: float = 0.05
    """Share of the height over which that changes from 73 % head to 73 % torso."""


class TorsoFrame(nn.Module):
    """Blends head space with the space in which the torso rests.

    Args:
        config: Sizes and the start.

    Raises:
        ValueError: A grid of fewer than two vertices, or no softness.
    """

    def __init__(self, config: TorsoFrameConfig) -> None:
        super().__init__()
        if config.resolution < 2 or config.softness <= 0:
            raise ValueError(f"torso: expected resolution >= 2 and softness > 0, got {config}")
        self.resolutions = (config.resolution,)
        height = torch.linspace(0, 1, config.resolution)[None, :, None].expand([config.resolution] * 3)
        start = (config.start_height - height) / (config.softness * LOGIT_GAIN)
        self.rest_grids = nn.Parameter(start.reshape(-1, 1).contiguous())
        self.head_grids = nn.Parameter(torch.zeros_like(self.rest_grids))

    def share(
        self, points: Float[Tensor, "num_samples 3"], resting: Float[Tensor, "num_samples 3"]
    ) -> Float[Tensor, "num_samples 1"]:
        """Return by how much points belong to the torso.

        Args:
            points: In head space, the scene box at [0, 1]^3.
            resting: The same points where the torso rests, likewise.
        """
        logits = grid_lookup(resting, self.rest_grids, self.resolutions)
        logits = logits + grid_lookup(points, self.head_grids, self.resolutions)
        return torch.sigmoid(LOGIT_GAIN * logits)

    def forward(
        self,
        positions: Float[Tensor, "num_samples 3"],
        frame_rows: Int[Tensor, "num_samples"],
        to_rest: Float[Tensor, "num_frames 3 4"],
        aabb: Float[Tensor, "2 3"],
    ) -> tuple[Float[Tensor, "num_samples 3"], Float[Tensor, "num_samples 1"]]:
        """Return where positions lie in the resting head, and by how much they belong to the torso.

        Args:
            positions: In head space, scene units, ordered by frame.
            frame_rows: Row of each sample's frame.
            to_rest: Motion of each frame that takes what stands still to where it is at the mean pose.
            aabb: The scene box.
        """
        size = aabb[1] - aabb[0]
        with_one = torch.cat([positions, torch.ones_like(positions[:, :1])], dim=-1)
        moved = per_frame_matmul(with_one, to_rest.transpose(1, 2), frame_counts(frame_rows, len(to_rest)))
        share = self.share((positions - aabb[0]) / size, (moved - aabb[0]) / size)
        return torch.lerp(positions, moved, share), share
