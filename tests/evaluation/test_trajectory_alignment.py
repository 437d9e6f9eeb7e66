import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nerface_ns.evaluation.trajectory_alignment import Similarity, align_trajectories, pose_errors

RANDOM = np.random.default_rng(0)


def head_cameras(count: int = 40) -> np.ndarray:
    """Cameras about 0.5 from the origin, looking at it."""
    turns = Rotation.from_euler("yx", RANDOM.uniform(-0.5, 0.5, (count, 2)))
    axes = turns.as_matrix()
    positions = turns.apply([0.0, 0.0, 0.5]) + RANDOM.normal(scale=0.01, size=(count, 3))
    return np.concatenate([axes, positions[:, :, None]], axis=2)


MOVE = Similarity(1.3, Rotation.from_euler("xyz", [0.2, -0.4, 0.1]).as_matrix(), np.array([0.1, -0.2, 0.05]))


def test_a_known_similarity_is_found():
    cameras = head_cameras()
    found = align_trajectories(cameras, MOVE.apply(cameras))
    assert found.scale == pytest.approx(MOVE.scale)
    np.testing.assert_allclose(found.rotation, MOVE.rotation, atol=1e-12)
    np.testing.assert_allclose(found.translation, MOVE.translation, atol=1e-12)


def test_moved_cameras_see_moved_points_alike():
    """A point's place before a camera grows by the scale and does not turn."""
    cameras, point = head_cameras(), np.array([0.02, 0.05, 0.1])
    moved = MOVE.apply(cameras)
    moved_point = MOVE.scale * MOVE.rotation @ point + MOVE.translation
    before = np.einsum("nij,ni->nj", cameras[:, :, :3], point - cameras[:, :, 3])
    after = np.einsum("nij,ni->nj", moved[:, :, :3], moved_point - moved[:, :, 3])
    np.testing.assert_allclose(after, MOVE.scale * before, atol=1e-12)


def test_rotation_is_least_squares():
    """As scipy's `align_vectors` finds it from the cameras' axes."""
    cameras, noisy = head_cameras(), head_cameras()
    noise = Rotation.from_rotvec(RANDOM.normal(scale=0.05, size=(len(cameras), 3))).as_matrix()
    noisy[:, :, :3] = noise @ (MOVE.rotation @ cameras[:, :, :3])
    found = align_trajectories(cameras, noisy)
    axes, wanted = (poses[:, :, :3].transpose(0, 2, 1).reshape(-1, 3) for poses in (cameras, noisy))
    np.testing.assert_allclose(found.rotation, Rotation.align_vectors(wanted, axes)[0].as_matrix(), atol=1e-8)


def test_errors_do_not_know_a_similarity():
    truth = head_cameras()
    errors = pose_errors(MOVE.apply(truth), truth)
    assert errors.rotation_deg < 1e-5 and errors.camera_fraction < 1e-9 and errors.head_fraction < 1e-9


def test_errors_of_heads_turned_in_place():
    """Turned by 1 degree about random axes, cameras move, but the head's place before them does not."""
    truth = head_cameras(400)
    axes = RANDOM.normal(size=(len(truth), 3))
    turns = Rotation.from_rotvec(np.radians(1.0) * axes / np.linalg.norm(axes, axis=1, keepdims=True)).as_matrix()
    turned = turns @ truth
    errors = pose_errors(turned, truth)
    assert errors.rotation_deg == pytest.approx(1.0, rel=0.02)
    assert errors.camera_fraction == pytest.approx(np.radians(1.0) * np.sqrt(2 / 3), rel=0.1)
    assert errors.head_fraction < 0.2 * errors.camera_fraction


def test_cameras_in_one_place_keep_their_scale():
    frontal = np.tile(np.eye(4)[:3], (5, 1, 1))
    frontal[:, 2, 3] = 0.5
    assert align_trajectories(frontal, head_cameras(5)).scale == 1.0
