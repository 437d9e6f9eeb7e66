"""Where the head stands before the static camera, as a condition.

Neck and torso do not follow the head. In head space, where the field lives, they move as the camera does, and for small
turns that motion is linear in the numbers below.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

POSE_LENGTH = 6
"""Three numbers for the rotation, three for the position."""
RANGE_MARGIN = 0.1
"""How far beyond the training frames' range a pose may come, as a share of the range's width: a later part of the
recording often goes a little further, and what is linear carries over."""
REST_MARGIN = 0.5
"""The same for what keeps a torso standing, beyond that margin: it is exact however far the head turns, so only cameras
from elsewhere have to be held back."""
EXPECTED_RANGE = 3.0
"""Clamp of expected motion, in its standard deviations."""


class HeadPoseEncoding(nn.Module):
    """Rotation and position of a camera about the training cameras' mean, in units of their spread.

    The rotation enters as sine of its angle times its axis. Numbers are clamped to the training frames' range and a
    margin, so that a camera that leaves it far, as in a viewer, keeps a pose like those that were seen.

    Args:
        camera_to_world: Poses of the training frames.
        persistent: Whether the range is saved in checkpoints.
    """

    mean_rotation: Tensor
    mean_position: Tensor
    spread: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, camera_to_world: Float[Tensor, "num_frames 3 4"], persistent: bool = True) -> None:
        super().__init__()
        left, _, right = torch.linalg.svd(camera_to_world[:, :, :3].mean(dim=0))
        handed = torch.diag(torch.tensor([1.0, 1.0, float(torch.det(left @ right).sign())]).to(left))
        self.register_buffer("mean_rotation", left @ handed @ right, persistent=persistent)
        self.register_buffer("mean_position", camera_to_world[:, :, 3].mean(dim=0), persistent=persistent)
        self.register_buffer("spread", torch.ones(POSE_LENGTH), persistent=persistent)
        self.register_buffer("low", torch.full((POSE_LENGTH,), -torch.inf), persistent=persistent)
        self.register_buffer("high", torch.full((POSE_LENGTH,), torch.inf), persistent=persistent)
        deviations = self(camera_to_world[:, :, :3], camera_to_world[:, :, 3])
        self.spread = deviations.std(dim=0, unbiased=False).clamp(min=1e-4)
        low, high = (deviations / self.spread).amin(dim=0), (deviations / self.spread).amax(dim=0)
        margin = RANGE_MARGIN * (high - low)
        self.low, self.high = low - margin, high + margin

    def expect(self, turn: float, shift: float) -> None:
        """Fit the units and the range to motion that is still to be found, for poses that are all one so far.

        Args:
            turn: Standard deviation of the rotation, radians.
            shift: Of the position.
        """
        self.spread = self.spread.new_tensor([turn] * 3 + [shift] * 3)
        self.high = torch.full_like(self.spread, EXPECTED_RANGE)
        self.low = -self.high

    def forward(
        self, rotation: Float[Tensor, "num_frames 3 3"], position: Float[Tensor, "num_frames 3"]
    ) -> Float[Tensor, "num_frames 6"]:
        """Return the conditions of cameras given by rotation and position in head space."""
        return torch.minimum(torch.maximum(self._deviations(rotation, position), self.low), self.high)

    def to_rest(
        self, rotation: Float[Tensor, "num_frames 3 3"], position: Float[Tensor, "num_frames 3"]
    ) -> Float[Tensor, "num_frames 3 4"]:
        """Return the motion that takes what stands still before a camera to where it is in the mean pose's head space.

        Poses far outside the training frames' range are brought back to its margin, as for a camera that leaves them.
        """
        margin = REST_MARGIN * (self.high - self.low)
        deviations = self._deviations(rotation, position)
        deviations = torch.minimum(torch.maximum(deviations, self.low - margin), self.high + margin) * self.spread
        x, y, z = deviations[:, :3].unbind(-1)
        zero = torch.zeros_like(x)
        skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(-1, 3, 3)
        cosine = (1 - deviations[:, :3].square().sum(dim=-1)).clamp(min=0).sqrt()[:, None, None]
        relative = torch.eye(3).to(skew) + skew + skew @ skew / (1 + cosine)
        turn = self.mean_rotation @ (self.mean_rotation @ relative).transpose(1, 2)
        shift = self.mean_position - (turn @ (self.mean_position + deviations[:, 3:])[:, :, None])[:, :, 0]
        return torch.cat([turn, shift[:, :, None]], dim=-1)

    def _deviations(self, rotation: Tensor, position: Tensor) -> Tensor:
        """(n, 6) in units of the training frames' spread, not clamped."""
        relative = self.mean_rotation.T @ rotation
        skew = (relative - relative.transpose(1, 2)) / 2
        axis_times_sine = torch.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], dim=-1)
        deviations = torch.cat([axis_times_sine, position - self.mean_position], dim=-1)
        return deviations / self.spread
