"""Poses in closed form, and how sequences of poses bend and look along rays."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from nerface_ns.tracking.head_motion import nearest_rotation


def start_poses(
    landmarks_px: Float[np.ndarray, "n p 2"], canonical: Float[np.ndarray, "p 3"]
) -> tuple[Float[np.ndarray, "n 3 3"], Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
    """Poses under weak perspective, in closed form.

    Args:
        landmarks_px: Landmarks about the principal point.
        canonical: The average face.

    Returns:
        Rotations from head to camera, the landmarks' middle in the camera's frame at a focal length of 1, and pixels
        for each unit of length.
    """
    offset = landmarks_px.mean(axis=1)
    inverse = np.linalg.pinv(canonical - canonical.mean(axis=0))
    affine = np.einsum("dp,npk->nkd", inverse, landmarks_px - offset[:, None])
    scale = np.linalg.norm(affine, axis=-1).mean(axis=-1)
    rows = affine / scale[:, None, None]
    rotation = nearest_rotation(np.concatenate([rows, np.cross(rows[:, :1], rows[:, 1:])], axis=1))
    return rotation, np.concatenate([offset, np.ones((len(offset), 1))], axis=-1) / scale[:, None], scale


def turn_of_landmarks(
    landmarks_px: Float[np.ndarray, "n p 3"], canonical: Float[np.ndarray, "p 3"]
) -> Float[np.ndarray, "n 3 3"]:
    """Rotation from the head to the line of sight, by Procrustes alignment of landmarks with depths."""
    offset = landmarks_px - landmarks_px.mean(axis=1, keepdims=True)
    return nearest_rotation(np.einsum("npi,pj->nij", offset, canonical - canonical.mean(axis=0)))


def ray_turn(point: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Least rotation, as a vector, from the optical axis to the rays through points."""
    across = np.linalg.norm(point[:, :2], axis=1)
    factor = np.arctan2(across, point[:, 2]) / np.maximum(across, 1e-12)
    return factor[:, None] * np.stack([-point[:, 1], point[:, 0], np.zeros(len(point))], axis=-1)


def ray_turn_by_move(point: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Derivative of `ray_turn`, for rays near the optical axis."""
    x, y, z = point.T
    zero = np.zeros_like(x)
    rows = [np.stack([zero, -1 / z, y / z**2], -1), np.stack([1 / z, zero, -x / z**2], -1), np.zeros_like(point)]
    return np.stack(rows, axis=1)


def skew_vector(rotation: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n 3"]:
    """Axis times sine of the angle."""
    skew = (rotation - rotation.transpose(0, 2, 1)) / 2
    return np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=-1)


def second_differences(
    rotation: Float[np.ndarray, "n 3 3"], translation: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "m 6"]:
    """How the motion bends at every frame but the first and last: rotation vector and translation."""
    if len(rotation) < 3:
        return np.zeros((0, 6))
    # Between frames turns are small: the sine of the angle will do.
    turn_vector = skew_vector(rotation[1:] @ rotation[:-1].transpose(0, 2, 1))
    return np.concatenate([np.diff(turn_vector, axis=0), np.diff(translation, n=2, axis=0)], axis=-1)
