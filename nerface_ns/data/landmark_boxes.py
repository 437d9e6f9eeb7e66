"""Landmarks in text files (`.lms`), and the boxes round face, mouth and eyes that they give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

MEDIAPIPE_LANDMARKS = 478
"""MediaPipe's face mesh with irises, as NeRFBlendShape stores it."""

DLIB_LANDMARKS = 68
"""The 68 points of the 300-W challenge, as AD-NeRF and its followers store them."""

REGION_POINTS = {
    # The extreme points that NeRFBlendShape's loader takes: mouth corners and lips; eye corners and lids.
    MEDIAPIPE_LANDMARKS: {"mouth": (57, 287, 0, 17), "eyes": (130, 359, 27, 257, 23, 253)},
    DLIB_LANDMARKS: {"mouth": tuple(range(48, 68)), "eyes": tuple(range(36, 48))},
}
"""Landmarks whose bounding box holds a region, by number of landmarks."""

REGION_MARGIN = {"mouth": 0.25, "eyes": 0.15}
"""Growth on each side as a share of the box's diagonal (NeRFBlendShape's test loader)."""

FACE_REACH = {"x": 1.2, "up": 1.44, "down": 0.96}
"""Reach of the face box from the landmarks' middle in half-diagonals of their bounding box (NeRFBlendShape's loader):
the landmarks end at the forehead, the face does not."""


def read_landmarks(path: Path, where: str) -> Float[np.ndarray, "points 2"]:
    """Read one frame's landmarks: a line with x and y in pixels for each.

    Args:
        path: The text file.
        where: Words that name the frame, for errors.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It holds something else than pairs of finite numbers.
    """
    try:
        points = np.array([line.split() for line in path.read_text().splitlines() if line.strip()], dtype=np.float64)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{where}: expected landmarks {path}, found none") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{where}: expected lines of x and y in {path}, got text that does not parse") from error
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError(f"{where}: expected finite pairs x y in {path}, got shape {points.shape}")
    return points


def read_all_landmarks(paths: list[Path], places: list[str]) -> Float[np.ndarray, "frames points 2"] | None:
    """Landmarks of all frames, or None when no frame has them.

    Raises:
        FileNotFoundError: Only some frames have theirs.
        ValueError: A file is damaged, or frames differ in their number of landmarks.
    """
    if not any(path.is_file() for path in paths):
        return None
    points = [read_landmarks(path, where) for path, where in zip(paths, places)]
    for where, found in zip(places, points):
        if len(found) != len(points[0]):
            raise ValueError(f"{where}: expected {len(points[0])} landmarks as in the first frame, got {len(found)}")
    return np.stack(points)


def face_boxes_of(
    landmarks_px: Float[np.ndarray, "frames points 2"], image_size: tuple[int, int]
) -> Float[np.ndarray, "frames 4"]:
    """y0, y1, x0, x1 round the face as fractions of the image, cut at its edges."""
    low, high = landmarks_px.min(axis=1), landmarks_px.max(axis=1)
    middle, radius = (low + high) / 2, np.linalg.norm(high - low, axis=1) / 2
    x, y = middle.T
    reach = FACE_REACH
    box = [y - reach["up"] * radius, y + reach["down"] * radius, x - reach["x"] * radius, x + reach["x"] * radius]
    return _as_fractions(np.stack(box, axis=1), image_size)


def region_boxes_of(
    landmarks_px: Float[np.ndarray, "frames points 2"], image_size: tuple[int, int]
) -> dict[str, np.ndarray]:
    """(frames, 4) boxes of mouth and eyes; none for landmarks whose order is not known."""
    boxes = {}
    for name, points in REGION_POINTS.get(landmarks_px.shape[1], {}).items():
        chosen = landmarks_px[:, list(points)]
        low, high = chosen.min(axis=1), chosen.max(axis=1)
        margin = REGION_MARGIN[name] * np.linalg.norm(high - low, axis=1)
        (x0, y0), (x1, y1) = (low - margin[:, None]).T, (high + margin[:, None]).T
        boxes[name] = _as_fractions(np.stack([y0, y1, x0, x1], axis=1), image_size)
    return boxes


def _as_fractions(boxes_px: Float[np.ndarray, "frames 4"], image_size: tuple[int, int]) -> np.ndarray:
    """Boxes as fractions of the image, cut at its edges."""
    height, width = image_size
    return np.clip(boxes_px / np.array([height, height, width, width]), 0, 1)
