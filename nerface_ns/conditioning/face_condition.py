"""What a field is told about a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

CodeProtocol = Literal["zero", "mean", "nearest", "frame"]
"""Which latent code a frame without one of its own gets."""


@dataclass
class FaceCondition:
    """Conditions of some frames, one row each. They hold for all rays of a frame and are encoded once per frame."""

    expression: Float[Tensor, "num_frames num_coefficients"]
    """Coefficients as the field takes them: clamped, centred and scaled."""
    latent_code: Float[Tensor, "num_frames code_length"]
    """What the expression does not say about the frame."""
    head_pose: Float[Tensor, "num_frames 6"]
    """Rotation and position of the head before the camera, as `HeadPoseEncoding` gives them."""
    camera_rotation: Float[Tensor, "num_frames 3 3"]
    """Camera-to-head rotation. The recording light stands beside the camera, so this turns it round the head."""
