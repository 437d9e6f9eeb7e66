"""Copies of a camera that stand elsewhere, have another size, or show another expression."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Optional

import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.conditioning import keys


def middle_camera(camera_to_worlds: Float[Tensor, "num_cameras 3 4"]) -> int:
    """Return the camera that stands nearest to the mean position: for a talking head one that sees it frontally."""
    positions = camera_to_worlds[:, :, 3]
    return int((positions - positions.mean(dim=0)).norm(dim=-1).argmin())


def turn_about(
    camera_to_world: Float[Tensor, "3 4"], pivot: Float[Tensor, " 3"], yaw_deg: float, pitch_deg: float = 0.0
) -> Float[Tensor, "3 4"]:
    """Move a camera on a sphere about a point, looking as it did relative to that point.

    Args:
        camera_to_world: An OpenGL camera.
        pivot: Centre of the sphere, in the world.
        yaw_deg: Angle about the camera's own upward axis; positive moves the camera to its right.
        pitch_deg: Angle about the camera's own rightward axis; positive moves the camera up.
    """
    yaw, pitch = math.radians(yaw_deg), math.radians(-pitch_deg)
    about_y = torch.tensor([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    about_x = torch.tensor([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    axes = camera_to_world[:, :3]
    turn = axes @ (about_y @ about_x).to(axes) @ axes.T
    position = pivot + turn @ (camera_to_world[:, 3] - pivot)
    return torch.cat([turn @ axes, position[:, None]], dim=1)


def posed_camera(
    camera: Any,
    camera_to_world: Float[Tensor, "3 4"],
    expression: Float[Tensor, " num_coefficients"],
    latent_code: Optional[Float[Tensor, " code_length"]] = None,
    gaze: Optional[Float[Tensor, " 2"]] = None,
) -> Any:
    """Copy a camera (a `Cameras` of one) to another place, showing another expression.

    Args:
        camera: What intrinsics, image size and further metadata are taken from.
        camera_to_world: Where the copy stands.
        expression: Raw coefficients that it shows.
        latent_code: Code that it asks for; None leaves it to the model's rule for frames never trained on.
        gaze: Pitch and yaw in radians; None keeps the camera's.
    """
    poses = camera.camera_to_worlds
    metadata = {**(camera.metadata or {}), keys.EXPRESSION: expression.to(poses)[None]}
    metadata[keys.FRAME_INDEX] = torch.full((1, 1), -1, dtype=torch.long, device=poses.device)
    for key, value in ((keys.LATENT_CODE, latent_code), (keys.GAZE, gaze)):
        if value is not None:
            metadata[key] = value.to(poses)[None]
    return dataclasses.replace(camera, camera_to_worlds=camera_to_world.to(poses)[None], metadata=metadata)


def resized_camera(camera: Any, height_px: int) -> Any:
    """Copy a camera (a `Cameras` of one) to an image of another height, seeing the same; the width follows."""
    scale = height_px / int(camera.height[0])
    return dataclasses.replace(
        camera,
        **{name: getattr(camera, name) * scale for name in ("fx", "fy", "cx", "cy")},
        height=torch.full_like(camera.height, height_px),
        width=torch.full_like(camera.width, max(1, round(int(camera.width[0]) * scale))),
    )
