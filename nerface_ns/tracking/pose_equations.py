"""Normal equations of many poses that share a shape and a focal length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

POSE = 6
"""Rotation vector and translation."""
REACH = 2
"""Poses this many frames apart are tied."""


@dataclass
class PoseEquations:
    """`blocks` ties poses to themselves and to the next two, `cross` to what is shared; `*_side` are right sides.

    Shared unknowns are the shape, point by point, then the logarithm of the focal length.
    """

    blocks: Float[np.ndarray, "reach n 6 6"]
    cross: Float[np.ndarray, "n 6 s"]
    shared: Float[np.ndarray, "s s"]
    pose_side: Float[np.ndarray, "n 6"]
    shared_side: Float[np.ndarray, " s"]

    @classmethod
    def from_residuals(
        cls,
        residual: Float[np.ndarray, "n p 2"],
        weight: Float[np.ndarray, "n p"],
        by_pose: Float[np.ndarray, "n p 2 6"],
        by_shape: Float[np.ndarray, "n p 2 3"],
        by_focal: Float[np.ndarray, "n p 2"],
    ) -> PoseEquations:
        """Equations of the landmarks alone.

        Args:
            residual: Measured less predicted pixels.
            weight: Weight of each.
            by_pose, by_shape, by_focal: Derivatives of the predicted pixels.
        """
        frames, points = weight.shape
        size = 3 * points + 1
        weighted = by_pose * weight[..., None, None]
        flat = (frames, points * 2, POSE)
        blocks = np.zeros((REACH + 1, frames, POSE, POSE))
        blocks[0] = weighted.reshape(flat).transpose(0, 2, 1) @ by_pose.reshape(flat)
        cross = np.empty((frames, POSE, size))
        by_point = weighted.swapaxes(-1, -2) @ by_shape
        cross[:, :, :-1] = by_point.transpose(0, 2, 1, 3).reshape(frames, POSE, size - 1)
        cross[:, :, -1] = np.einsum("npka,npk->na", weighted, by_focal)
        shared = np.zeros((size, size))
        shape_weighted = by_shape * weight[..., None, None]
        diagonal = np.einsum("npka,npkb->pab", shape_weighted, by_shape)
        for point in range(points):
            rows = slice(3 * point, 3 * point + 3)
            shared[rows, rows] = diagonal[point]
        shared[:-1, -1] = shared[-1, :-1] = np.einsum("npka,npk->pa", shape_weighted, by_focal).reshape(-1)
        shared[-1, -1] = (weight[..., None] * by_focal**2).sum()
        shape_side = np.einsum("npka,npk->pa", shape_weighted, residual).reshape(-1)
        focal_side = (weight[..., None] * by_focal * residual).sum()
        return cls(
            blocks=blocks,
            cross=cross,
            shared=shared,
            pose_side=np.einsum("npka,npk->na", weighted, residual),
            shared_side=np.append(shape_side, focal_side),
        )

    @classmethod
    def from_poses(
        cls,
        residual: Float[np.ndarray, "n p 2"],
        weight: Float[np.ndarray, "n p"],
        by_pose: Float[np.ndarray, "n p 2 6"],
    ) -> PoseEquations:
        """Equations of the landmarks where shape and focal length are given."""
        frames, points = weight.shape
        flat = by_pose.reshape(frames, points * 2, POSE)
        weighted = flat * np.repeat(weight, 2, axis=1)[..., None]
        blocks = np.zeros((REACH + 1, frames, POSE, POSE))
        blocks[0] = weighted.transpose(0, 2, 1) @ flat
        side = (weighted.transpose(0, 2, 1) @ residual.reshape(frames, points * 2, 1))[..., 0]
        return cls(blocks, np.zeros((frames, POSE, 0)), np.zeros((0, 0)), side, np.zeros(0))

    def add_ties(self, weight: Float[np.ndarray, "m 6"], bend: Float[np.ndarray, "m 6"]) -> None:
        """Pull second differences of the poses to zero; small turns add like vectors."""
        stencil = (1.0, -2.0, 1.0)
        count = len(weight)
        diagonal = np.arange(POSE)
        for first, left in enumerate(stencil):
            self.pose_side[first : first + count] -= left * weight * bend
            for second in range(first, len(stencil)):
                rows = self.blocks[second - first, first : first + count]
                rows[:, diagonal, diagonal] += left * stencil[second] * weight

    def add_turn_cue(
        self, weight: float, offset: Float[np.ndarray, "n 3"], by_move: Float[np.ndarray, "n 3 3"]
    ) -> None:
        """Pull rotations along `offset`, which falls by `by_move` with the translation too."""
        by_pose = np.concatenate([np.tile(np.eye(3), (len(offset), 1, 1)), by_move], axis=-1)
        self.blocks[0] += weight * by_pose.transpose(0, 2, 1) @ by_pose
        self.pose_side += weight * np.einsum("nka,nk->na", by_pose, offset)

    def add_shape_prior(self, weight: float, offset: Float[np.ndarray, "p 3"]) -> None:
        """Pull the shape along `offset`."""
        rows = np.arange(offset.size)
        self.shared[rows, rows] += weight
        self.shared_side[:-1] += weight * offset.reshape(-1)

    def add_focal_prior(self, weight: float, offset: float) -> None:
        """Pull the focal length's logarithm along `offset`."""
        self.shared[-1, -1] += weight
        self.shared_side[-1] += weight * offset

    def solve(self, damping: float) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Return steps of poses (n, 6), shape (p, 3) and log focal length, and the latter's standard deviation.

        Shape and focal steps are 0 where only poses are fitted.
        """
        from scipy.linalg import cho_factor, cho_solve, cho_solve_banded, cholesky_banded

        frames = len(self.pose_side)
        factor = cholesky_banded(self._banded(1 + damping), lower=True, overwrite_ab=True)
        cross = self.cross.reshape(frames * POSE, self.cross.shape[2])
        solved = cho_solve_banded((factor, True), np.column_stack([cross, self.pose_side.reshape(-1)]))
        if not len(self.shared):
            return solved[:, -1].reshape(frames, POSE), np.zeros((1, 3)), 0.0, 0.0
        reduced = self.shared + damping * np.diag(np.diag(self.shared)) - cross.T @ solved[:, :-1]
        shared_factor = cho_factor(reduced, lower=True)
        shared = cho_solve(shared_factor, self.shared_side - cross.T @ solved[:, -1])
        poses = solved[:, -1] - solved[:, :-1] @ shared
        unit = np.zeros(len(shared))
        unit[-1] = 1.0
        focal_sigma = float(np.sqrt(cho_solve(shared_factor, unit)[-1]))
        return poses.reshape(frames, POSE), shared[:-1].reshape(-1, 3), float(shared[-1]), focal_sigma

    def _banded(self, diagonal_factor: float) -> np.ndarray:
        """Lower diagonals of the poses' matrix, as LAPACK stores them."""
        frames = len(self.pose_side)
        size = frames * POSE
        bands = np.zeros((POSE * (REACH + 1), size))
        columns = np.arange(frames) * POSE
        for apart, block in enumerate(self.blocks):
            # Block (frame, frame + apart) of the upper half is the transpose of what lies below the diagonal.
            for row in range(POSE):
                for column in range(POSE):
                    below = apart * POSE + row - column
                    if below >= 0:
                        bands[below, columns + column] += block[:, column, row]
        bands[0] *= diagonal_factor
        return bands
