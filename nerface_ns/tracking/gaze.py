"""Gaze from the irises: where a ball in the eye socket has to turn for its iris to be seen where it is."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from nerface_ns.tracking.bundle_adjustment import RigidFit

IRIS_DISTANCE = 1.05
"""From the eyeball's centre of rotation to the iris, cm (adult eyes)."""
CENTER_BEHIND_CORNERS = 0.75
"""From the middle of an eye's corners back to the eyeball's centre, cm."""
CENTER_ABOVE_CORNERS = 0.08
"""From there up: with it people who look into the camera are found to do so."""
LOOK_SHARE, LOOK_ANGLE = 0.25, np.deg2rad(25)
"""Share of the gaze that is taken from the look coefficients, and the angle at which they are 1.

They see the lids too: half-closed lids cover the iris and its middle seems to stay.
"""
MEDIAN_FRAMES = 7
"""Frames of the median in time, about a quarter of a second: what a gaze rests at least, so its leaps stay."""
CLOSED = 0.5
"""Blink coefficient beyond which eyes do not help to place the eyeballs."""
LEAST_WEIGHT = 1e-3
"""Weight of an eye that is shut: where nothing else is there it decides after all."""
CENTER_STEPS = 6
"""Corrections until both eyes are parallel."""


def eye_centers(corners: Float[np.ndarray, "2 2 3"]) -> Float[np.ndarray, "2 3"]:
    """Centres of rotation of the right and the left eye.

    Args:
        corners: Outer and inner corner of either eye in the head's frame, cm.
    """
    return corners.mean(axis=1) + np.array([0.0, CENTER_ABOVE_CORNERS, -CENTER_BEHIND_CORNERS])


def eye_gaze(
    iris_px: Float[np.ndarray, "n 2 2"],
    centers: Float[np.ndarray, "2 3"],
    rotation: Float[np.ndarray, "n 3 3"],
    translation: Float[np.ndarray, "n 3"],
    focal_px: float,
    center_px: Float[np.ndarray, "2"],
) -> Float[np.ndarray, "n 2 2"]:
    """Return pitch (up) and yaw (to the subject's left) of the right and the left eye in the head's frame, radians.

    Args:
        iris_px: Middle of the right and the left iris.
        centers: Eyeballs' centres in the head's frame, cm.
        rotation, translation: Poses from head to camera, cm.
        focal_px: Focal length.
        center_px: Principal point.
    """
    ray = np.concatenate([(iris_px - center_px) / focal_px, np.ones((*iris_px.shape[:2], 1))], axis=-1)
    ray = ray @ rotation
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    # Nearest point of the ray to the centre, then back towards the camera up to the ball.
    to_center = centers - _camera_places(rotation, translation)[:, None]
    nearest = ray * (to_center * ray).sum(axis=-1, keepdims=True) - to_center
    depth = np.sqrt(np.maximum(IRIS_DISTANCE**2 - (nearest**2).sum(axis=-1, keepdims=True), 0.0))
    direction = nearest - depth * ray
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return np.stack([np.arcsin(direction[..., 1]), np.arctan2(direction[..., 0], direction[..., 2])], axis=-1)


def clip_gaze(
    iris_px: Float[np.ndarray, "n 2 2"],
    centers: Float[np.ndarray, "2 3"],
    fit: RigidFit,
    center_px: Float[np.ndarray, "2"],
    coefficients: dict[str, np.ndarray],
) -> Float[np.ndarray, "n 2"]:
    """Gaze of a clip: mainly from the irises, helped by the look coefficients where they are there.

    Eyes count by how far they are open and turned to the camera, frames by their eyes, so that blinks are bridged.
    """
    shut = np.zeros(iris_px.shape[:2])
    for eye, name in enumerate(("eyeBlinkRight", "eyeBlinkLeft")):
        shut[:, eye] = coefficients.get(name, 0.0)
    pose = fit.rotation, fit.translation, fit.focal_px, center_px
    is_open = shut.mean(axis=1) < CLOSED
    if is_open.any():
        centers = parallel_centers(iris_px, centers, *pose, is_open)
    gaze = eye_gaze(iris_px, centers, *pose)
    looks = look_gaze(coefficients)
    if looks is not None:
        gaze = (1 - LOOK_SHARE) * gaze + LOOK_SHARE * looks
    weight = np.maximum((1 - shut.clip(0, 1)) ** 2 * _eye_in_view(fit), LEAST_WEIGHT)
    total = weight.sum(axis=1)
    return median_in_time((weight[..., None] * gaze).sum(axis=1) / total[:, None], total)


def parallel_centers(
    iris_px: Float[np.ndarray, "n 2 2"],
    centers: Float[np.ndarray, "2 3"],
    rotation: Float[np.ndarray, "n 3 3"],
    translation: Float[np.ndarray, "n 3"],
    focal_px: float,
    center_px: Float[np.ndarray, "2"],
    is_open: Bool[np.ndarray, " n"],
) -> Float[np.ndarray, "2 3"]:
    """Move the eyeballs' centres apart or together until the eyes look the same way in the median of open frames.

    A millimetre aside turns an eye by 5 degrees. Opposite errors of both eyes would cancel but for the rim of the ball.
    """
    for _ in range(CENTER_STEPS):
        yaw = eye_gaze(iris_px, centers, rotation, translation, focal_px, center_px)[is_open, :, 1]
        apart = IRIS_DISTANCE * float(np.median(yaw[:, 1] - yaw[:, 0])) / 2
        centers = centers + np.array([[-apart, 0.0, 0.0], [apart, 0.0, 0.0]])
    return centers


def look_gaze(coefficients: dict[str, np.ndarray]) -> Float[np.ndarray, "n 2 2"] | None:
    """Gaze of the right and the left eye as ARKit's look coefficients tell it; None without them."""
    try:
        right, left = (
            {way: coefficients[f"eyeLook{way}{side}"] for way in ("Up", "Down", "In", "Out")}
            for side in ("Right", "Left")
        )
    except KeyError:
        return None
    pitch = np.stack([eye["Up"] - eye["Down"] for eye in (right, left)], axis=-1)
    yaw = np.stack([right["In"] - right["Out"], left["Out"] - left["In"]], axis=-1)
    return LOOK_ANGLE * np.stack([pitch, yaw], axis=-1)


def median_in_time(
    values: Float[np.ndarray, "n d"], weight: Float[np.ndarray, " n"], frames: int = MEDIAN_FRAMES
) -> Float[np.ndarray, "n d"]:
    """Weighted median about every frame; where weights are small the window grows until enough is in it.

    Enough is an eighth of what a whole window of the largest weight holds.
    """
    result, enough = np.empty_like(values), frames * float(weight.max()) / 8
    sums = np.concatenate([[0.0], np.cumsum(weight)])
    for row in range(len(values)):
        reach = frames // 2
        low, high = max(0, row - reach), min(len(values), row + reach + 1)
        while sums[high] - sums[low] < enough and high - low < len(values):
            low, high = max(0, low - 1), min(len(values), high + 1)
        for column in range(values.shape[1]):
            order = np.argsort(values[low:high, column], kind="stable")
            passed = np.cumsum(weight[low:high][order])
            place = np.searchsorted(passed, passed[-1] / 2)
            result[row, column] = values[low:high, column][order[place]]
    return result


def _eye_in_view(fit: RigidFit) -> Float[np.ndarray, "n 2"]:
    """Weights of the right and the left eye: of a head aside the far eye is seen past the nose, half hidden."""
    place = _camera_places(fit.rotation, fit.translation)
    aside = place[:, 0] / np.linalg.norm(place, axis=1)
    return np.exp(np.stack([-aside, aside], axis=-1))


def _camera_places(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """(n, 3) cameras in the head's frame."""
    return -np.einsum("nji,nj->ni", rotation, translation)
