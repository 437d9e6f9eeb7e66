"""Boxes of face, mouth and eyes from landmarks, as frame files store them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from nerface_ns.tracking.canonical_face import EYE_LANDMARKS, MOUTH_LANDMARKS, NUM_MESH_LANDMARKS

FACE_MARGINS = (0.3, 0.05, 0.12, 0.12)
"""Room above, below, left and right of the face's landmarks, in shares of their height: the forehead is half seen."""
REGION_MARGIN = 0.2
"""Room round mouth and eyes, in shares of their longer side."""


def face_box(landmarks_px: Float[np.ndarray, "n 478 d"], size_px: int) -> Float[np.ndarray, "n 4"]:
    """Boxes y0, y1, x0, x1 of the faces, as fractions of the image."""
    return _boxes(landmarks_px[:, :NUM_MESH_LANDMARKS], np.array(FACE_MARGINS), size_px, by_height=True)


def region_boxes(landmarks_px: Float[np.ndarray, "n 478 d"], size_px: int) -> dict[str, Float[np.ndarray, "n 4"]]:
    """Boxes of mouth and eyes."""
    margins = np.full(4, REGION_MARGIN)
    return {
        "mouth": _boxes(landmarks_px[:, list(MOUTH_LANDMARKS)], margins, size_px),
        "eyes": _boxes(landmarks_px[:, list(EYE_LANDMARKS)], margins, size_px),
    }


def _boxes(points_px: np.ndarray, margins: np.ndarray, size_px: int, by_height: bool = False) -> np.ndarray:
    """Boxes with margins above, below, left and right, inside the image and never empty."""
    low, high = points_px[..., :2].min(axis=1), points_px[..., :2].max(axis=1)
    extent = high - low
    unit = extent[:, 1:] if by_height else extent.max(axis=1, keepdims=True)
    edges = np.stack([low[:, 1], high[:, 1], low[:, 0], high[:, 0]], axis=-1)
    edges = (edges + unit * margins * np.array([-1, 1, -1, 1])) / size_px
    pixel = 1 / size_px
    starts = edges[:, 0::2].clip(0, 1 - pixel)
    ends = np.maximum(edges[:, 1::2].clip(0, 1), starts + pixel)
    return np.stack([starts[:, 0], ends[:, 0], starts[:, 1], ends[:, 1]], axis=-1)
