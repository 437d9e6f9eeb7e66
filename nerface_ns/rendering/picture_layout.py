"""Lays pictures out: sizes, titles, side by side, contact sheets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

STRIP_PX = 28
"""Height of a line of text."""
TEXT_SCALE, MARGIN_PX = 0.5, 8
INK, DIM, PAPER, ACCENT = (240, 240, 240), (90, 96, 108), (22, 24, 28), (240, 170, 60)

Picture = UInt8[np.ndarray, "_ _ 3"]
"""Colours."""
AnyPicture = UInt8[np.ndarray, "_ _ channels"]
"""Colours, with or without alpha."""


def scaled_to_height(image: Picture, height_px: int) -> Picture:
    """Resize a picture, keeping its proportions, to a height and an even width."""
    import cv2

    if image.shape[0] == height_px and image.shape[1] % 2 == 0:
        return image
    width_px = max(2, round(image.shape[1] * height_px / image.shape[0] / 2) * 2)
    method = cv2.INTER_AREA if height_px < image.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(image, (width_px, height_px), interpolation=method)


def titled(image: Picture, *titles: str) -> Picture:
    """Put a line of text above a picture, small enough to fit; several titles stand above equal parts of its width."""
    import cv2

    strip = np.full((STRIP_PX, image.shape[1], 3), PAPER, dtype=np.uint8)
    part_px = image.shape[1] // len(titles) if titles else 0
    for part, title in enumerate(titles):
        width_px = cv2.getTextSize(title, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, 1)[0][0]
        scale = TEXT_SCALE * min(1.0, (part_px - 2 * MARGIN_PX) / max(width_px, 1))
        place = (MARGIN_PX + part * part_px, 19)
        cv2.putText(strip, title, place, cv2.FONT_HERSHEY_SIMPLEX, scale, INK, 1, cv2.LINE_AA)
    return np.concatenate([strip, image])


def beside(left: Picture, right: Picture, titles: tuple[str, str] | None = None) -> Picture:
    """Lay two pictures side by side, the left one scaled to the right one's height.

    Args:
        left, right: Pictures of any size.
        titles: What stands above each; nothing without it.
    """
    pair = [scaled_to_height(left, right.shape[0]), right]
    if titles is not None:
        pair = [titled(image, title) for image, title in zip(pair, titles)]
    return np.concatenate(pair, axis=1)


def contact_sheet(
    rows: Sequence[Sequence[Picture]], titles: Sequence[Sequence[str]], cell_px: int = 192, gap_px: int = 4
) -> Picture:
    """Lay out rows of pictures of one shape, with a title above each row or one above each picture.

    Args:
        rows: Pictures; shorter rows are filled with blanks.
        titles: For each row one title, or one for every column.
        cell_px: Height of a picture on the sheet.
        gap_px: Space between pictures.
    """
    scaled = [[scaled_to_height(image, cell_px) for image in row] for row in rows]
    num_columns = max(len(row) for row in scaled)
    blank = np.full_like(scaled[0][0], PAPER)
    gap = np.full((cell_px, gap_px, 3), PAPER, dtype=np.uint8)
    lines = []
    for row, row_titles in zip(scaled, titles):
        cells = [*row, *[blank] * (num_columns - len(row))]
        spaced = [part for cell in cells for part in (cell, gap)][:-1]
        lines.append(titled(np.concatenate(spaced, axis=1), *row_titles))
    return np.concatenate(lines)
