"""Lays out the frames of the demo's video and its contact sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

PANEL_PX = 384
"""Height of a panel of the video."""
STRIP_PX = 28
INK, DIM, PAPER, ACCENT = (240, 240, 240), (90, 96, 108), (22, 24, 28), (240, 170, 60)

Picture = UInt8[np.ndarray, "_ _ 3"]


def scaled_to_height(image: Picture, height_px: int) -> Picture:
    """Resize a picture, keeping its proportions, to a height and an even width."""
    import cv2

    width_px = round(image.shape[1] * height_px / image.shape[0] / 2) * 2
    method = cv2.INTER_AREA if height_px < image.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(image, (width_px, height_px), interpolation=method)


def titled(image: Picture, *titles: str) -> Picture:
    """Put a line of text above a picture; several titles stand above equal parts of its width."""
    import cv2

    strip = np.full((STRIP_PX, image.shape[1], 3), PAPER, dtype=np.uint8)
    for part, title in enumerate(titles):
        left = 8 + part * image.shape[1] // len(titles)
        cv2.putText(strip, title, (left, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
    return np.concatenate([strip, image])


def side_by_side(truth: Picture, render: Picture, detail: str = "") -> Picture:
    """Lay a frame and its render next to each other, labelled, at the video's height."""
    panels = [titled(scaled_to_height(truth, PANEL_PX), f"truth {detail}".strip())]
    panels.append(titled(scaled_to_height(render, PANEL_PX), "avatar (never saw this frame)"))
    return np.concatenate(panels, axis=1)


def expression_bars(names: Sequence[str], weights: Float[np.ndarray, " num_expressions"], width_px: int) -> Picture:
    """Draw how strong each expression is, as a panel of the video's height.

    Args:
        names: A label for each bar.
        weights: Shares in [0, 1].
        width_px: Width of the panel.
    """
    import cv2

    panel = np.full((PANEL_PX, width_px, 3), PAPER, dtype=np.uint8)
    row_px = PANEL_PX // max(len(names) + 1, 4)
    left, right = 16, width_px - 16
    for row, (name, weight) in enumerate(zip(names, weights)):
        y = row_px // 2 + (row + 1) * row_px - row_px // 3
        cv2.putText(panel, name, (left, y - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
        cv2.rectangle(panel, (left, y), (right, y + 8), DIM, -1)
        end = left + round(float(np.clip(weight, 0, 1)) * (right - left))
        if end > left:
            cv2.rectangle(panel, (left, y), (end, y + 8), ACCENT, -1)
    return panel


def driven_frame(render: Picture, names: Sequence[str], weights: Float[np.ndarray, " num_expressions"]) -> Picture:
    """Lay the expressions that were asked for next to the avatar that shows them."""
    avatar = titled(scaled_to_height(render, PANEL_PX), "avatar")
    bars = titled(expression_bars(names, weights, avatar.shape[1]), "expression asked for")
    return np.concatenate([bars, avatar], axis=1)


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
