"""Rotations and pinhole projection of head poses, many at once.

A pose takes points of the head's frame into the camera's: x right, y down, z ahead, as images are laid out.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

CAMERA_FLIP = np.array([1.0, -1.0, -1.0])
"""Between a camera that looks along +z with y down and OpenGL's, which looks along -z with y up."""


def cross_matrix(vector: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Matrices that take the cross product with a vector."""
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    rows = [np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)]
    return np.stack(rows, axis=-2)


def rotation_from_vector(vector: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Rotation matrices from axis times angle (Rodrigues)."""
    angle = np.linalg.norm(vector, axis=-1)[:, None, None]
    cross = cross_matrix(vector)
    # sin(a)/a and (1 - cos(a))/a^2, exact at 0 too.
    first = np.sinc(angle / np.pi)
    second = np.sinc(angle / (2 * np.pi)) ** 2 / 2
    return np.eye(3) + first * cross + second * cross @ cross


def vector_from_rotation(rotation: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n 3"]:
    """Axis times angle of rotation matrices, the angle in [0, pi]."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(rotation).as_rotvec()


def nearest_rotation(matrix: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Proper rotation next to a matrix in the least-squares sense."""
    left, _, right = np.linalg.svd(matrix)
    sign = np.ones((*matrix.shape[:-2], 3))
    sign[..., 2] = np.linalg.det(left @ right)
    return (left * sign[..., None, :]) @ right


def project(
    points: Float[np.ndarray, "p 3"],
    rotation: Float[np.ndarray, "n 3 3"],
    translation: Float[np.ndarray, "n 3"],
    focal_px: float,
    center_px: Float[np.ndarray, "2"],
) -> Float[np.ndarray, "n p 2"]:
    """Pixels of the head's points in every frame."""
    seen = points @ rotation.transpose(0, 2, 1) + translation[:, None]
    return focal_px * seen[..., :2] / seen[..., 2:] + center_px


def camera_to_head(
    rotation: Float[np.ndarray, "n 3 3"], translation: Float[np.ndarray, "n 3"], scale: float
) -> Float[np.ndarray, "n 4 4"]:
    """OpenGL cameras in the head's frame.

    Args:
        rotation: Head to camera, as everywhere in this file.
        translation: The head's origin in the camera's frame.
        scale: Factor on lengths.
    """
    poses = np.tile(np.eye(4), (len(rotation), 1, 1))
    back = rotation.transpose(0, 2, 1)
    poses[:, :3, :3] = back * CAMERA_FLIP
    poses[:, :3, 3] = -scale * np.einsum("nij,nj->ni", back, translation)
    return poses


def yaw_pitch_roll(rotation: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n 3"]:
    """Turn of the head, radians: yaw to the subject's left, pitch up, roll towards the subject's left shoulder.

    Zero for a head that looks straight into the camera. Order: roll first, then pitch, then yaw.
    """
    from scipy.spatial.transform import Rotation

    upright = CAMERA_FLIP[:, None] * rotation
    yaw, pitch, roll = Rotation.from_matrix(upright).as_euler("YXZ").T
    return np.stack([yaw, -pitch, -roll], axis=-1)
