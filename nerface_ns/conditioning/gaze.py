"""Where the eyes look: pitch (up) and yaw (towards +x) in radians, in the head's frame."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

GAZE_MARGIN = 0.1
"""How far beyond the trained range the soft clamp lets gaze come, as a share of the range's width."""


def gaze_rotation(gaze: Float[Tensor, "num_frames 2"]) -> Float[Tensor, "num_frames 3 3"]:
    """Return the rotations that turn +z (straight ahead) to gazes: first up about x, then aside about y."""
    (sin_pitch, sin_yaw), (cos_pitch, cos_yaw) = gaze.sin().unbind(-1), gaze.cos().unbind(-1)
    zero = torch.zeros_like(sin_pitch)
    rows = [
        torch.stack([cos_yaw, -sin_yaw * sin_pitch, sin_yaw * cos_pitch], dim=-1),
        torch.stack([zero, cos_pitch, sin_pitch], dim=-1),
        torch.stack([-sin_yaw, -cos_yaw * sin_pitch, cos_yaw * cos_pitch], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


def gaze_towards(offset: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 2"]:
    """Return the gazes of eyes that look along vectors of any length, in the head's frame.

    Raises:
        ValueError: A vector has no direction: what is looked at is where the eyes are.
    """
    if not (offset.norm(dim=-1) > 1e-9).all():
        raise ValueError(f"gaze: expected a point away from the eyes, got one {offset.tolist()} from them")
    x, y, z = offset.unbind(-1)
    return torch.stack([torch.atan2(y, torch.hypot(x, z)), torch.atan2(x, z)], dim=-1)


class GazeRange(nn.Module):
    """The gazes that were seen in training; others are brought back softly. It lives in the checkpoint.

    Args:
        train_gaze: Gaze of the training frames.
        margin: How far beyond the range gaze may come, as a share of its width.
    """

    low: Tensor
    high: Tensor

    def __init__(self, train_gaze: Float[Tensor, "num_frames 2"], margin: float = GAZE_MARGIN) -> None:
        super().__init__()
        self.margin = margin
        self.register_buffer("low", train_gaze.amin(dim=0))
        self.register_buffer("high", train_gaze.amax(dim=0))

    def forward(self, gaze: Float[Tensor, "num_frames 2"]) -> Float[Tensor, "num_frames 2"]:
        """Clamp softly, angle by angle, as `tracks.trained_range.soft_clamp` does with expressions."""
        limit = self.margin * (self.high - self.low)
        unit = torch.where(limit > 0, limit, 1.0)
        over, under = (gaze - self.high).clamp(min=0), (self.low - gaze).clamp(min=0)
        beyond = torch.where(limit > 0, limit * (torch.tanh(over / unit) - torch.tanh(under / unit)), 0.0)
        return torch.minimum(torch.maximum(gaze, self.low), self.high) + beyond

    def outside_deg(self, gaze: Float[Tensor, "num_frames 2"]) -> Float[Tensor, "num_frames"]:
        """Return how far gazes are outside what was seen, in degrees of the angle that is further out; 0 inside."""
        outside = torch.maximum(gaze - self.high, self.low - gaze).clamp(min=0)
        return torch.rad2deg(outside.amax(dim=-1))

    def sample(self, count: int) -> Float[Tensor, "count 2"]:
        """Draw gazes evenly from the range."""
        return self.low + torch.rand(count, 2, device=self.low.device) * (self.high - self.low)
