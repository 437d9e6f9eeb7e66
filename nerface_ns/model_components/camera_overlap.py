"""Whether the training frames see the same thing, without which nothing ties their cameras together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import torch
from jaxtyping import Bool, Float
from torch import Tensor

POINTS_ALONG_AXIS = 8
"""Points of the scene box along each of its sides that frames may share."""


def check_overlap(
    camera_to_world: Float[Tensor, "num_frames 3 4"],
    intrinsics_px: Float[Tensor, "num_frames 4"],
    image_size: tuple[int, int],
    aabb: Float[Tensor, "2 3"],
    names: Optional[Sequence[str]] = None,
) -> None:
    """Refuse cameras that do not hang together by points of the scene box that they share.

    Args:
        camera_to_world: Poses of the training frames.
        intrinsics_px: fx, fy, cx, cy.
        image_size: Height and width in pixels.
        aabb: Corners of the scene box.
        names: The frames' names, for the error.

    Raises:
        ValueError: A frame shares no point of the scene box with the first one, directly or through others.
    """
    sees = visible_points(camera_to_world, intrinsics_px, image_size, aabb)
    reached = torch.zeros_like(sees[:, 0])
    reached[0] = True
    while True:
        grown = sees[:, sees[reached].any(dim=0)].any(dim=1) | reached
        if bool((grown == reached).all()):
            break
        reached = grown
    if not bool(reached.all()):
        frame = int((~reached).nonzero()[0, 0])
        name = f" ({names[frame]})" if names is not None else ""
        raise ValueError(
            "camera_refinement: expected training frames that see the same part of the scene, got frame "
            f"{frame}{name}, which shares none with the first; check its pose, or start from "
            "model.camera_refinement.initialisation identity"
        )


def visible_points(
    camera_to_world: Float[Tensor, "num_frames 3 4"],
    intrinsics_px: Float[Tensor, "num_frames 4"],
    image_size: tuple[int, int],
    aabb: Float[Tensor, "2 3"],
) -> Bool[Tensor, "num_frames num_points"]:
    """Return which points of a lattice in the scene box lie inside each frame's image."""
    share = (torch.arange(POINTS_ALONG_AXIS, dtype=torch.float32) + 0.5) / POINTS_ALONG_AXIS
    points = aabb[0] + torch.cartesian_prod(share, share, share).to(aabb) * (aabb[1] - aabb[0])
    sees = []
    height, width = image_size
    for pose, (fx, fy, cx, cy) in zip(camera_to_world, intrinsics_px.tolist()):
        local = (points - pose[:, 3]) @ pose[:, :3]
        depth = -local[:, 2]
        column, row = cx + fx * local[:, 0] / depth, cy - fy * local[:, 1] / depth
        sees.append((depth > 0) & (column >= 0) & (column <= width) & (row >= 0) & (row <= height))
    return torch.stack(sees)
