"""Two sequences of cameras brought together by one similarity, because a refined scene may drift as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LEAST_SPREAD = 1e-6
"""Cameras that stand closer together than this share of their distance from the origin tell no scale."""


@dataclass(frozen=True)
class Similarity:
    """Moves a world: x becomes scale * rotation @ x + translation."""

    scale: float
    """Factor on lengths."""
    rotation: Float[np.ndarray, "3 3"]
    """Proper rotation."""
    translation: Float[np.ndarray, "3"]
    """Added last."""

    def apply(self, camera_to_world: Float[np.ndarray, "n 3 4"]) -> Float[np.ndarray, "n 3 4"]:
        """Return cameras (OpenGL, camera to world) as they stand in the moved world."""
        axes = self.rotation @ camera_to_world[:, :, :3]
        positions = self.scale * camera_to_world[:, :, 3] @ self.rotation.T + self.translation
        return np.concatenate([axes, positions[:, :, None]], axis=2)


@dataclass(frozen=True)
class PoseErrors:
    """Root mean squares over frames, after one similarity."""

    rotation_deg: float
    """Angle between the cameras' axes."""
    camera_fraction: float
    """Distance of the cameras' positions over their mean distance from the origin."""
    head_fraction: float
    """Distance of the origin's places before the cameras, over the same: without the part that turns cause."""


def align_trajectories(source: Float[np.ndarray, "n 3 4"], target: Float[np.ndarray, "n 3 4"]) -> Similarity:
    """Return the similarity that brings a sequence of cameras closest to another, frame by frame.

    The rotation is that of the cameras' axes (least squares, as scipy's mean of rotations), which many frames fix far
    better than positions do; scale and translation are the positions' least squares under it (Umeyama 1991).

    Args:
        source: Cameras to be moved.
        target: Where they should be.
    """
    from scipy.spatial.transform import Rotation

    turns = np.einsum("nij,nkj->nik", target[:, :, :3], source[:, :, :3])
    rotation = Rotation.from_matrix(turns).mean().as_matrix()
    moved, wanted = source[:, :, 3] @ rotation.T, target[:, :, 3]
    centred, centred_wanted = moved - moved.mean(axis=0), wanted - wanted.mean(axis=0)
    spread = float((centred**2).sum())
    is_one_place = spread <= len(moved) * (LEAST_SPREAD * np.linalg.norm(moved, axis=1).mean()) ** 2
    scale = 1.0 if is_one_place else float((centred * centred_wanted).sum()) / spread
    return Similarity(scale, rotation, wanted.mean(axis=0) - scale * moved.mean(axis=0))


def pose_errors(estimate: Float[np.ndarray, "n 3 4"], truth: Float[np.ndarray, "n 3 4"]) -> PoseErrors:
    """Return how far cameras are from the true ones, after they were aligned to them."""
    from scipy.spatial.transform import Rotation

    aligned = align_trajectories(estimate, truth).apply(estimate)
    turns = np.einsum("nji,njk->nik", truth[:, :, :3], aligned[:, :, :3])
    angles = Rotation.from_matrix(turns).magnitude()
    distance = np.linalg.norm(truth[:, :, 3], axis=1).mean()

    def head(cameras: np.ndarray) -> np.ndarray:
        """Return where the world's origin is in the cameras."""
        return -np.einsum("nij,ni->nj", cameras[:, :, :3], cameras[:, :, 3])

    def rms(vectors: np.ndarray) -> float:
        """Return the root mean square of the lengths."""
        return float(np.sqrt((vectors**2).sum(axis=-1).mean()))

    return PoseErrors(
        rotation_deg=float(np.degrees(np.sqrt((angles**2).mean()))),
        camera_fraction=rms(aligned[:, :, 3] - truth[:, :, 3]) / float(distance),
        head_fraction=rms(head(aligned) - head(truth)) / float(distance),
    )
