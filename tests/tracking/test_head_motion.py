import numpy as np
from scipy.spatial.transform import Rotation

from nerface_ns.tracking.head_motion import (
    CAMERA_FLIP,
    camera_to_head,
    nearest_rotation,
    project,
    rotation_from_vector,
    yaw_pitch_roll,
)


def test_rotations_match_scipy():
    vectors = np.concatenate([np.random.default_rng(0).normal(size=(20, 3)), np.zeros((1, 3))])
    np.testing.assert_allclose(rotation_from_vector(vectors), Rotation.from_rotvec(vectors).as_matrix(), atol=1e-12)


def test_nearest_rotation_is_proper():
    matrices = np.random.default_rng(1).normal(size=(20, 3, 3))
    np.testing.assert_allclose(np.linalg.det(nearest_rotation(matrices)), 1.0)
    turns = rotation_from_vector(matrices[:, 0])
    np.testing.assert_allclose(nearest_rotation(1.7 * turns), turns, atol=1e-12)


def test_opengl_cameras_see_the_same_pixels():
    """A point projected by the head's pose and by the written camera falls on the same place."""
    random = np.random.default_rng(2)
    rotation = CAMERA_FLIP[:, None] * rotation_from_vector(0.3 * random.normal(size=(5, 3)))
    translation = np.array([1.0, -2.0, 80.0]) + random.normal(size=(5, 3))
    points, center = 5 * random.normal(size=(7, 3)), np.array([100.0, 120.0])
    cameras = camera_to_head(rotation, translation, scale=0.01)
    local = np.einsum("nji,npj->npi", cameras[:, :3, :3], 0.01 * points - cameras[:, None, :3, 3])
    pixels = np.stack([local[..., 0], -local[..., 1]], axis=-1) / -local[..., 2:] * 300.0 + center
    np.testing.assert_allclose(pixels, project(points, rotation, translation, 300.0, center))


def test_angles_are_named_from_the_subject():
    """A head that turns to its left shows its nose to the image's right; one that looks up shows it higher."""
    nose = np.array([[0.0, 0.0, 10.0]])

    def seen(x: float, y: float, z: float) -> tuple[np.ndarray, np.ndarray]:
        rotation = CAMERA_FLIP[:, None] * rotation_from_vector(np.array([[x, y, z]]))
        pixel = project(nose, rotation, np.array([[0.0, 0.0, 80.0]]), 100.0, np.zeros(2))[0, 0]
        return yaw_pitch_roll(rotation)[0], pixel

    angles, pixel = seen(0.0, 0.2, 0.0)
    np.testing.assert_allclose(angles, [0.2, 0, 0], atol=1e-12)
    assert pixel[0] > 1
    angles, pixel = seen(-0.2, 0.0, 0.0)
    np.testing.assert_allclose(angles, [0, 0.2, 0], atol=1e-12)
    assert pixel[1] < -1
    angles, _ = seen(0.0, 0.0, -0.2)
    np.testing.assert_allclose(angles, [0, 0, 0.2], atol=1e-12)
