"""A head has mass: how far its motion is from steady between neighbouring frames."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nerface_ns.model_components.rotation_forms import rotation_vectors

LONGEST_GAP = 4.0
"""Frames further apart than this many usual intervals say nothing about each other."""
Poses = Callable[[Tensor], "tuple[Tensor, Tensor]"]
"""Rotations (n, 3, 3) and positions (n, 3) of the head before the camera, of frames (n,)."""


class TrajectorySmoothness(nn.Module):
    """Squared accelerations of the head before the camera, round some frames of a recording.

    Args:
        times: Places of the frames on the recording, in any order and unit.
    """

    order: Tensor
    rank: Tensor
    gaps: Tensor

    def __init__(self, times: Float[Tensor, "num_frames"]) -> None:
        super().__init__()
        ordered, order = times.double().sort(stable=True)
        gaps = ordered.diff()
        usual = gaps[gaps > 0].median() if bool((gaps > 0).any()) else gaps.new_ones(())
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("rank", order.argsort(), persistent=False)
        self.register_buffer("gaps", (gaps / usual).float(), persistent=False)

    def forward(self, frames: Int[Tensor, "num_frames"], poses: Poses, unit: float) -> Float[Tensor, ""]:
        """Return the mean squared acceleration, per usual interval squared, that moving these frames can change.

        Args:
            frames: Frames whose poses learn; their neighbours' stand still.
            poses: Gives the poses.
            unit: Length that counts like one radian.
        """
        places = self.rank[frames][:, None] + torch.arange(-2, 3, device=frames.device)
        last = len(self.order) - 1
        exists = (places >= 0) & (places <= last)
        places = places.clamp(0, last)
        rotation, position = self._neighbours(self.order[places], poses)
        turn = rotation_vectors(rotation[:, :-1].transpose(-1, -2) @ rotation[:, 1:])
        moved = torch.cat([turn, position.diff(dim=1) / unit], dim=-1)
        gaps = self.gaps[places[:, :-1].clamp(max=max(last - 1, 0))]
        is_near = exists[:, 1:] & exists[:, :-1] & (gaps > 0) & (gaps <= LONGEST_GAP)
        velocity = moved / gaps.clamp(min=1e-3)[..., None]
        acceleration = velocity.diff(dim=1).square().sum(dim=-1)
        # One usual interval is the unit of time, also where frames between are missing.
        spans = (gaps[:, 1:] + gaps[:, :-1]) / 2
        counted = (is_near[:, 1:] & is_near[:, :-1]).float()
        return (counted * acceleration / spans.clamp(min=1e-3)).sum() / len(frames)

    def _neighbours(self, frames: Int[Tensor, "n 5"], poses: Poses) -> tuple[Tensor, Tensor]:
        """Poses of five frames in a row, of which only the middle ones learn."""
        with torch.no_grad():
            rotation, position = (part.unflatten(0, frames.shape) for part in poses(frames.flatten()))
        own_rotation, own_position = poses(frames[:, 2])
        rotation = torch.cat([rotation[:, :2], own_rotation[:, None], rotation[:, 3:]], dim=1)
        return rotation, torch.cat([position[:, :2], own_position[:, None], position[:, 3:]], dim=1)
