"""Boxes of whole pixels, and the pixels in them by number."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def face_box_to_pixels(face_box: Float[Tensor, "*batch 4"], height: int, width: int) -> Int[Tensor, "*batch 4"]:
    """Convert face boxes from fractions of the image to whole pixels.

    Args:
        face_box: y0, y1, x0, x1 in [0, 1], as NeRFace's JSON stores them.
        height, width: Image size in pixels.

    Returns:
        y0, y1, x0, x1 in pixels, rounded outward; y1 and x1 are exclusive.

    Raises:
        ValueError: A box is empty or leaves the image.
    """
    low, high = face_box[..., 0::2], face_box[..., 1::2]
    if not ((low >= -1e-6) & (low < high) & (high <= 1 + 1e-6)).all():
        raise ValueError(f"face_box needs 0 <= low < high <= 1, got {face_box.tolist()}")
    size = torch.tensor([height, width], device=face_box.device)
    # The slack keeps a fraction that was computed from whole pixels from reaching one pixel further by rounding.
    low_px = (low * size + 1e-4).floor().clamp_min(0)
    high_px = torch.minimum((high * size - 1e-4).ceil(), size)
    return torch.stack([low_px, high_px], dim=-1).flatten(-2).long()


def pick(chance: Float[np.ndarray, " rays"], count: Int[np.ndarray, " rays"]) -> Int[np.ndarray, " rays"]:
    """Whole number in [0, count), each as likely."""
    return np.minimum((chance * count).astype(np.int64), count - 1)


def box_area(box: Int[np.ndarray, "rays 4"]) -> Int[np.ndarray, " rays"]:
    """Number of pixels in whole-pixel boxes."""
    return (box[:, 1] - box[:, 0]) * (box[:, 3] - box[:, 2])


def pixel_in_box(box: Int[np.ndarray, "rays 4"], nth: Int[np.ndarray, " rays"], width: int) -> Int[np.ndarray, " rays"]:
    """Number (row-major over the image) of the nth pixel of a box."""
    row, column = np.divmod(nth, box[:, 3] - box[:, 2])
    return (box[:, 0] + row) * width + box[:, 2] + column


def pixel_outside_box(
    box: Int[np.ndarray, "rays 4"], nth: Int[np.ndarray, " rays"], width: int
) -> Int[np.ndarray, " rays"]:
    """Number (row-major over the image) of the nth pixel that is not in the box.

    Of each box row that lies before it the pixel skips the box's width; between two box rows are `gap_width` others.
    """
    box_width, num_rows = box[:, 3] - box[:, 2], box[:, 1] - box[:, 0]
    gap_width = width - box_width
    beyond = nth - (box[:, 0] * width + box[:, 2])
    rows_before = beyond // np.maximum(gap_width, 1) + 1
    rows_before = np.where((gap_width == 0) & (beyond >= 0), num_rows, rows_before)
    return nth + np.clip(rows_before, 0, num_rows) * box_width


def pixels_in_box(
    box: Int[np.ndarray, "rays 4"], row: Int[np.ndarray, " rays"], column: Int[np.ndarray, " rays"]
) -> Bool[np.ndarray, " rays"]:
    """Whether each pixel lies in its whole-pixel box."""
    y0, y1, x0, x1 = box.T
    return (row >= y0) & (row < y1) & (column >= x0) & (column < x1)
