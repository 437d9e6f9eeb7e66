"""Cameras and expressions of the demo's turning head."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

SHOWN_EXPRESSIONS = ("jawOpen", "mouthSmile", "eyeBlink", "mouthPucker", "browInnerUp", "mouthFunnel", "browDown")
"""What the demo shows by preference; Left and Right of a name move together."""


def expression_sweeps(
    names: Sequence[str], train_expression: Float[Tensor, "num_frames num_coefficients"], num_sweeps: int = 6
) -> dict[str, Float[Tensor, " num_coefficients"]]:
    """Choose expressions to show one after the other, each at its largest value in training.

    Args:
        names: Name of every coefficient.
        train_expression: Coefficients of the training frames.
        num_sweeps: How many expressions to choose.

    Returns:
        Coefficients at the height of each sweep, by label: `SHOWN_EXPRESSIONS` as far as they exist, then the
        coefficients that vary most in training.
    """
    largest = train_expression.amax(dim=0)
    sweeps: dict[str, Tensor] = {}
    taken = torch.zeros(len(names), dtype=torch.bool)
    for label in SHOWN_EXPRESSIONS:
        members = torch.tensor([name in (label, f"{label}Left", f"{label}Right") for name in names])
        if members.any() and len(sweeps) < num_sweeps:
            sweeps[label] = torch.where(members, largest, torch.zeros_like(largest))
            taken |= members
    for index in map(int, train_expression.std(dim=0).argsort(descending=True)):
        if len(sweeps) < num_sweeps and not taken[index]:
            sweeps[names[index]] = torch.zeros_like(largest).index_fill_(
                0, torch.tensor([index]), float(largest[index])
            )
    return sweeps


def sweep_weights(num_frames: int, num_sweeps: int) -> Float[Tensor, "num_frames num_sweeps"]:
    """Return each expression's share in [0, 1] over time: one after the other rises and falls along a sine's half."""
    phase = torch.arange(num_frames) * num_sweeps / max(num_frames, 1)
    offset = phase[:, None] - torch.arange(num_sweeps)[None]
    return torch.where((offset >= 0) & (offset < 1), torch.sin(math.pi * offset.clamp(0, 1)), torch.zeros(()))


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
    camera: Any, camera_to_world: Float[Tensor, "3 4"], expression: Float[Tensor, " num_coefficients"]
) -> Any:
    """Copy a camera (a `Cameras` of one) to another place, showing another expression."""
    metadata = {**(camera.metadata or {}), "expression": expression.to(camera.camera_to_worlds)[None]}
    metadata["frame_index"] = torch.full((1, 1), -1, dtype=torch.long, device=camera.camera_to_worlds.device)
    return dataclasses.replace(camera, camera_to_worlds=camera_to_world[None], metadata=metadata)


def turntable(
    camera: Any,
    pivot: Float[Tensor, " 3"],
    sweeps: dict[str, Float[Tensor, " num_coefficients"]],
    num_frames: int,
    yaw_range_deg: float = 25.0,
) -> list[tuple[Any, Float[Tensor, " num_sweeps"]]]:
    """Swing a camera about the head once to each side while the expressions pass.

    Args:
        camera: The camera to start from, a `Cameras` of one.
        pivot: Centre of the head.
        sweeps: Coefficients at the height of each expression, by label.
        num_frames: Length of the track.
        yaw_range_deg: How far to go aside.

    Returns:
        For every frame the camera, with its expression, and each expression's share.
    """
    weights = sweep_weights(num_frames, len(sweeps))
    peaks = torch.stack(list(sweeps.values()))
    track = []
    for index in range(num_frames):
        yaw_deg = yaw_range_deg * math.sin(2 * math.pi * index / num_frames)
        pose = turn_about(camera.camera_to_worlds[0], pivot.to(camera.camera_to_worlds), yaw_deg)
        track.append((posed_camera(camera, pose, weights[index] @ peaks), weights[index]))
    return track
