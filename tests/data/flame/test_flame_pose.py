from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from nerface_ns.data.flame.flame_pose import (
    RigidPose,
    cameras_in_head,
    fit_joints,
    rotation_of_6d,
    rotation_of_vector,
    vector_of_rotation,
)
from nerface_ns.data.flame.head_boxes import boxes_about, half_size_of, head_box_of_matte


def test_rotations_are_scipys():
    vectors = np.concatenate([np.random.default_rng(0).normal(size=(20, 3)), np.zeros((1, 3)), [[1e-9, 0, 0]]])
    expected = Rotation.from_rotvec(vectors).as_matrix()
    np.testing.assert_allclose(rotation_of_vector(vectors), expected, atol=1e-12)
    np.testing.assert_allclose(rotation_of_6d(expected[:, :2].reshape(-1, 6) * 2), expected, atol=1e-12)
    np.testing.assert_allclose(vector_of_rotation(expected), vectors, atol=1e-9)


def test_head_box_ends_at_the_neck():
    alpha = np.zeros((100, 100), dtype=np.uint8)
    alpha[10:50, 30:60], alpha[50:65, 38:52], alpha[65:, 5:95] = 255, 255, 255
    y0, y1, x0, x1 = head_box_of_matte(alpha)
    assert (y0, x0, x1) == (10, 30, 60) and 50 <= y1 <= 52
    assert head_box_of_matte(np.zeros((4, 4), dtype=np.uint8)) is None


def test_joints_are_found_exactly_from_exact_directions():
    """A point of the head, moved as FLAME moves it and seen by one camera, gives root and neck joint back."""
    rng = np.random.default_rng(1)
    root, neck, point = np.array([0.02, -0.3, 0.05]), np.array([-0.01, 0.15, 0.03]), np.array([0.0, 0.1, 0.2])
    pose = RigidPose(
        rotation_of_vector(rng.uniform(-0.8, 0.8, (300, 3))),
        rng.uniform(-0.2, 0.2, (300, 3)),
        rotation_of_vector(rng.uniform(-0.8, 0.8, (300, 3))),
    )
    camera = np.tile(np.eye(4), (300, 1, 1))
    camera[:, 2, 3] = 3
    from_neck = np.einsum("nij,j->ni", pose.neck_rotation, point) + neck
    seen = np.einsum("nij,nj->ni", pose.root_rotation, from_neck) + root + pose.translation - camera[:, :3, 3]
    fitted_root, fitted_neck = fit_joints(camera, pose, seen, None, None)
    np.testing.assert_allclose(fitted_root, root, atol=0.01)
    np.testing.assert_allclose(fitted_neck, neck, atol=0.01)
    cameras = cameras_in_head(camera, pose, root, neck)
    direction = np.einsum("nij,nj->ni", cameras[:, :3, :3], seen)
    np.testing.assert_allclose(np.cross(direction, point - cameras[:, :3, 3]), 0, atol=1e-12)


def test_boxes_about_a_point_have_the_size_they_were_measured_with():
    cameras = np.tile(np.eye(4), (3, 1, 1))
    cameras[:, :3, 3] = [[0, 0, 1], [0.1, 0, 1.5], [0, -0.05, 2]]
    lens, center = np.tile([100.0, 110, 32, 30], (3, 1)), np.array([0.01, 0.02, -0.03])
    boxes = boxes_about(center, np.array([0.1, 0.08]), cameras, lens, (60, 64))
    half = half_size_of(boxes * [60, 60, 64, 64], center, cameras, lens)
    np.testing.assert_allclose(half, [0.1, 0.08], atol=1e-12)
    x, y = 100 * 0.01 / 1.03 + 32, -110 * 0.02 / 1.03 + 30
    np.testing.assert_allclose(boxes[0] * [60, 60, 64, 64], [y - 11 / 1.03, y + 11 / 1.03, x - 8 / 1.03, x + 8 / 1.03])
