"""What stands behind the person, from frames in which it is uncovered."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int, Int16, UInt8

MIN_SEEN = 3
"""Frames that must show a pixel of the background before it counts as known."""
NOISE_FLOOR = 4.0
"""Least standard deviation assumed of a channel, of 255."""
INPAINT_RADIUS_PX = 5


@dataclass(frozen=True)
class BackgroundStatistics:
    """The static background, pixel by pixel."""

    color: Float32[np.ndarray, "height width 3"]
    """Median colour of the uncovered frames, 0 to 255; meaningless where not seen."""
    noise: Float32[np.ndarray, "height width 3"]
    """Standard deviation."""
    is_seen: Bool[np.ndarray, "height width"]
    """Where enough frames show the background."""

    def distance(self, image: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width"]:
        """Difference of an image from the background in standard deviations; 0 where the background is unknown."""
        square = ((image.astype(np.float32) - self.color) / self.noise) ** 2
        return np.where(self.is_seen, np.sqrt(square.mean(axis=-1)), np.float32(0)).astype(np.float32)


def background_statistics(
    images: UInt8[np.ndarray, "n height width 3"],
    is_covered: Bool[np.ndarray, "n height width"],
    min_seen: int = MIN_SEEN,
) -> BackgroundStatistics:
    """Medians and spreads over the frames that leave a pixel uncovered.

    Args:
        images: Frames.
        is_covered: Where the person may be in each.
        min_seen: Uncovered frames needed.
    """
    count = (~is_covered).sum(axis=0)
    is_seen = count >= min(min_seen, len(images))
    color = np.empty(images.shape[1:], dtype=np.float32)
    noise = np.empty(images.shape[1:], dtype=np.float32)
    # Row by row: whole stacks of numbers would not fit into memory.
    for row in range(images.shape[1]):
        values = images[:, row].astype(np.int16)
        covered = is_covered[:, row, :, None]
        color[row] = _median(values, covered, count[row])
        spread = np.abs(values - color[row].astype(np.int16))
        noise[row] = 1.4826 * _median(spread, covered, count[row])
    return BackgroundStatistics(color, np.maximum(noise, NOISE_FLOOR).astype(np.float32), is_seen)


def _median(
    values: Int16[np.ndarray, "n width 3"], is_covered: Bool[np.ndarray, "n width 1"], count: Int[np.ndarray, " width"]
) -> Float32[np.ndarray, "width 3"]:
    """Medians of what is not covered; 0 where all is."""
    # Covered values go behind all others.
    order = np.sort(np.where(is_covered, np.int16(1000), values), axis=0)
    low, high = (np.maximum(place, 0)[None, :, None] for place in ((count - 1) // 2, count // 2))
    high = np.minimum(high, len(values) - 1)
    low, high = (np.take_along_axis(order, np.repeat(place, 3, axis=2), axis=0)[0] for place in (low, high))
    middle = (low.astype(np.float32) + high.astype(np.float32)) / 2
    return np.where(count[:, None] > 0, middle, 0).astype(np.float32)


def complete_background(statistics: BackgroundStatistics) -> UInt8[np.ndarray, "height width 3"]:
    """The background photograph; what was never seen is continued from around it."""
    image = statistics.color.round().clip(0, 255).astype(np.uint8)
    hidden = (~statistics.is_seen).astype(np.uint8)
    if not hidden.any():
        return image
    if hidden.all():
        return np.full_like(image, 128)
    # Large holes are filled at a small size: inpainting costs by area, and nobody knows what is there anyway.
    height, width = hidden.shape
    small = (max(8, width // 4), max(8, height // 4))
    weight = 1.0 - cv2.resize(hidden.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    known = image * (1 - hidden)[..., None].astype(np.float32)
    coarse = cv2.resize(known, small, interpolation=cv2.INTER_AREA) / np.maximum(weight, 1e-3)[..., None]
    coarse = coarse.round().clip(0, 255).astype(np.uint8)
    filled = cv2.inpaint(coarse, (weight < 0.5).astype(np.uint8), INPAINT_RADIUS_PX, cv2.INPAINT_TELEA)
    filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.where(hidden[..., None] > 0, filled, image).astype(np.uint8)
