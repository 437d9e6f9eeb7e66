"""FLAME's rigid pose: rotations, and cameras in the head's frame.

FLAME (Li et al., SIGGRAPH Asia 2017) turns the whole head about its root joint, then moves it; the neck joint turns the
head on the shoulders before that. A point x of the untouched head, told from the neck joint, stands at

    R_root (R_neck x + neck - root) + root + translation

so the head's rigid pose is the root's rotation *after* the neck's. Where the joints are depends on the person's shape
and on FLAME's licensed model file, which this package does not read: `fit_joints` finds them from the pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np
from jaxtyping import Float

JOINT_PRIOR = 1e-3
"""Weight that pulls joints and head centre to the tracker's origin, beside one camera's vote; decides only what the
frames leave open, as when the head never turns."""


def rotation_of_vector(vector: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotation matrices of axis-angle vectors (Rodrigues' formula)."""
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(np.asarray(vector, dtype=np.float64), -1, 0)
    zero = np.zeros_like(x)
    rows = [np.stack(row, axis=-1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
    skew = np.stack(rows, axis=-2)
    # numpy's sinc is sin(pi x) / (pi x): smooth through an angle of 0.
    first, second = np.sinc(angle / np.pi), np.sinc(angle / (2 * np.pi)) ** 2 / 2
    return np.eye(3) + first * skew + second * (skew @ skew)


def rotation_of_6d(six: Float[np.ndarray, "*batch 6"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotation matrices whose first two ROWS the six numbers span (Zhou et al. 2019, as PyTorch3D orders them)."""
    first = six[..., :3] / np.linalg.norm(six[..., :3], axis=-1, keepdims=True)
    second = six[..., 3:] - (first * six[..., 3:]).sum(axis=-1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=-2)


def vector_of_rotation(rotation: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Axis-angle vectors of rotation matrices that turn by less than half a round."""
    skew = np.stack(
        [
            rotation[..., 2, 1] - rotation[..., 1, 2],
            rotation[..., 0, 2] - rotation[..., 2, 0],
            rotation[..., 1, 0] - rotation[..., 0, 1],
        ],
        axis=-1,
    )
    cosine = np.clip((np.trace(rotation, axis1=-2, axis2=-1) - 1) / 2, -1, 1)
    angle = np.arctan2(np.linalg.norm(skew, axis=-1) / 2, cosine)
    return skew / 2 / np.maximum(np.sinc(angle / np.pi), 1e-9)[..., None]


@dataclass
class RigidPose:
    """How a tracker moved the head before its cameras, per frame."""

    root_rotation: Float[np.ndarray, "frames 3 3"]
    """Turn about the root joint."""
    translation: Float[np.ndarray, "frames 3"]
    """Shift after the turn."""
    neck_rotation: Optional[Float[np.ndarray, "frames 3 3"]] = None
    """Turn about the neck joint that belongs to the head's rigid pose; None keeps the shoulders' frame."""

    @property
    def head_rotation(self) -> Float[np.ndarray, "frames 3 3"]:
        """The neck's turn, then the root's."""
        return self.root_rotation if self.neck_rotation is None else self.root_rotation @ self.neck_rotation


def cameras_in_head(
    camera_to_world: Float[np.ndarray, "frames 4 4"],
    pose: RigidPose,
    root: Float[np.ndarray, "3"],
    neck_from_root: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "frames 4 4"]:
    """Cameras as the head sees them: it stands still and they move.

    Args:
        camera_to_world: Cameras in the tracker's world, any axes.
        pose: The head's motion.
        root: Root joint in the tracker's world; zero where the tracker puts FLAME's origin there.
        neck_from_root: From the root joint to the neck joint; used only where the pose has a neck.
    """
    cameras = camera_to_world.copy()
    inverse = pose.head_rotation.transpose(0, 2, 1)
    cameras[:, :3, :3] = inverse @ camera_to_world[:, :3, :3]
    position = np.einsum("nij,nj->ni", inverse, camera_to_world[:, :3, 3] - pose.translation - root)
    if pose.neck_rotation is not None:
        position = position - np.einsum("nji,j->ni", pose.neck_rotation, neck_from_root)
    cameras[:, :3, 3] = position
    return cameras


def fit_joints(
    camera_to_world: Float[np.ndarray, "frames 4 4"],
    pose: RigidPose,
    directions: Float[np.ndarray, "frames 3"],
    root: Optional[Float[np.ndarray, "3"]],
    neck_from_root: Optional[Float[np.ndarray, "3"]],
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Find the joints for which the rays to the face meet best in one point of the head.

    In the head's frame each camera's centre is linear in the joints and the point is another unknown, so the distances
    of the point from all rays are linear too: one small least-squares problem.

    Args:
        camera_to_world: OpenGL cameras in the tracker's world.
        pose: The head's motion.
        directions: Towards the middle of the face, in the camera's frame.
        root, neck_from_root: Joints that are known.

    Returns:
        Root joint and the way from it to the neck joint; zero for a neck that the pose does not have.
    """
    neck = pose.neck_rotation
    inverse = pose.head_rotation.transpose(0, 2, 1)
    known = cameras_in_head(
        camera_to_world,
        pose,
        np.zeros(3) if root is None else root,
        np.zeros(3) if neck_from_root is None else neck_from_root,
    )
    ray = np.einsum("nij,nj->ni", known[:, :3, :3], directions)
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    across = np.eye(3) - ray[:, :, None] * ray[:, None, :]
    blocks = [np.tile(np.eye(3), (len(ray), 1, 1))]
    if root is None:
        blocks.append(inverse)
    if neck is not None and neck_from_root is None:
        blocks.append(neck.transpose(0, 2, 1))
    system = np.concatenate([across @ block for block in blocks], axis=2)
    target = np.einsum("nij,nj->ni", across, known[:, :3, 3])
    normal = np.einsum("nik,nil->kl", system, system) / len(ray) + JOINT_PRIOR * np.eye(system.shape[2])
    found = np.linalg.solve(normal, np.einsum("nik,ni->k", system, target) / len(ray))
    parts = iter(found.reshape(-1, 3)[1:])
    fitted_root = next(parts) if root is None else root
    fitted_neck = next(parts) if neck is not None and neck_from_root is None else neck_from_root
    return fitted_root, np.zeros(3) if fitted_neck is None else fitted_neck
