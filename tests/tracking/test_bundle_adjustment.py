import numpy as np
import pytest
from synthetic_head import canonical_points, gaze_directions, head_motion, seen_landmarks

from nerface_ns.tracking.bundle_adjustment import BundleAdjustmentConfig, RigidFit, fit_rigid_head
from nerface_ns.tracking.canonical_face import RIGID_LANDMARKS
from nerface_ns.tracking.head_motion import nearest_rotation, vector_from_rotation

ROWS = list(RIGID_LANDMARKS)
FOCAL_PX, SIZE_PX = 700.0, 512.0
CENTER_PX = np.array([256.0, 250.0])


def person(seed: int = 0) -> np.ndarray:
    """Shape of a person: the average face with deviations."""
    return canonical_points() + 0.2 * np.random.default_rng(seed).normal(size=(468, 3))


def landmarks_of(
    points: np.ndarray, count: int, distance_cm: float = 80.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rotation, translation = head_motion(count, distance_cm)
    seen = seen_landmarks(points, gaze_directions(count), rotation, translation, FOCAL_PX, CENTER_PX)
    return seen[:, ROWS], rotation, translation


def fit(landmarks: np.ndarray, **settings) -> RigidFit:
    times_s = np.arange(len(landmarks)) / 25
    config = BundleAdjustmentConfig(**settings)
    return fit_rigid_head(landmarks, canonical_points()[ROWS], CENTER_PX, SIZE_PX, times_s, config)


def turn_error_deg(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Angles between rotations after one global alignment of the head's frame."""
    alignment = nearest_rotation((found.transpose(0, 2, 1) @ truth).mean(axis=0))
    apart = (found @ alignment).transpose(0, 2, 1) @ truth
    return np.rad2deg(np.linalg.norm(vector_from_rotation(apart), axis=-1))


def test_motion_and_focal_length_of_exact_landmarks_are_found():
    """The average face itself, seen without noise: what is left is the ties' and the focal prior's pull."""
    landmarks, rotation, translation = landmarks_of(canonical_points(), 80)
    found = fit(landmarks, distance_cm=90.0)
    assert turn_error_deg(found.rotation, rotation).max() < 0.3
    assert abs(found.focal_px / FOCAL_PX - 1) < 0.02
    np.testing.assert_allclose(found.translation, translation, rtol=0.03, atol=0.3)
    assert np.median(found.error_px) < 0.2


def test_person_of_another_shape_with_noise_and_outliers():
    landmarks, rotation, _ = landmarks_of(person(), 120)
    random = np.random.default_rng(5)
    noisy = landmarks + random.normal(scale=0.7, size=landmarks.shape)
    noisy[::7, :9, :2] += 25
    found = fit(noisy)
    assert np.sqrt((turn_error_deg(found.rotation, rotation) ** 2).mean()) < 0.8
    assert abs(found.focal_px / FOCAL_PX - 1) < 0.25
    clean = np.linalg.norm(landmarks[1::7, :, :2] - noisy[1::7, :, :2], axis=-1)
    assert np.median(found.error_px[1::7]) < 1.3 * np.median(clean)


def test_known_focal_length_is_kept():
    landmarks, rotation, _ = landmarks_of(person(), 40)
    found = fit(landmarks, focal_px=FOCAL_PX)
    assert found.focal_px == pytest.approx(FOCAL_PX, rel=1e-6)
    assert found.focal_sigma == 0
    assert turn_error_deg(found.rotation, rotation).max() < 1.0


def test_motion_does_not_lag():
    """The fitted yaw is in step with the truth, not a frame before or behind."""
    landmarks, rotation, _ = landmarks_of(canonical_points(), 100)
    noisy = landmarks + np.random.default_rng(6).normal(scale=0.5, size=landmarks.shape)
    found = fit(noisy).rotation[:, 0, 2]
    truth = rotation[:, 0, 2]
    errors = [np.abs(np.roll(found, shift)[5:-5] - truth[5:-5]).mean() for shift in (-2, -1, 0, 1, 2)]
    assert int(np.argmin(errors)) == 2


def test_ties_smooth_and_gaps_are_not_tied():
    """Noise of the poses falls; a frame that moved during a gap is not drawn to its neighbours."""
    landmarks, rotation, _ = landmarks_of(canonical_points(), 60)
    noisy = landmarks + np.random.default_rng(7).normal(scale=2.0, size=landmarks.shape)
    tied = turn_error_deg(fit(noisy, focal_px=FOCAL_PX).rotation, rotation).mean()
    loose = turn_error_deg(fit(noisy, focal_px=FOCAL_PX, turn_sigma_deg=50, move_sigma=50).rotation, rotation).mean()
    assert tied < 0.8 * loose
    times_s = np.concatenate([np.arange(20), 30 + np.arange(20)]) / 25
    rows = np.concatenate([np.arange(20), 40 + np.arange(20)])
    config = BundleAdjustmentConfig(focal_px=FOCAL_PX)
    jumped = fit_rigid_head(landmarks[rows], canonical_points()[ROWS], CENTER_PX, SIZE_PX, times_s, config)
    assert turn_error_deg(jumped.rotation, rotation[rows]).max() < 0.5


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_frames_are_fitted(count):
    landmarks, _, _ = landmarks_of(canonical_points(), count)
    found = fit(landmarks)
    assert np.isfinite(found.translation).all() and found.error_px.max() < 1


def test_fit_is_deterministic():
    landmarks, _, _ = landmarks_of(person(), 30)
    first, second = fit(landmarks), fit(landmarks)
    np.testing.assert_array_equal(first.rotation, second.rotation)
    assert first.focal_px == second.focal_px
