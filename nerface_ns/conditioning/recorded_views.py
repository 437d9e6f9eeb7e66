"""What the recording showed from where a camera stands."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from nerface_ns.conditioning.head_pose import HeadPoseEncoding

LEAST_DISTANCE = 1e-6
"""Added to squared distances, in units of the poses' spread: a recorded pose shows its own frame's expression."""


class RecordedViews(nn.Module):
    """Expressions by head pose, for cameras that carry neither an expression nor a time.

    nerfstudio's `ns-render interpolate` leads a camera through the poses of recorded frames but drops their times. In
    between, every frame counts with the inverse fourth power of its pose's distance (Shepard's interpolation), so that
    a recorded pose gives its frame's expression and the way from one to the next is smooth. Where the head never
    moved, all frames count alike: the average face.

    Args:
        camera_to_world: Cameras of recorded frames.
        expression: Their raw coefficients.
    """

    pose: Tensor
    expression: Tensor

    def __init__(
        self,
        camera_to_world: Float[Tensor, "num_frames 3 4"],
        expression: Float[Tensor, "num_frames num_coefficients"],
    ) -> None:
        super().__init__()
        # Its range is that of all frames: clamped to the training frames', others would fall together.
        self.encoding = HeadPoseEncoding(camera_to_world, persistent=False)
        pose = self.encoding(camera_to_world[:, :, :3], camera_to_world[:, :, 3])
        self.register_buffer("pose", pose, persistent=False)
        self.register_buffer("expression", expression, persistent=False)

    def forward(self, camera_to_world: Float[Tensor, "num_views 3 4"]) -> Float[Tensor, "num_views num_coefficients"]:
        """Return the expressions that belong to cameras."""
        pose = self.encoding(camera_to_world[:, :, :3], camera_to_world[:, :, 3])
        squared = (pose[:, None] - self.pose[None]).square().sum(dim=-1)
        weights = (squared + LEAST_DISTANCE) ** -2
        return weights / weights.sum(dim=1, keepdim=True) @ self.expression
