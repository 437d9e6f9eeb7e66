import dataclasses

import pytest
import torch
from blob_model import HEIGHT, NUM_FRAMES, WIDTH, head_poses, make_cameras

from nerface_ns.models.gaze_region import GazeRegionConfig, nearest_point

AABB = torch.tensor([[-0.2, -0.15, -0.2], [0.2, 0.15, 0.2]])
EYES, SIZE = torch.tensor([0.01, 0.04, 0.09]), torch.tensor([0.1, 0.04])


def eyes_boxes(poses: torch.Tensor, eyes: torch.Tensor = EYES) -> torch.Tensor:
    """Boxes round a card of `SIZE` at the eyes that faces each camera."""
    cameras = make_cameras()
    local = torch.einsum("nij,ni->nj", poses[:, :, :3], eyes - poses[:, :, 3])
    depth = -local[:, 2:]
    centre = local[:, :2] / depth * torch.tensor([1.0, -1.0]) * cameras.fx + torch.tensor([WIDTH, HEIGHT]) / 2
    half = SIZE / depth * cameras.fx / 2
    size = torch.tensor([WIDTH, HEIGHT])
    low, high = (centre - half) / size, (centre + half) / size
    return torch.stack([low[:, 1], high[:, 1], low[:, 0], high[:, 0]], dim=-1)


def find(poses: torch.Tensor, boxes: torch.Tensor, **settings) -> torch.Tensor:
    cameras = make_cameras()
    cameras = dataclasses.replace(cameras, camera_to_worlds=poses)
    return GazeRegionConfig(**settings).setup().find(cameras, poses, boxes, AABB)


def test_rays_through_a_point_meet_there():
    origins = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    point = torch.tensor([0.1, 0.2, -0.3], dtype=torch.float64)
    directions = torch.nn.functional.normalize(point - origins, dim=-1)
    torch.testing.assert_close(nearest_point(origins, directions, point), point)


def test_region_is_where_and_as_large_as_the_eyes():
    poses = head_poses()
    low, high = find(poses, eyes_boxes(poses))
    torch.testing.assert_close((low + high) / 2, EYES, atol=2e-4, rtol=0)
    torch.testing.assert_close((high - low)[:2], SIZE, atol=1e-3, rtol=0)
    torch.testing.assert_close(high[2] - low[2], SIZE.prod().sqrt(), atol=1e-3, rtol=0)


def test_settings_scale_it():
    poses = head_poses()
    low, high = find(poses, eyes_boxes(poses), scale=2.0, depth_share=0.5)
    torch.testing.assert_close(high - low, torch.tensor([0.2, 0.08, 0.5 * (0.2 * 0.08) ** 0.5]), atol=1e-3, rtol=0)


def test_a_head_that_never_turned_has_its_eyes_at_the_middles_depth():
    """One direction tells no depth, so the scene box's centre does."""
    poses = head_poses()[3:4].repeat(NUM_FRAMES, 1, 1)
    low, high = find(poses, eyes_boxes(poses))
    away = torch.nn.functional.normalize(EYES - poses[0, :, 3], dim=0)
    assert abs(float((low + high) / 2 @ away)) < 1e-3


def test_boxes_that_do_not_meet_in_the_head():
    poses = head_poses()
    boxes = eyes_boxes(poses, EYES + torch.tensor([0.0, 0.3, 0.0]))
    with pytest.raises(ValueError, match="eyes boxes: expected them to meet within the scene box"):
        find(poses, boxes)
