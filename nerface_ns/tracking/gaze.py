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
CLOSED_BLINK = 0.5
"""Blink coefficients above this hide the iris."""
LOOK_SHARE, LOOK_ANGLE = 0.25, np.deg2rad(25)
"""Share of the gaze that is taken from the look coefficients, and the angle at which they are 1.

They see the lids too: half-closed lids cover the iris and its middle seems to stay.
"""
MEDIAN_FRAMES = 5
"""Frames of the median that takes single outliers out of the gaze and leaves its leaps."""


def eye_centers(corners: Float[np.ndarray, "2 2 3"]) -> Float[np.ndarray, "2 3"]:
    """Centres of rotation of the right and the left eye.

    Args:
        corners: Outer and inner corner of either eye in the head's frame, cm.
    """
    return corners.mean(axis=1) + np.array([0.0, CENTER_ABOVE_CORNERS, -CENTER_BEHIND_CORNERS])


def gaze_from_irises(
    iris_px: Float[np.ndarray, "n 2 2"],
    centers: Float[np.ndarray, "2 3"],
    rotation: Float[np.ndarray, "n 3 3"],
    translation: Float[np.ndarray, "n 3"],
    focal_px: float,
    center_px: Float[np.ndarray, "2"],
) -> Float[np.ndarray, "n 2"]:
    """Return pitch (up) and yaw (to the subject's left) in the head's frame, radians, the mean of both eyes.

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
    origin = -np.einsum("nji,nj->ni", rotation, translation)
    # Nearest point of the ray to the centre, then back towards the camera up to the ball.
    to_center = centers - origin[:, None]
    nearest = ray * (to_center * ray).sum(axis=-1, keepdims=True) - to_center
    depth = np.sqrt(np.maximum(IRIS_DISTANCE**2 - (nearest**2).sum(axis=-1, keepdims=True), 0.0))
    direction = (nearest - depth * ray).mean(axis=1)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return np.stack([np.arcsin(direction[:, 1]), np.arctan2(direction[:, 0], direction[:, 2])], axis=-1)


def clip_gaze(
    iris_px: Float[np.ndarray, "n 2 2"],
    centers: Float[np.ndarray, "2 3"],
    fit: RigidFit,
    center_px: Float[np.ndarray, "2"],
    coefficients: dict[str, np.ndarray],
) -> Float[np.ndarray, "n 2"]:
    """Gaze of a clip, blinks filled: mainly from the irises, helped by the look coefficients where they are there."""
    gaze = gaze_from_irises(iris_px, centers, fit.rotation, fit.translation, fit.focal_px, center_px)
    looks = look_gaze(coefficients)
    if looks is not None:
        gaze = (1 - LOOK_SHARE) * gaze + LOOK_SHARE * looks
    blinks = [coefficients[name] for name in ("eyeBlinkLeft", "eyeBlinkRight") if name in coefficients]
    if blinks:
        gaze = fill_blinks(gaze, np.mean(blinks, axis=0) > CLOSED_BLINK)
    around = np.pad(gaze, ((MEDIAN_FRAMES // 2, MEDIAN_FRAMES // 2), (0, 0)), mode="edge")
    return np.median([around[shift : shift + len(gaze)] for shift in range(MEDIAN_FRAMES)], axis=0)


def look_gaze(coefficients: dict[str, np.ndarray]) -> Float[np.ndarray, "n 2"] | None:
    """Gaze as ARKit's look coefficients tell it; None without them."""
    try:
        left, right = (
            {way: coefficients[f"eyeLook{way}{side}"] for way in ("Up", "Down", "In", "Out")}
            for side in ("Left", "Right")
        )
    except KeyError:
        return None
    pitch = (left["Up"] - left["Down"] + right["Up"] - right["Down"]) / 2
    yaw = (left["Out"] - left["In"] + right["In"] - right["Out"]) / 2
    return LOOK_ANGLE * np.stack([pitch, yaw], axis=-1)


def fill_blinks(gaze: Float[np.ndarray, "n 2"], is_closed: Bool[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
    """Gaze with closed eyes: on a straight line between the frames before and after."""
    if is_closed.all() or not is_closed.any():
        return gaze
    seen, frames = np.flatnonzero(~is_closed), np.arange(len(gaze))
    return np.stack([np.interp(frames, seen, gaze[seen, k]) for k in range(2)], axis=-1)
