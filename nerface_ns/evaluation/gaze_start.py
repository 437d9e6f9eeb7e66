"""About where a head's eyeballs are, from boxes round the eyes and the known gaze.

The rays through the boxes' middles meet in the face. About that point places are tried until a dark disc between
whites, laid on an eyeball there, follows the known gaze best.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from nerface_ns.evaluation.gaze_geometry import Eyeballs, EyePicture, gaze_turns

SEARCH_FRAMES = 24
"""Pictures that are looked at, evenly spread."""
ASIDE, ABOVE = np.arange(0.17, 0.34, 0.02), np.arange(-0.2, 0.21, 0.03)
"""Where eyeballs may be from the boxes' middle, sideways and upward, in widths of the boxes."""
RADII = (0.09, 0.11, 0.13)
"""Distances from an eyeball's centre to its iris that are tried, in widths of the boxes."""
GUESSES, APART = 3, 0.045
"""Places that are returned, and how far apart they are at least, in widths of the boxes."""
DISC_DEG, REACH_DEG, LID_DEG, STEP_DEG = 27.0, 45.0, 15.0, 5.0
"""Angles about the gaze: the iris' edge, how far to look aside and upward, and the step between two places."""
LEAST_FACING = 0.15
"""Cosine between an eyeball's surface and the ray to the camera below which a place is not seen."""


def meeting_point(pictures: Sequence[EyePicture]) -> tuple[Float[np.ndarray, "3"], float]:
    """Return the point nearest to the rays through the eyes boxes' middles, and the boxes' median width there."""
    matrix, right_side, widths = np.zeros((3, 3)), np.zeros(3), []
    for picture in pictures:
        box, (fx, fy, cx, cy) = np.asarray(picture.eyes_box_px), picture.intrinsics_px
        slope = np.array([((box[2] + box[3]) / 2 - cx) / fx, (cy - (box[0] + box[1]) / 2) / fy, -1.0])
        ray = picture.camera_to_world[:3, :3] @ (slope / np.linalg.norm(slope))
        across = np.eye(3) - np.outer(ray, ray)
        matrix += across
        right_side += across @ picture.camera_to_world[:3, 3]
        widths.append(((box[3] - box[2]) / fx, picture.camera_to_world[:3, 3]))
    # Cameras that all look the same way leave the depth open; then it is where the head's origin is.
    point = np.linalg.solve(matrix + 1e-3 * len(pictures) * np.eye(3), right_side)
    return point, float(np.median([share * np.linalg.norm(position - point) for share, position in widths]))


def find_eyeballs(pictures: Sequence[EyePicture], gaze: Float[np.ndarray, "n 2"]) -> list[Eyeballs]:
    """Find about where the eyeballs are; returns guesses, the likeliest first.

    Args:
        pictures: With their eyes boxes.
        gaze: True gaze of each.
    """
    middle, width = meeting_point(pictures)
    rows = np.unique(np.linspace(0, len(pictures) - 1, min(SEARCH_FRAMES, len(pictures))).round().astype(int))
    chosen = [pictures[row] for row in rows]
    aside, above = (each.ravel() for each in np.meshgrid(ASIDE, ABOVE))
    tried = [_pair(middle, width, *place, radius) for radius in RADII for place in zip(aside, above)]
    centers, radius = np.stack([eyes.centers for eyes in tried]), np.array([eyes.radius for eyes in tried])
    score = np.sum(
        [disc_likeness(picture, centers, radius[:, None], gaze[row]) for row, picture in zip(rows, chosen)], axis=0
    )
    # Both eyes at once: one alone might be mistaken for a brow.
    guesses: list[Eyeballs] = []
    for row in np.argsort(-score.sum(axis=1)):
        far = [np.abs(tried[row].centers - each.centers).max() > APART * width for each in guesses]
        if all(far) and len(guesses) < GUESSES:
            guesses.append(tried[row])
    return guesses


def _pair(middle: Float[np.ndarray, "3"], width: float, aside: float, above: float, radius: float) -> Eyeballs:
    """Eyeballs on both sides of a point, as far behind it as their irises are before them; in widths."""
    places = np.array([[-aside, above, -radius], [aside, above, -radius]])
    return Eyeballs(middle + width * places, width * radius)


def disc_likeness(
    picture: EyePicture,
    centers: Float[np.ndarray, "*#batch 3"],
    radius: Float[np.ndarray, "*#batch"],
    gaze: Float[np.ndarray, "2"],
) -> Float[np.ndarray, "..."]:
    """Return how much eyeballs in some places look like dark discs between whites: a correlation, at most 1.

    Args:
        picture: The picture.
        centers: Places that are tried.
        radius: From there to the iris; broadcast.
        gaze: Where the eyes look.
    """
    from scipy.ndimage import map_coordinates

    local, is_white = _disc()
    outward = local @ gaze_turns(gaze).T
    points = centers[..., None, :] + radius[..., None, None] * outward
    to_camera = picture.camera_to_world[:3, 3] - points
    facing = (outward * to_camera).sum(axis=-1) / np.linalg.norm(to_camera, axis=-1)
    rows_columns = np.moveaxis(picture.project(points)[..., ::-1] - 0.5, -1, 0)
    seen = map_coordinates(picture.colors[..., 0], rows_columns, order=1, mode="nearest")
    weight = np.maximum(facing - LEAST_FACING, 0.0) + 1e-9
    return (_normalized(seen, weight) * _normalized(np.broadcast_to(is_white, seen.shape), weight)).sum(axis=-1)


def _disc() -> tuple[Float[np.ndarray, "places 3"], Float[np.ndarray, " places"]]:
    """Unit vectors about +z, near enough to the middle of the lids to be seen, and which of them lie in the white."""
    up, aside = np.meshgrid(
        np.arange(-LID_DEG, LID_DEG + 1, STEP_DEG), np.arange(-REACH_DEG, REACH_DEG + 1, STEP_DEG), indexing="ij"
    )
    up, aside = up.ravel(), aside.ravel()
    is_white = (np.hypot(up, aside) > DISC_DEG).astype(np.float64)
    up, aside = np.deg2rad(up), np.deg2rad(aside)
    return np.stack([np.sin(aside) * np.cos(up), np.sin(up), np.cos(aside) * np.cos(up)], axis=-1), is_white


def _normalized(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Values less their weighted mean, times the weights' roots, of length 1."""
    mean = (weight * values).sum(axis=-1, keepdims=True) / weight.sum(axis=-1, keepdims=True)
    scaled = (values - mean) * np.sqrt(weight)
    return scaled / np.maximum(np.linalg.norm(scaled, axis=-1, keepdims=True), 1e-9)
