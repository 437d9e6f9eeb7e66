"""Where a browser's camera stands when the page opens: before the face, upright, framed as it was recorded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class FaceView:
    """A camera before the face, in the model's world."""

    position: Float[np.ndarray, "3"]
    """Where it stands."""
    look_at: Float[np.ndarray, "3"]
    """Point in the middle of the view, at the head's distance; dragging turns the view about it."""
    up: Float[np.ndarray, "3"]
    """Upward in the view."""
    height_by_depth: float
    """Height of the recorded view at distance 1."""
    width_by_depth: float
    """Width of the recorded view at distance 1."""

    def vertical_fov(self, aspect: float) -> float:
        """Return the angle, in radians, at which the recorded view just fits into a window.

        Args:
            aspect: Width over height of the window.
        """
        return 2 * math.atan(max(self.height_by_depth, self.width_by_depth / aspect) / 2)

    def show(self, client: Any, scale: float) -> None:
        """Put a browser's camera there.

        Args:
            client: A viser client.
            scale: Units of viser's world per unit of the model's.
        """
        client.camera.position = self.position * scale
        client.camera.up_direction = self.up
        client.camera.look_at = self.look_at * scale
        client.camera.fov = self.vertical_fov(client.camera.aspect)


def training_view(cameras: Any, center: Float[np.ndarray, "3"], frame: int) -> FaceView:
    """Return the view of a training camera.

    Args:
        cameras: The training cameras (`Cameras`).
        center: Middle of the head.
        frame: Which of them.
    """
    camera_to_world = cameras.camera_to_worlds[frame].cpu().double().numpy()
    lens = (float(getattr(cameras, name)[frame]) for name in ("fx", "fy", "cx", "cy", "width", "height"))
    return camera_view(camera_to_world, center, *lens)


def camera_view(
    camera_to_world: Float[np.ndarray, "3 4"],
    center: Float[np.ndarray, "3"],
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    width: float,
    height: float,
) -> FaceView:
    """Return the view of any camera.

    Args:
        camera_to_world: An OpenGL camera.
        center: Middle of the head.
        fx, fy, cx, cy: Focal lengths and principal point in pixels.
        width, height: Size of its picture in pixels.
    """
    rotation, position = camera_to_world[:, :3], camera_to_world[:, 3]
    # Browsers look through the middle of their window, recorded cameras not always through that of the image.
    towards_middle = rotation @ np.array([(width / 2 - cx) / fx, (cy - height / 2) / fy, -1.0])
    distance = max(float((center - position) @ -rotation[:, 2]), 1e-3)
    return FaceView(position, position + distance * towards_middle, rotation[:, 1], height / fy, width / fx)


def opening_view(cameras: Any, center: Float[np.ndarray, "3"]) -> FaceView:
    """Return the view of the training camera nearest to their mean position, which for a talking head is frontal."""
    positions = cameras.camera_to_worlds[:, :, 3].cpu().double().numpy()
    middle = int(np.linalg.norm(positions - positions.mean(axis=0), axis=1).argmin())
    return training_view(cameras, center, middle)
