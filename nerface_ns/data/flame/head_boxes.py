"""Boxes round the face for layouts that store none, from the mattes of some frames and the tracked pose of all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from nerface_ns.data.frame_store import decode_alpha

VISIBLE = 127
"""Matte values above this (of 255) belong to the person."""

NECK_SHARE = 0.8
"""A neck is narrower than this part of the head above it."""

HEAD_HEIGHT = 1.5
"""Height of a head in widths, where no neck is seen."""


def head_box_of_matte(alpha: UInt8[np.ndarray, "height width"]) -> Float[np.ndarray, "4"] | None:
    """Box of the head in a person's matte: from the top down to where the outline is narrowest above the shoulders.

    Returns:
        y0, y1, x0, x1 in pixels, ends exclusive; None for an empty matte.
    """
    visible = alpha > VISIBLE
    width = visible.sum(axis=1)
    rows = np.flatnonzero(width)
    if len(rows) == 0:
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    widest = 0
    end = bottom
    for row in range(top, bottom):
        if width[row] > widest and end == bottom:
            widest = int(width[row])
        if width[row] < NECK_SHARE * widest and row - top > widest / 2:
            # Past the cheeks: the neck's narrowest row, before the shoulders widen again.
            below = width[row : min(bottom, row + widest)]
            end = row + int(np.argmin(below)) + 1
            break
        end_without_neck = top + round(HEAD_HEIGHT * widest)
        if row >= end_without_neck:
            end = row
            break
    columns = np.flatnonzero(visible[top:end].any(axis=0))
    return np.array([top, end, columns[0], columns[-1] + 1], dtype=np.float64)


def matte_boxes_px(paths: list[Path]) -> tuple[Float[np.ndarray, "found 4"], list[int]]:
    """Head boxes of these mattes, and which of them are not empty."""
    boxes = [head_box_of_matte(decode_alpha(path)) for path in paths]
    found = [row for row, box in enumerate(boxes) if box is not None]
    return np.array([boxes[row] for row in found], dtype=np.float64).reshape(-1, 4), found


def boxes_about(
    center: Float[np.ndarray, "3"],
    half_size: Float[np.ndarray, "2"],
    camera_to_world: Float[np.ndarray, "frames 4 4"],
    intrinsics_px: Float[np.ndarray, "frames 4"],
    image_size: tuple[int, int],
) -> Float[np.ndarray, "frames 4"]:
    """Boxes of a point's surroundings in every image, as fractions, cut at the edges.

    Args:
        center: The point, in front of all cameras.
        half_size: Reach down and sideways in world units.
        camera_to_world: OpenGL cameras.
        intrinsics_px: fx, fy, cx, cy.
        image_size: Height and width.
    """
    local = np.einsum("nji,nj->ni", camera_to_world[:, :3, :3], center - camera_to_world[:, :3, 3])
    depth = np.maximum(-local[:, 2], 1e-6)
    fx, fy, cx, cy = intrinsics_px.T
    x, y = fx * local[:, 0] / depth + cx, -fy * local[:, 1] / depth + cy
    down, side = fy * half_size[0] / depth, fx * half_size[1] / depth
    height, width = image_size
    boxes = np.stack([y - down, y + down, x - side, x + side], axis=1)
    return np.clip(boxes / np.array([height, height, width, width]), 0, 1)


def half_size_of(
    boxes_px: Float[np.ndarray, "frames 4"],
    center: Float[np.ndarray, "3"],
    camera_to_world: Float[np.ndarray, "frames 4 4"],
    intrinsics_px: Float[np.ndarray, "frames 4"],
) -> Float[np.ndarray, "2"]:
    """Median reach, down and sideways, in world units, of boxes about a point."""
    local = np.einsum("nji,nj->ni", camera_to_world[:, :3, :3], center - camera_to_world[:, :3, 3])
    depth = np.maximum(-local[:, 2], 1e-6)
    height = (boxes_px[:, 1] - boxes_px[:, 0]) / intrinsics_px[:, 1] * depth
    width = (boxes_px[:, 3] - boxes_px[:, 2]) / intrinsics_px[:, 0] * depth
    return np.array([np.median(height), np.median(width)]) / 2
