"""A spiral about the middle of the training cameras, as NeRF renders forward-facing scenes (LLFF's path)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.rendering.spiral_config import SpiralConfig


def mean_pose(poses: Float[Tensor, "num_cameras 3 4"]) -> Float[Tensor, "3 4"]:
    """Return the camera at the mean position with the rotation nearest to the mean of all rotations."""
    left, _, right = torch.linalg.svd(poses[:, :, :3].double().mean(dim=0))
    handed = torch.diag(torch.tensor([1.0, 1.0, torch.det(left @ right).sign().item()], dtype=torch.float64))
    rotation = left @ handed @ right
    return torch.cat([rotation.to(poses), poses[:, :, 3].mean(dim=0)[:, None]], dim=1)


def spiral_radii(poses: Float[Tensor, "num_cameras 3 4"], extent: float) -> Float[Tensor, " 3"]:
    """Return how far the given share of cameras stands from the mean, along its rightward, upward and backward axes."""
    middle = mean_pose(poses)
    return ((poses[:, :, 3] - middle[:, 3]) @ middle[:, :3]).abs().quantile(extent, dim=0)


def spiral_poses(
    poses: Float[Tensor, "num_cameras 3 4"], pivot: Float[Tensor, " 3"], config: SpiralConfig, num_frames: int
) -> list[Float[Tensor, "3 4"]]:
    """Return cameras on a spiral that goes on smoothly from its end to its start where its turns are whole.

    All look at one point: that on the mean camera's axis which is as far as the head.

    Args:
        poses: Training cameras.
        pivot: Centre of the head.
        config: The spiral's shape.
        num_frames: Length of the path.
    """
    middle, radii = mean_pose(poses), config.scale * spiral_radii(poses, config.extent)
    axes, position = middle[:, :3], middle[:, 3]
    target = position - axes[:, 2] * ((position - pivot) @ axes[:, 2])
    path = []
    for index in range(num_frames):
        angle = 2 * math.pi * config.rounds * index / num_frames
        offset = [math.cos(angle), math.sin(angle), math.sin(angle * config.depth_rate)]
        path.append(look_at(position + axes @ (radii * torch.tensor(offset).to(radii)), target, axes[:, 1]))
    return path


def look_at(
    position: Float[Tensor, " 3"], target: Float[Tensor, " 3"], up: Float[Tensor, " 3"]
) -> Float[Tensor, "3 4"]:
    """Return the OpenGL camera at a place that has a point in the middle of its view, and a direction upward in it."""
    back = torch.nn.functional.normalize(position - target, dim=0)
    right = torch.nn.functional.normalize(torch.linalg.cross(up, back), dim=0)
    return torch.stack([right, torch.linalg.cross(back, right), back, position], dim=1)
