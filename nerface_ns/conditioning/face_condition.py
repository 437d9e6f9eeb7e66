"""What a field is told about a frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Optional

from jaxtyping import Float
from torch import Tensor

from nerface_ns.conditioning import keys

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
    gaze: Optional[Float[Tensor, "num_frames 2"]] = None
    """Pitch (up) and yaw (towards +x) in radians, brought into the trained range; only where it moves the eyes."""
    identity: Optional[Float[Tensor, "num_frames num_identities"]] = None
    """Shares of the persons, where the model knows several; their code then stands at the end of the expression and of
    the latent code."""
    to_rest: Optional[Float[Tensor, "num_frames 3 4"]] = None
    """Motion that takes what stands still before the camera to where it is at the mean pose, where
    that is told."""


@dataclass
class DrivenFrame:
    """What somebody outside the model, such as the viewer's sliders, wants a picture to show."""

    expression: Optional[Float[Tensor, "num_coefficients"]] = None
    """Raw coefficients; None leaves them to the camera's time."""
    latent_code: Optional[Float[Tensor, "code_length"]] = None
    """Latent code; None leaves it to the model's rule for frames that were not trained on."""
    background: Optional[Float[Tensor, "3"]] = None
    """Colour behind the head; None leaves the model's own background there."""
    gaze: Optional[Float[Tensor, "2"]] = None
    """Pitch and yaw of the eyes in radians, in the head's frame; None leaves them to the camera's time."""
    identity: Optional[Float[Tensor, "num_identities"]] = None
    """Shares of the persons; None leaves them to the camera's time."""

    def compose(self, images: dict[str, Tensor]) -> dict[str, Tensor]:
        """Put the head before the background that is wanted.

        Args:
            images: A picture's outputs: "rgb", "foreground" (premultiplied), "accumulation", "background" and others.
        """
        if self.background is None:
            return images
        background = self.background.to(images["rgb"]).expand_as(images["rgb"])
        rgb = images["foreground"] + (1 - images["accumulation"]) * background
        return {**images, "background": background, "rgb": rgb}


FrameDriver = Callable[[Any], DrivenFrame]
"""Asked with a camera (`Cameras`) that carries no expression of its own, before each picture."""


def ask_driver(driver: Optional[FrameDriver], camera: Any) -> DrivenFrame:
    """Return what a driver wants of a camera: nothing where there is no driver, or the camera says it all itself.

    Args:
        driver: Whom to ask.
        camera: A `Cameras` of one. A training frame's, or one with an expression of its own, is not for drivers.
    """
    metadata = camera.metadata or {}
    index = metadata.get(keys.FRAME_INDEX)
    is_own = metadata.get(keys.EXPRESSION) is not None or (index is not None and int(index.flatten()[0]) >= 0)
    return DrivenFrame() if driver is None or is_own else driver(camera)


def as_row(asked: Optional[Tensor], length: int, what: str, like: Tensor) -> Optional[Tensor]:
    """Return what a camera asks for as one row of numbers; None where it asks for nothing.

    Args:
        asked: The numbers, in any shape.
        length: How many there have to be.
        what: Their name, for the error.
        like: Says the type and the place.

    Raises:
        ValueError: There are more numbers or fewer.
    """
    if asked is None:
        return None
    row = asked.reshape(1, -1).to(like)
    if row.shape[1] != length:
        raise ValueError(f"camera: expected {length} {what} as in training, got {row.shape[1]}")
    return row
