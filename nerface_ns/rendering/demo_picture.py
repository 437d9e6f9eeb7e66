"""Lays out the frames of the demo's video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from nerface_ns.rendering.picture_layout import ACCENT, DIM, INK, PAPER, Picture, scaled_to_height, titled

PANEL_PX = 384
"""Height of a panel of the video."""


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
