"""One fixed square that holds the face in all frames."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

ABOVE, BELOW, BESIDE = 0.75, 0.55, 0.55
"""Room round the faces' boxes, in their height: hair above, neck and shoulders below, hair and ears beside."""
OUTLIER_PERCENT = 0.5
"""Percentage of frames on either side whose faces may lie further out."""


@dataclass(frozen=True)
class FaceCrop:
    """A square of the decoded frames and the size it is brought to."""

    x0_px: int
    """Left edge."""
    y0_px: int
    """Upper edge."""
    side_px: int
    """Width and height in the decoded frame."""
    size_px: int
    """Width and height as written."""

    @property
    def scale(self) -> float:
        """Written pixels for each decoded one."""
        return self.size_px / self.side_px

    def apply(self, image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "size size 3"]:
        """Cut the square out and bring it to size."""
        part = image[self.y0_px : self.y0_px + self.side_px, self.x0_px : self.x0_px + self.side_px]
        if self.size_px == self.side_px:
            return np.ascontiguousarray(part)
        return np.asarray(cv2.resize(part, (self.size_px, self.size_px), interpolation=cv2.INTER_AREA))

    def landmarks(self, landmarks_px: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Landmarks of the decoded frame in the written image."""
        return (landmarks_px.astype(np.float64) - [self.x0_px, self.y0_px, 0.0]) * self.scale

    def center_px(self, height: int, width: int) -> Float[np.ndarray, "2"]:
        """The decoded frame's middle in the written image, where the principal point is taken to be.

        Held inside the image: frame files know no principal point outside it, and a head aside is seen nearly alike.
        """
        middle = (np.array([width, height]) / 2 - [self.x0_px, self.y0_px]) * self.scale
        return middle.clip(0.5, self.size_px - 0.5)


def fit_crop(boxes_px: Float[np.ndarray, "n 4"], height: int, width: int, size_px: int) -> FaceCrop:
    """Fit the square round all faces; inside the frame, so it shrinks to the frame's shorter side at most.

    Args:
        boxes_px: x0, y0, x1, y1 of the faces.
        height, width: Decoded frame.
        size_px: Size wanted; smaller squares are not enlarged.

    Raises:
        ValueError: The frame is too small.
    """
    low = np.percentile(boxes_px[:, :2], OUTLIER_PERCENT, axis=0)
    high = np.percentile(boxes_px[:, 2:], 100 - OUTLIER_PERCENT, axis=0)
    face = float(np.median(boxes_px[:, 3] - boxes_px[:, 1]))
    x0, x1 = low[0] - BESIDE * face, high[0] + BESIDE * face
    y0, y1 = low[1] - ABOVE * face, high[1] + BELOW * face
    side = min(int(np.ceil(max(x1 - x0, y1 - y0))), height, width)
    # Even sizes suit video encoders.
    size = min(size_px, side) // 2 * 2
    if size < 16:
        raise ValueError(f"expected a frame of at least 16 pixels each way, got {width} x {height}")
    if size == side - 1:
        side = size
    left = int(np.clip(round((x0 + x1 - side) / 2), 0, width - side))
    top = int(np.clip(round((y0 + y1 - side) / 2), 0, height - side))
    return FaceCrop(left, top, side, size)
