"""Cameras as lines in space."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))
"""Corners of an image as shares of width and height, clockwise from the upper left."""
EDGES = ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1), (1, 5), (5, 2))
"""Lines between a frustum's points: tip, four corners, and a mark above the image."""


def frustum_points(cameras: Any, depth: float) -> Float[Tensor, "num_cameras 6 3"]:
    """Return each camera's position, the corners of its image at a depth, and a mark above the image's upper edge.

    Args:
        cameras: `Cameras` with a pinhole.
        depth: Along the camera's axis, in scene units.
    """
    width, height, fx, fy, cx, cy = (
        getattr(cameras, name).float().flatten() for name in ("width", "height", "fx", "fy", "cx", "cy")
    )
    points = [torch.zeros(len(width), 3)]
    for right, down in (*CORNERS, (0.5, -0.3)):
        across, along = (right * width - cx) / fx, -(down * height - cy) / fy
        points.append(depth * torch.stack([across, along, -torch.ones_like(across)], dim=-1))
    poses = cameras.camera_to_worlds.float()
    return torch.stack(points, dim=1) @ poses[:, :, :3].transpose(1, 2) + poses[:, None, :, 3]


def frustum_lines(cameras: Any, depth: float) -> Float[Tensor, "num_lines 2 3"]:
    """Return the lines that draw cameras, ten each."""
    points = frustum_points(cameras, depth)
    return torch.stack([points[:, list(edge)] for edge in EDGES], dim=1).flatten(0, 1)


def box_lines(aabb: Float[Tensor, "2 3"]) -> Float[Tensor, "12 2 3"]:
    """Return the edges of a box given by its least and greatest corner."""
    corners = torch.cartesian_prod(*aabb.cpu().T)
    pairs = [(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1]
    return corners[torch.tensor(pairs)]
