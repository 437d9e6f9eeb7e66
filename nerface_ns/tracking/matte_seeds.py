"""Where a person certainly is and certainly is not, told from face landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from nerface_ns.tracking.canonical_face import FACE_OVAL

NECK_HALF_WIDTH, NECK_LENGTH = 0.22, 0.35
"""The neck that is surely seen below the chin, in face heights."""
HEAD_GROWTH = (1.3, 1.45)
"""Width and height of the head, hair included, to those of the face."""
SHOULDERS = ((0.35, -0.08), (0.8, -0.02), (1.6, 0.12))
"""Outline from the neck along a shoulder: aside from the chin and down from it, in face heights."""
CHEST_DROP, CHEST_HALF_WIDTH = 0.3, 0.45
"""From so far below the chin the image's lowest rows surely show the chest, so far to both sides of the head's axis."""
CHEST_ROWS = 0.04
"""Share of the rows that counts as lowest."""
HEAD_SIDES = (234, 454)
"""Landmarks before the ears: the head's axis runs between them."""
FREE_BESIDE, FREE_ABOVE = 1.0, 0.75
"""Beside and above the head, this many face heights from its middle and top, nobody is before a first look."""


@dataclass(frozen=True)
class MatteSeeds:
    """Masks of an image."""

    sure: Bool[np.ndarray, "height width"]
    """Face, neck and, where it is seen, the middle of the chest."""
    likely: Bool[np.ndarray, "height width"]
    """Head with hair, neck, shoulders and what is below."""
    free: Bool[np.ndarray, "height width"]
    """Far from all that."""


def matte_seeds(face: Float[np.ndarray, "478 d"], height: int, width: int) -> MatteSeeds:
    """Draw the masks.

    Args:
        face: Landmarks in pixels of the image.
        height, width: Image size.
    """
    outline = face[list(FACE_OVAL), :2]
    top, chin = face[10, :2], face[152, :2]
    up = top - chin
    tall = max(float(np.linalg.norm(up)), 1.0)
    up = up / tall
    aside = np.array([-up[1], up[0]])
    middle = outline.mean(axis=0)

    def polygon(*points: np.ndarray) -> Bool[np.ndarray, "height width"]:
        """Return the pixels within a polygon."""
        mask = np.zeros((height, width), dtype=np.uint8)
        # Far points would overflow the rasteriser.
        corners = np.clip(np.array(points).reshape(-1, 2), -4 * width, 5 * width)
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], (1,))
        return mask.astype(bool)

    sure = polygon(*(middle + 0.92 * (outline - middle)))
    neck = NECK_HALF_WIDTH * tall * aside
    end = chin - NECK_LENGTH * tall * up
    sure |= polygon(chin + 0.2 * tall * up - neck, chin + 0.2 * tall * up + neck, end + neck, end - neck)
    if chin[1] + CHEST_DROP * tall < height:
        axis = face[list(HEAD_SIDES), 0].mean()
        columns = np.array([axis - CHEST_HALF_WIDTH * tall, axis + CHEST_HALF_WIDTH * tall]).clip(0, width).round()
        sure[round((1 - CHEST_ROWS) * height) :, int(columns[0]) : int(columns[1])] = True
    offset = outline - middle
    along, across = offset @ up, offset @ aside
    grown = middle + 0.1 * tall * up + np.outer(along * HEAD_GROWTH[1], up) + np.outer(across * HEAD_GROWTH[0], aside)
    likely = sure | polygon(*grown)
    # Shoulders hang upright, however the head is held.
    right = [chin + tall * np.array(point) for point in SHOULDERS]
    left = [chin + tall * np.array([-x, y]) for x, y in SHOULDERS]
    bottom = max(float(height), right[-1][1]) + 1
    corners = [np.array([right[-1][0], bottom]), np.array([left[-1][0], bottom])]
    likely |= polygon(*right, *corners, *left[::-1])
    rows, columns = np.mgrid[:height, :width]
    free = (rows < chin[1]) & (np.abs(columns - middle[0]) > FREE_BESIDE * tall)
    free |= rows < min(top[1], middle[1] - 0.5 * tall) - FREE_ABOVE * tall
    return MatteSeeds(sure, likely, free & ~likely)
