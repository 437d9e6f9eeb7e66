import pytest
import torch
from blob_model import HEIGHT, WIDTH, head_poses, look_at_origin

from nerface_ns.model_components.camera_overlap import check_overlap, visible_points

BOX = torch.tensor([[-0.2, -0.15, -0.2], [0.2, 0.15, 0.2]])
LENS = torch.tensor([20.0, 20.0, WIDTH / 2, HEIGHT / 2])


def test_cameras_round_a_head_overlap():
    poses = head_poses()
    check_overlap(poses, LENS.expand(len(poses), 4), (HEIGHT, WIDTH), BOX)


def test_a_frame_that_looks_away_is_named():
    poses = head_poses()
    poses[3, :, 3] = torch.tensor([9.0, 0.0, 0.5])
    names = [f"train/f_{k}" for k in range(len(poses))]
    with pytest.raises(ValueError, match=r"got frame 3 \(train/f_3\), which shares none with the first"):
        check_overlap(poses, LENS.expand(len(poses), 4), (HEIGHT, WIDTH), BOX, names)


def test_visible_points_are_those_that_project_into_the_image():
    pose = look_at_origin(torch.tensor([0.1, 0.05, 0.5]))[None]
    sees = visible_points(pose, 10 * LENS[None], (HEIGHT * 10, WIDTH * 10), BOX)
    share = (torch.arange(8) + 0.5) / 8
    points = BOX[0] + torch.cartesian_prod(share, share, share) * (BOX[1] - BOX[0])
    world_to_camera = torch.linalg.inv(torch.cat([pose[0], torch.tensor([[0.0, 0.0, 0.0, 1.0]])]))
    for point, seen in zip(points, sees[0]):
        x, y, z = (world_to_camera @ torch.cat([point, torch.ones(1)]))[:3].tolist()
        inside = z < 0 and abs(x / -z) <= WIDTH / 40 and abs(y / -z) <= HEIGHT / 40
        assert bool(seen) == inside


def test_no_camera_sees_anything():
    poses = head_poses().clone()
    poses[:, :, 2] *= -1
    poses[:, :, 0] *= -1
    with pytest.raises(ValueError, match="expected training frames that see the same part of the scene"):
        check_overlap(poses, LENS.expand(len(poses), 4), (HEIGHT, WIDTH), BOX)
