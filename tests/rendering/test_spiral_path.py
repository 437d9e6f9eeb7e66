import math

import pytest
import torch
from blob_model import head_poses, look_at_origin

from nerface_ns.rendering.posed_camera import turn_about
from nerface_ns.rendering.spiral_config import SpiralConfig
from nerface_ns.rendering.spiral_path import look_at, mean_pose, spiral_poses, spiral_radii

FRONT = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2]])
ORIGIN = torch.zeros(3)
OFFSETS = torch.tensor([[0.3, 0, 0], [-0.3, 0, 0], [0, 0.2, 0], [0, -0.2, 0], [0, 0, 0.1], [0, 0, -0.1]])


def cross_of_cameras(pose=FRONT):
    """Six cameras beside one, all turned as it is: 0.3 aside, 0.2 up and down, 0.1 before and behind."""
    poses = pose.repeat(6, 1, 1)
    poses[:, :, 3] += OFFSETS @ pose[:, :3].T
    return poses


def test_mean_of_turns_to_both_sides_is_the_middle():
    poses = torch.stack([turn_about(FRONT, ORIGIN, yaw) for yaw in (-20.0, 20.0)])
    middle = mean_pose(poses)
    torch.testing.assert_close(middle[:, :3], torch.eye(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(middle[:, 3], torch.tensor([0, 0, 2 * math.cos(math.radians(20))]), atol=1e-6, rtol=0)


def test_radii_hold_the_share_of_cameras():
    """Of six offsets along an axis four are zero: the largest is reached at the share of one alone."""
    torch.testing.assert_close(spiral_radii(cross_of_cameras(), 1.0), torch.tensor([0.3, 0.2, 0.1]))
    torch.testing.assert_close(spiral_radii(cross_of_cameras(), 0.6), torch.zeros(3), atol=1e-6, rtol=0)


def test_radii_are_those_of_the_cameras_own_axes():
    """A turned scene has the same ones."""
    turned = turn_about(FRONT, ORIGIN, 35.0, 15.0)
    torch.testing.assert_close(spiral_radii(cross_of_cameras(turned), 1.0), torch.tensor([0.3, 0.2, 0.1]))


def test_positions_follow_the_closed_form():
    """One round in four steps, and half a swing away from the head: right, up, left, down."""
    poses = spiral_poses(cross_of_cameras(), ORIGIN, SpiralConfig(rounds=1, depth_rate=0.5, extent=1.0, scale=2.0), 4)
    half = 0.2 * math.sin(math.pi / 4)
    expected = [[0.6, 0, 2], [0, 0.4, 2 + half], [-0.6, 0, 2.2], [0, -0.4, 2 + half]]
    torch.testing.assert_close(torch.stack(poses)[:, :, 3], torch.tensor(expected), atol=1e-5, rtol=0)


def test_all_look_at_one_point_at_the_heads_depth():
    """Also where the cameras' axis passes beside the head's centre."""
    pivot = torch.tensor([0.4, 0.1, 0.3])
    for pose in spiral_poses(cross_of_cameras(), pivot, SpiralConfig(extent=1.0), 7):
        back = torch.nn.functional.normalize(pose[:, 3] - torch.tensor([0.0, 0.0, 0.3]), dim=0)
        torch.testing.assert_close(pose[:, 2], back, atol=1e-6, rtol=0)
        torch.testing.assert_close(pose[:, :3] @ pose[:, :3].T, torch.eye(3), atol=1e-6, rtol=0)
        assert torch.det(pose[:, :3]) > 0 and pose[1, 1] > 0.9


def test_spiral_closes():
    """The step from the last to the first is like the others: whole turns."""
    path = torch.stack(spiral_poses(head_poses(), ORIGIN, SpiralConfig(extent=1.0), 200))[:, :, 3]
    steps = (path - path.roll(1, dims=0)).norm(dim=-1)
    assert steps[0] <= steps[1:].max() * 1.01


def test_look_at_is_the_cameras_that_the_data_have():
    position = torch.tensor([0.3, 0.2, 0.5])
    torch.testing.assert_close(look_at(position, ORIGIN, torch.tensor([0.0, 1.0, 0.0])), look_at_origin(position))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rounds": 0.0}, "--spiral.rounds 0.0: expected a positive number"),
        ({"scale": math.nan}, "--spiral.scale nan: expected a positive number"),
        ({"extent": 1.5}, "--spiral.extent 1.5: expected a share above 0, up to 1"),
        ({"depth_rate": -1.0}, "--spiral.depth-rate -1.0: expected 0 or more"),
    ],
)
def test_numbers_that_make_no_spiral(settings, message):
    with pytest.raises(ValueError, match=message):
        SpiralConfig(**settings).check()
