"""Which camera took a photograph: the run's own, as far as nobody says more."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

import torch


def photo_camera(camera: Any, height: int, width: int, focal_px: Optional[float] = None) -> Any:
    """Return a camera of a photograph's size.

    The photograph's shorter side sees the angle that the training images' shorter side sees, so one of the recording's
    proportions is seen as through the recording's lens, and a wider or higher one sees more beside or above. The
    principal point keeps its offset from the middle.

    Args:
        camera: The person's own (a `Cameras` of one).
        height, width: Size of the photograph.
        focal_px: Its focal length, where it is known, in pixels of that size.

    Raises:
        ValueError: The focal length is no positive number.
    """
    trained = int(camera.height[0]), int(camera.width[0])
    scale = min(height, width) / min(trained)
    factor = scale
    if focal_px is not None:
        if not 0 < focal_px < float("inf"):
            raise ValueError(f"--focal {focal_px}: expected a positive number of pixels")
        factor = focal_px / float(camera.fy[0])
    return dataclasses.replace(
        camera,
        fx=camera.fx * factor,
        fy=camera.fy * factor,
        cx=width / 2 + (camera.cx - trained[1] / 2) * scale,
        cy=height / 2 + (camera.cy - trained[0] / 2) * scale,
        height=torch.full_like(camera.height, height),
        width=torch.full_like(camera.width, width),
    )


def scaled_camera(camera: Any, height: int, width: int) -> Any:
    """Return a camera of the same view in a picture of another size."""
    down, across = height / int(camera.height[0]), width / int(camera.width[0])
    return dataclasses.replace(
        camera,
        fx=camera.fx * across,
        fy=camera.fy * down,
        cx=camera.cx * across,
        cy=camera.cy * down,
        height=torch.full_like(camera.height, height),
        width=torch.full_like(camera.width, width),
    )


def compared_size(height: int, width: int, short_px: int) -> tuple[int, int]:
    """Return the height and width at which a photograph is compared: its shorter side has at most so many pixels."""
    scale = min(1.0, short_px / min(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))
