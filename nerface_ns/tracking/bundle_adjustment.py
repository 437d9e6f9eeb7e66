"""Fits one focal length, one rigid face shape and a pose a frame to tracked landmarks.

Levenberg-Marquardt with reweighting (a Cauchy loss), first for focal length, shape and poses of some frames spread over
the clip, then for the poses of all. Poses are tied in time by their second differences alone, so the poses' matrix is
banded, and what all frames share is eliminated against it by a Schur complement: time and memory grow in proportion to
the number of frames.

Landmarks in the image leave a depth relief and the size of turns nearly free of each other (the bas-relief ambiguity),
and a landmark network's errors follow the pose, so rotations are held near those that the network's landmark depths
tell (Procrustes alignment with the average face, about the line of sight).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from nerface_ns.tracking.head_motion import nearest_rotation
from nerface_ns.tracking.pose_geometry import start_poses, turn_of_landmarks
from nerface_ns.tracking.rigid_problem import RigidProblem, RigidState

SHARED_FRAMES = 150
"""Frames, evenly spread, from which focal length and shape are fitted."""
STEP_S = 1 / 25
"""Time step to which the expected bends of the motion refer."""
SIGMA_ROUNDS = 2
"""How often the landmarks' spreads are measured anew."""
OVERCONFIDENCE = 1.8
"""Landmark errors that repeat in every frame make the focal length seem so much better known than it is: fits to
different sets of landmarks of one clip differ by that factor of what each claims, and more."""
KNOWN_FOCAL_WEIGHT = 1e12
"""Holds a focal length that is given."""


@dataclass
class BundleAdjustmentConfig:
    """How the rigid head is fitted."""

    focal_px: float | None = None
    """Focal length in pixels of the written images, when it is known; without it it is fitted."""
    distance_cm: float = 90.0
    """Distance at which heads are filmed, of which the focal length's start is made (arm's length to 2 m)."""
    distance_sigma: float = 0.3
    """Expected deviation of the logarithm of the distance from that."""
    shape_sigma: float = 0.35
    """Expected deviation of a person's rigid landmarks from the average face, cm along each axis."""
    cue_sigma_deg: float = 0.5
    """Expected error of the rotation that the landmarks' depths tell, degrees."""
    loss_scale: float = 2.0
    """Errors beyond this many standard deviations of their landmark lose weight (Cauchy)."""
    independent_landmarks: float = 8.0
    """Number of landmarks whose errors count as independent: neighbours err alike."""
    turn_sigma_deg: float = 0.4
    """Expected second difference of the head's rotation at 25 frames a second, degrees."""
    move_sigma: float = 0.1
    """Expected second difference of the head's position at 25 frames a second, cm."""
    max_iterations: int = 40
    """Steps at most, in each round."""


@dataclass
class RigidFit:
    """A head's rigid motion before a static camera; lengths in cm."""

    rotation: Float[np.ndarray, "n 3 3"]
    """Head to camera (x right, y down, z ahead)."""
    translation: Float[np.ndarray, "n 3"]
    """The head's origin in the camera's frame."""
    shape: Float[np.ndarray, "p 3"]
    """The person's rigid landmarks."""
    focal_px: float
    """Focal length."""
    focal_sigma: float
    """Standard deviation of the focal length's logarithm, as landmarks and prior leave it."""
    error_px: Float[np.ndarray, "n p"]
    """Distance of every landmark from where the fit puts it."""


def fit_rigid_head(
    landmarks_px: Float[np.ndarray, "n p 3"],
    canonical: Float[np.ndarray, "p 3"],
    center_px: Float[np.ndarray, "2"],
    height_px: float,
    times_s: Float[np.ndarray, " n"],
    config: BundleAdjustmentConfig,
) -> RigidFit:
    """Fit focal length, shape and poses.

    Args:
        landmarks_px: Rigid landmarks, the image's upper left corner at 0; depths grow away from the camera, in pixels.
        canonical: The same landmarks of the average face, cm.
        center_px: Principal point.
        height_px: Image height, the measure of the least error assumed.
        times_s: When the frames were taken; poses are tied over steps of less than 1.5 median steps only.
        config: Settings.
    """
    rows = np.unique(np.linspace(0, len(landmarks_px) - 1, SHARED_FRAMES).round().astype(int))
    problem, state = _start(landmarks_px, canonical, center_px, height_px, config)
    shared = _select(problem, rows)
    spread = replace(state, rotation=state.rotation[rows], translation=state.translation[rows])
    for _ in range(SIGMA_ROUNDS):
        spread = shared.minimize(spread, config.max_iterations)
        shared = shared.with_sigma(spread, height_px / 1500)
    spread = shared.minimize(spread, config.max_iterations)
    focal_sigma = OVERCONFIDENCE * shared.equations(spread).solve(0.0)[3]
    problem = replace(
        problem, sigma_px=shared.sigma_px, focal_weight=0.0, tie_weight=_tie_weight(np.asarray(times_s), config)
    )
    # The distance goes with the focal length.
    closer = np.array([1, 1, np.exp(spread.log_focal - state.log_focal)])
    state = replace(state, shape=spread.shape, log_focal=spread.log_focal, translation=state.translation * closer)
    state = problem.minimize(state, config.max_iterations)
    return RigidFit(
        rotation=nearest_rotation(state.rotation),
        translation=state.translation,
        shape=state.shape,
        focal_px=float(np.exp(state.log_focal)),
        focal_sigma=0.0 if config.focal_px is not None else focal_sigma,
        error_px=problem.errors(state),
    )


def _start(
    landmarks_px: np.ndarray,
    canonical: np.ndarray,
    center_px: np.ndarray,
    height_px: float,
    config: BundleAdjustmentConfig,
) -> tuple[RigidProblem, RigidState]:
    """Problem of all frames without ties, and poses under weak perspective."""
    flat = landmarks_px[..., :2]
    rotation, translation, scale = start_poses(flat - center_px, canonical)
    focal_px = config.distance_cm * float(np.median(scale)) if config.focal_px is None else config.focal_px
    translation = translation * np.array([1, 1, focal_px])
    translation = translation - np.einsum("nij,j->ni", rotation, canonical.mean(axis=0))
    # Errors repeat in like frames: beside a shape's prior many frames count as 50.
    shape_weight = max(1.0, min(len(flat), SHARED_FRAMES) / 50) / config.shape_sigma**2
    problem = RigidProblem(
        landmarks_px=flat,
        center_px=np.asarray(center_px, dtype=np.float64),
        sigma_px=np.full(len(canonical), height_px / 300),
        overlap=max(1.0, len(canonical) / config.independent_landmarks),
        loss_scale=config.loss_scale,
        apparent=turn_of_landmarks(landmarks_px, canonical),
        cue_weight=float(1 / np.deg2rad(config.cue_sigma_deg) ** 2),
        tie_weight=np.zeros((max(len(flat) - 2, 0), 6)),
        canonical=canonical,
        shape_weight=shape_weight,
        log_focal=float(np.log(focal_px)),
        focal_weight=(OVERCONFIDENCE / config.distance_sigma) ** 2 if config.focal_px is None else KNOWN_FOCAL_WEIGHT,
    )
    return problem, RigidState(rotation, translation, canonical.copy(), float(np.log(focal_px)))


def _select(problem: RigidProblem, rows: np.ndarray) -> RigidProblem:
    return replace(
        problem,
        landmarks_px=problem.landmarks_px[rows],
        apparent=problem.apparent[rows],
        tie_weight=np.zeros((max(len(rows) - 2, 0), 6)),
    )


def _tie_weight(times_s: np.ndarray, config: BundleAdjustmentConfig) -> np.ndarray:
    """(m, 6) weights of second differences, 0 where frames are missing."""
    steps = np.diff(times_s)
    if len(steps) < 2:
        return np.zeros((0, 6))
    step = float(np.median(steps))
    is_next = steps < 1.5 * step
    # A second difference grows with the square of the step.
    bend = np.repeat([np.deg2rad(config.turn_sigma_deg), config.move_sigma], 3) * (step / STEP_S) ** 2
    return (is_next[1:] & is_next[:-1])[:, None] / bend**2
