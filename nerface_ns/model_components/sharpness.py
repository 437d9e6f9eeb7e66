"""CPBD: how likely blur is to go unnoticed in an image (Narvekar and Karam, IEEE TIP 2011)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

JUST_NOTICEABLE_WIDTH = (5.0, 3.0)
"""Width in pixels of an edge that is just seen to be blurred, in blocks of contrasts up to 50 and above (of 255)."""
LOW_CONTRAST = 50
"""Greatest difference of grey levels within a block of low contrast."""
BETA = 3.6
"""Exponent of the probability of seeing blur."""
NOT_SEEN = 0.635
"""Probability up to which blur counts as not seen: an edge of just noticeable width has 1 - 1/e, which is rounded to
63 %."""
BLOCK_PX = 64
"""Side of a block; images smaller than that are one block."""
EDGE_SHARE = 0.002
"""Share of edge pixels from which on a block counts."""
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (BT.601)."""
EDGE_STRENGTH = 2.0
"""Root mean square of the image's horizontal gradients, times this, is the least gradient of an edge (the rule of
MATLAB's Sobel detector: a threshold of 4 times the mean square)."""


def cpbd(image: Float[np.ndarray, "height width 3"]) -> float | None:
    """Return the share of an image's vertical edges whose blur is not seen, in [0, 1]; higher is sharper.

    Args:
        image: Colours in [0, 1].

    Returns:
        None for an image without edges, or too small to have any.
    """
    grey = np.round(image @ np.array(LUMA) * 255)
    if min(grey.shape) < 3:
        return None
    is_edge = vertical_edges(grey)
    widths = edge_widths(grey, is_edge)
    seen = []
    for rows, columns in _blocks(*grey.shape):
        edges = is_edge[rows, columns]
        if edges.sum() <= EDGE_SHARE * edges.size:
            continue
        block = grey[rows, columns]
        just_seen = JUST_NOTICEABLE_WIDTH[int(block.max() - block.min() > LOW_CONTRAST)]
        seen.append(1 - np.exp(-((widths[rows, columns][edges] / just_seen) ** BETA)))
    return float((np.concatenate(seen) < NOT_SEEN).mean()) if seen else None


def vertical_edges(grey: Float[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Where the horizontal gradient is strong and no smaller than that of the pixels left and right."""
    padded = np.pad(grey, 1, mode="edge")
    smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 8
    strength = np.abs(smooth[:, 2:] - smooth[:, :-2])
    threshold = EDGE_STRENGTH * np.sqrt((strength**2).mean())
    left, right = (np.pad(strength, ((0, 0), (1, 1)))[:, shift : shift + strength.shape[1]] for shift in (0, 2))
    return (strength > max(threshold, 1e-6)) & (strength > left) & (strength >= right)


def edge_widths(
    grey: Float[np.ndarray, "height width"], is_edge: Bool[np.ndarray, "height width"]
) -> Float[np.ndarray, "height width"]:
    """Distance in pixels between the local extremes on both sides of each edge pixel, along its row (Marziliano)."""
    step = np.sign(np.diff(grey, axis=1))
    widths = np.zeros(grey.shape)
    for row, column in np.argwhere(is_edge):
        steps = step[row]
        before = steps[column - 1] if column > 0 else 0
        after = steps[column] if column < len(steps) else 0
        direction = before or after
        start, end = column, column
        while start > 0 and steps[start - 1] == direction:
            start -= 1
        while end < len(steps) and steps[end] == direction:
            end += 1
        widths[row, column] = end - start
    return widths


def _blocks(height: int, width: int) -> list[tuple[slice, slice]]:
    """Whole blocks from the upper left corner; an image shorter than a block is one along that side."""
    side_y, side_x = min(BLOCK_PX, height), min(BLOCK_PX, width)
    return [
        (slice(y, y + side_y), slice(x, x + side_x))
        for y in range(0, height - side_y + 1, side_y)
        for x in range(0, width - side_x + 1, side_x)
    ]
