"""How far a head moved between two pictures of it that should differ in the gaze alone.

No landmarks and no trained network: the rendered depth says where every pixel of the first picture lies in space, and
the rigid motion of the head (three angles, three shifts) is looked for that carries these points to where the second
picture shows the same brightness. What lies in the eyes box and what is not head does not count. Gauss-Newton steps
with Huber weights; each is a linear system of six equations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from nerface_ns.tracking.head_motion import rotation_from_vector

STEPS, FINISHED = 8, 1e-6
"""Gauss-Newton steps at most, and the turn (radians, or shift over the head's size) after which they end."""
BLUR_PX = 1.0
"""Standard deviation of the blur before derivatives are taken."""
HUBER = 0.02
"""Difference in brightness from which on a pixel counts less."""
EDGE_PX = 3
"""Pixels nearer to the head's outline or the eyes box than this are left out: background and eyes shine in."""
SOLID = 0.95
"""Accumulation of a pixel that shows the head alone."""
LEAST_PIXELS = 50
"""Pixels that a motion is found from at least."""


@dataclass(frozen=True)
class HeadMotion:
    """A rigid motion of the head."""

    turn_deg: float
    """Angle of its rotation."""
    shift_px: float
    """Mean distance that the head's pixels moved in the picture."""


def head_pixels(
    accumulation: Float[np.ndarray, "height width"], eyes_box: Float[np.ndarray, "4"]
) -> Bool[np.ndarray, "height width"]:
    """Return the pixels that show the head and not the eyes.

    Args:
        accumulation: Opacity of the head.
        eyes_box: y0, y1, x0, x1 as fractions of the image.
    """
    from scipy.ndimage import binary_erosion

    height, width = accumulation.shape
    y0, y1, x0, x1 = np.asarray(eyes_box) * np.array([height, height, width, width])
    solid = accumulation > SOLID
    solid[max(0, int(np.floor(y0))) : int(np.ceil(y1)), max(0, int(np.floor(x0))) : int(np.ceil(x1))] = False
    return binary_erosion(solid, iterations=EDGE_PX)


def head_motion(
    first: Float[np.ndarray, "height width 3"],
    second: Float[np.ndarray, "height width 3"],
    distance: Float[np.ndarray, "height width"],
    pixels: Bool[np.ndarray, "height width"],
    camera_to_world: Float[np.ndarray, "3 4"],
    intrinsics_px: Float[np.ndarray, "4"],
) -> HeadMotion:
    """Find the motion of the head from the first picture to the second.

    Args:
        first, second: Colours in [0, 1], seen by the same camera.
        distance: Of what the first picture shows from the camera's centre.
        pixels: Those that show what moves rigidly.
        camera_to_world: OpenGL camera.
        intrinsics_px: fx, fy, cx, cy; pixel (i, j) is seen along (i + 0.5, j + 0.5).

    Raises:
        ValueError: There are too few pixels.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    if pixels.sum() < LEAST_PIXELS:
        raise ValueError(f"head motion: expected at least {LEAST_PIXELS} pixels of the head, got {pixels.sum()}")
    before, after = (gaussian_filter(image.mean(axis=-1, dtype=np.float64), BLUR_PX) for image in (first, second))
    down, right = np.gradient(after)
    rows, columns = np.nonzero(pixels)
    points = _points(rows, columns, distance[pixels], camera_to_world, intrinsics_px)
    pivot = points.mean(axis=0)
    reach = np.linalg.norm(points - pivot, axis=1).mean()
    rotation, shift = np.eye(3), np.zeros(3)
    wanted = before[pixels]
    for _ in range(STEPS):
        arms = (points - pivot) @ rotation.T
        places, slopes = _projected(pivot + arms + shift, camera_to_world, intrinsics_px)
        at = places[:, ::-1].T - 0.5
        missing = wanted - map_coordinates(after, at, order=1, mode="nearest")
        gradient = np.stack([map_coordinates(part, at, order=1, mode="nearest") for part in (right, down)], axis=1)
        per_point = np.einsum("np,npa->na", gradient, slopes)
        # A turn w moves an arm by w x arm, so that g . (w x arm) = w . (arm x g).
        system = np.concatenate([np.cross(arms, per_point), reach * per_point], axis=1)
        weight = HUBER / np.maximum(np.abs(missing), HUBER)
        matrix = (weight[:, None] * system).T @ system
        damping = 1e-6 * np.trace(matrix) * np.eye(6) + 1e-12 * np.eye(6)
        step = np.linalg.solve(matrix + damping, system.T @ (weight * missing))
        rotation, shift = rotation_from_vector(step[None, :3])[0] @ rotation, shift + reach * step[3:]
        if np.abs(step).max() < FINISHED:
            break
    moved, _ = _projected(pivot + (points - pivot) @ rotation.T + shift, camera_to_world, intrinsics_px)
    apart = np.linalg.norm(moved - np.stack([columns, rows], axis=1) - 0.5, axis=1)
    return HeadMotion(_angle_deg(rotation), float(apart.mean()))


def _points(rows: Any, columns: Any, distance: Any, camera_to_world: Any, intrinsics_px: Any) -> np.ndarray:
    """(n, 3) places of pixels in the world."""
    fx, fy, cx, cy = intrinsics_px
    ray = np.stack([(columns + 0.5 - cx) / fx, -(rows + 0.5 - cy) / fy, -np.ones(len(rows))], axis=1)
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    return camera_to_world[:, 3] + distance[:, None] * (ray @ camera_to_world[:, :3].T)


def _projected(points: np.ndarray, camera_to_world: Any, intrinsics_px: Any) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows (n, 2) of points, and their derivatives (n, 2, 3) by the points' places in the world."""
    fx, fy, cx, cy = intrinsics_px
    view = (points - camera_to_world[:, 3]) @ camera_to_world[:, :3]
    x, y, depth = view[:, 0], -view[:, 1], -view[:, 2]
    places = np.stack([fx * x / depth + cx, fy * y / depth + cy], axis=1)
    zero = np.zeros_like(x)
    by_view = np.stack(
        [
            np.stack([fx / depth, zero, fx * x / depth**2], axis=1),
            np.stack([zero, -fy / depth, fy * y / depth**2], axis=1),
        ],
        axis=1,
    )
    return places, by_view @ camera_to_world[:, :3].T


def _angle_deg(rotation: np.ndarray) -> float:
    """Angle of a rotation."""
    cosine, sine = (np.trace(rotation) - 1) / 2, np.linalg.norm(rotation - rotation.T) / 8**0.5
    return float(np.rad2deg(np.arctan2(sine, cosine)))
