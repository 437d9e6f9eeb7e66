"""Cameras and expressions of the demo's turning head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.rendering.posed_camera import posed_camera, turn_about

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
