"""Robust cost of a rigid head's motion, and its normal equations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from nerface_ns.tracking.head_motion import cross_matrix, project, rotation_from_vector
from nerface_ns.tracking.pose_equations import PoseEquations
from nerface_ns.tracking.pose_geometry import ray_turn, ray_turn_by_move, second_differences, skew_vector

TOLERANCE = 1e-6
"""Relative gain below which the fit stops."""


@dataclass(frozen=True)
class RigidState:
    """What is fitted; lengths in cm."""

    rotation: Float[np.ndarray, "n 3 3"]
    """Head to camera."""
    translation: Float[np.ndarray, "n 3"]
    """The head's origin in the camera's frame."""
    shape: Float[np.ndarray, "p 3"]
    """Rigid landmarks in the head's frame."""
    log_focal: float
    """Logarithm of the focal length in pixels."""

    def moved(self, poses: np.ndarray, shape: np.ndarray, log_focal: float) -> RigidState:
        """State after a step."""
        return RigidState(
            rotation=rotation_from_vector(poses[:, :3]) @ self.rotation,
            translation=self.translation + poses[:, 3:],
            shape=self.shape + shape,
            log_focal=float(self.log_focal + log_focal),
        )

    def project(self, center_px: Float[np.ndarray, "2"]) -> Float[np.ndarray, "n p 2"]:
        """Where the landmarks are seen."""
        return project(self.shape, self.rotation, self.translation, float(np.exp(self.log_focal)), center_px)


@dataclass(frozen=True)
class RigidProblem:
    """Measurements and the weights of everything that pulls at the state."""

    landmarks_px: Float[np.ndarray, "n p 2"]
    """Measured landmarks."""
    center_px: Float[np.ndarray, "2"]
    """Principal point."""
    sigma_px: Float[np.ndarray, " p"]
    """Standard deviation of every landmark along each axis."""
    overlap: float
    """Landmarks whose errors count as one."""
    loss_scale: float
    """Deviations at which the loss bends over."""
    apparent: Float[np.ndarray, "n 3 3"]
    """Turns of the head against the line of sight, as the landmarks' depths tell them."""
    cue_weight: float
    """Weight of those turns."""
    tie_weight: Float[np.ndarray, "m 6"]
    """Weight of the motion's second differences."""
    canonical: Float[np.ndarray, "p 3"]
    """Shape that the shape is pulled to."""
    shape_weight: float
    """Weight of that pull."""
    log_focal: float
    """Focal length that the focal length is pulled to."""
    focal_weight: float
    """Weight of that pull; 0 when shape and focal length are given and only poses are fitted."""

    @property
    def is_shared_fitted(self) -> bool:
        """Whether shape and focal length are fitted beside the poses."""
        return self.focal_weight > 0

    def cost(self, state: RigidState) -> float:
        """Robust cost; infinite with a head behind the camera."""
        if (state.translation[:, 2] <= 0).any():
            return float("inf")
        scale = self.loss_scale
        square = ((self.landmarks_px - state.project(self.center_px)) ** 2).sum(axis=-1) / self.sigma_px**2
        total = scale**2 * np.log1p(square / scale**2).sum() / self.overlap
        total += self.cue_weight * (self.cue_offset(state) ** 2).sum()
        total += (self.tie_weight * second_differences(state.rotation, state.translation) ** 2).sum()
        if self.is_shared_fitted:
            total += self.shape_weight * ((state.shape - self.canonical) ** 2).sum()
            total += self.focal_weight * (state.log_focal - self.log_focal) ** 2
        return float(total)

    def cue_offset(self, state: RigidState) -> Float[np.ndarray, "n 3"]:
        """Rotation vectors from the state to what the landmarks' depths tell."""
        # Depths tell the turn against the line of sight to the head.
        cue = rotation_from_vector(ray_turn(state.translation)) @ self.apparent
        return skew_vector(cue @ state.rotation.transpose(0, 2, 1))

    def errors(self, state: RigidState) -> Float[np.ndarray, "n p"]:
        """Distances of landmarks from where the state puts them."""
        return np.linalg.norm(self.landmarks_px - state.project(self.center_px), axis=-1)

    def equations(self, state: RigidState) -> PoseEquations:
        """Normal equations about a state, reweighted for the robust loss."""
        focal = np.exp(state.log_focal)
        turned = state.shape @ state.rotation.transpose(0, 2, 1)
        seen = turned + state.translation[:, None]
        residual = self.landmarks_px - state.project(self.center_px)
        weight = 1 / (1 + (residual**2).sum(axis=-1) / (self.loss_scale * self.sigma_px) ** 2)
        weight = weight / (self.sigma_px**2 * self.overlap)
        slope = seen[..., :2] / seen[..., 2:]
        by_point = np.zeros((*seen.shape[:2], 2, 3))
        by_point[..., 0, 0] = by_point[..., 1, 1] = focal / seen[..., 2]
        by_point[..., :, 2] = -focal * slope / seen[..., 2:]
        by_pose = np.concatenate([by_point @ -cross_matrix(turned), by_point], axis=-1)
        if self.is_shared_fitted:
            by_shape = by_point @ state.rotation[:, None]
            equations = PoseEquations.from_residuals(residual, weight, by_pose, by_shape, focal * slope)
            equations.add_shape_prior(self.shape_weight, self.canonical - state.shape)
            equations.add_focal_prior(self.focal_weight, self.log_focal - state.log_focal)
        else:
            equations = PoseEquations.from_poses(residual, weight, by_pose)
        equations.add_turn_cue(self.cue_weight, self.cue_offset(state), -ray_turn_by_move(state.translation))
        equations.add_ties(self.tie_weight, second_differences(state.rotation, state.translation))
        return equations

    def minimize(self, state: RigidState, max_iterations: int) -> RigidState:
        """Lower the cost by damped Gauss-Newton steps until they gain nothing."""
        damping, cost, equations = 1e-4, self.cost(state), self.equations(state)
        for _ in range(max_iterations):
            trial = state.moved(*equations.solve(damping)[:3])
            trial_cost = self.cost(trial)
            if not trial_cost < cost:
                damping *= 10
                if damping > 1e6:
                    break
                continue
            is_done = cost - trial_cost < TOLERANCE * cost
            state, cost, damping = trial, trial_cost, max(damping / 10, 1e-9)
            if is_done:
                break
            equations = self.equations(state)
        return state

    def with_sigma(self, state: RigidState, floor_px: float) -> RigidProblem:
        """Take every landmark's spread from its errors; 1.18 is the median length of a unit Gaussian in the plane."""
        return replace(self, sigma_px=np.maximum(np.median(self.errors(state), axis=0) / 1.18, floor_px))
