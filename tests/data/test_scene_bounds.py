from __future__ import annotations

import numpy as np
import pytest
from tiny_face import look_at_origin

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.frame_json import read_frame_file
from nerface_ns.data.scene_bounds import estimate_near_far, estimate_scene_box, head_center

SIZE = 200
INTRINSICS = np.array([700.0, 700.0, 100.5, 100.5])


def orbit(yaws_deg) -> np.ndarray:
    yaws = np.radians(yaws_deg)
    return np.stack([look_at_origin(0.5 * np.array([np.sin(yaw), 0.1, np.cos(yaw)])) for yaw in yaws])


def project_boxes(points: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Boxes around the points in each image, as fractions."""
    boxes = []
    for pose in poses:
        local = (points - pose[:3, 3]) @ pose[:3, :3]
        x = (700 * local[:, 0] / -local[:, 2] + 100.5) / SIZE
        y = (-700 * local[:, 1] / -local[:, 2] + 100.5) / SIZE
        boxes.append([y.min(), y.max(), x.min(), x.max()])
    return np.array(boxes)


def test_head_center_is_where_the_box_rays_meet():
    target = np.array([0.02, -0.01, 0.015])
    poses = orbit(np.linspace(-60, 60, 9))
    boxes_px = project_boxes(target[None], poses) * SIZE
    np.testing.assert_allclose(head_center(poses, np.tile(INTRINSICS, (9, 1)), boxes_px), target, atol=2e-3)


def test_head_center_of_parallel_cameras_is_near_the_origin():
    """Cameras that all look along z leave the depth open; the prior puts it at the origin."""
    poses = np.tile(look_at_origin(np.array([0.0, 0.0, 0.5])), (4, 1, 1))
    center = head_center(poses, np.tile(INTRINSICS, (4, 1)), np.tile([[80.5, 120.5, 80.5, 120.5]], (4, 1)))
    np.testing.assert_allclose(center, 0, atol=1e-6)


def test_scene_box_holds_the_points_and_not_much_more():
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(5000, 3))
    head = directions / np.linalg.norm(directions, axis=1, keepdims=True) * [0.04, 0.055, 0.045]
    poses = orbit(np.linspace(-40, 40, 21))
    box = estimate_scene_box(poses, np.tile(INTRINSICS, (21, 1)), project_boxes(head, poses), (SIZE, SIZE), margin=1.05)
    assert ((head > box[0]) & (head < box[1])).all()
    assert (box[1] - box[0] < 1.6 * np.array([0.08, 0.11, 0.11])).all()


def test_box_that_touches_the_edge_does_not_cut_what_leaves_the_image():
    """A neck that runs out of the lower edge in all frames but one keeps its length."""
    neck = np.stack(np.meshgrid([-0.03, 0.03], np.linspace(-0.1, 0.05, 30), [-0.02, 0.02]), axis=-1).reshape(-1, 3)
    poses = orbit(np.linspace(-30, 30, 20))
    poses[1:, 1, 3] += 0.03
    boxes = project_boxes(neck, poses).clip(0, 1)
    box = estimate_scene_box(poses, np.tile(INTRINSICS, (20, 1)), boxes, (SIZE, SIZE), margin=1.05)
    visible = neck[neck[:, 1] > -0.055]
    assert ((visible > box[0]) & (visible < box[1])).all()


def test_camera_that_looks_away_is_refused():
    poses = orbit([0.0, 10.0, 20.0])
    poses[1, :3, 2] *= -1
    poses[1, :3, 0] *= -1
    with pytest.raises(ValueError, match="frame 1 looking away"):
        estimate_scene_box(poses, np.tile(INTRINSICS, (3, 1)), np.tile([0.2, 0.8, 0.2, 0.8], (3, 1)), (SIZE, SIZE), 1.0)


def test_near_far_against_sampled_box():
    poses = orbit([-40, 0, 40])
    box = np.array([[-0.05, -0.08, -0.06], [0.06, 0.07, 0.05]])
    near, far = estimate_near_far(poses, box)
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 41)] * 3), axis=-1).reshape(-1, 3) * (box[1] - box[0]) + box[0]
    distance = np.linalg.norm(grid[:, None] - poses[None, :, :3, 3], axis=-1)
    assert near == pytest.approx(distance.min(), abs=1e-3)
    assert far == pytest.approx(distance.max(), abs=1e-9)


def test_camera_inside_the_box_gets_a_small_near_plane():
    near, far = estimate_near_far(orbit([0]), np.array([[-1.0, -1, -1], [1, 1, 1]]))
    assert near == pytest.approx(0.01 * far)


def test_reference_head_lies_in_its_scene_box(shared_data):
    """Masked pixels at their true depth, of frames and views never trained, are inside the box and near..far."""
    import cv2

    root = shared_data / "head_a"
    outputs = NeRFaceDataParserConfig(data=root, resolution=64).setup().get_dataparser_outputs("train")
    low, high = outputs.scene_box.aabb.numpy()
    near, far = outputs.metadata["near_far"]
    share, fits = [], []
    for split in ("test", "nvs"):
        frame_file = read_frame_file(root / f"transforms_{split}.json")
        for frame in frame_file.frames[::5]:
            depth = cv2.imread(str(root / "depth" / f"{frame.file_path}.png"), cv2.IMREAD_UNCHANGED) / 1e5
            mask = cv2.imread(str(root / "masks" / f"{frame.file_path}.png"), cv2.IMREAD_UNCHANGED) > 127
            row, column = np.nonzero(mask & (depth > 0))
            slope = np.stack([(column - 128) / frame_file.fx_px, -(row - 128) / frame_file.fy_px], axis=-1)
            ray = np.concatenate([slope, -np.ones((len(row), 1))], axis=-1) * depth[row, column, None]
            points = ray @ frame.camera_to_world[:3, :3].T + frame.camera_to_world[:3, 3]
            share.append(((points > low) & (points < high)).all(axis=1).mean())
            distance = np.linalg.norm(ray, axis=1)
            fits.append((near < distance.min()) and (distance.max() < far))
    assert np.mean(share) >= 0.999
    assert all(fits)
