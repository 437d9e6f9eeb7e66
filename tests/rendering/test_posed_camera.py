import math

import pytest
import torch
from nerfstudio.cameras.cameras import Cameras

from nerface_ns.rendering.posed_camera import middle_camera, posed_camera, resized_camera, turn_about

POSE = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2]])


def test_turn_of_90_degrees_looks_from_the_side():
    """A camera on +z looking at the origin ends on +x, looking along -x."""
    turned = turn_about(POSE, torch.zeros(3), 90.0)
    torch.testing.assert_close(turned[:, 3], torch.tensor([2.0, 0, 0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(turned[:, 2], torch.tensor([1.0, 0, 0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(turned[:, 1], torch.tensor([0.0, 1, 0]), atol=1e-6, rtol=0)


def test_positive_pitch_moves_the_camera_up():
    """30 degrees up: height 2 sin 30."""
    turned = turn_about(POSE, torch.zeros(3), 0.0, 30.0)
    torch.testing.assert_close(turned[:, 3], torch.tensor([0.0, 1.0, math.sqrt(3)]), atol=1e-6, rtol=0)


def test_turning_keeps_the_distance_and_the_view_of_the_pivot():
    """The pivot stays where it was in the camera's own frame."""
    pivot = torch.tensor([0.1, -0.2, 0.3])
    turned = turn_about(POSE, pivot, 37.0, -12.0)
    before = POSE[:, :3].T @ (pivot - POSE[:, 3])
    after = turned[:, :3].T @ (pivot - turned[:, 3])
    torch.testing.assert_close(after, before)


def test_middle_camera_is_nearest_to_the_mean_position():
    """Of cameras at -3, 0.5 and 4 the second is nearest to the mean, 0.5."""
    poses = POSE.repeat(3, 1, 1)
    poses[:, 0, 3] = torch.tensor([-3.0, 0.5, 4.0])
    assert middle_camera(poses) == 1


@pytest.fixture
def camera():
    metadata = {"expression": torch.full((1, 2), 9.0), "frame_index": torch.zeros(1, 1, dtype=torch.long)}
    return Cameras(POSE[None], fx=50.0, fy=40.0, cx=16.0, cy=10.0, width=32, height=20, metadata=metadata)


def test_copy_shows_what_it_is_told_and_claims_no_training_frame(camera):
    """Pose, expression and code are the new ones; the original keeps its own."""
    pose = turn_about(POSE, torch.zeros(3), 20.0)
    copy = posed_camera(camera, pose, torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.25, 0.0]))
    torch.testing.assert_close(copy.camera_to_worlds, pose[None])
    torch.testing.assert_close(copy.metadata["expression"], torch.tensor([[1.0, 2.0]]))
    torch.testing.assert_close(copy.metadata["latent_code"], torch.tensor([[0.5, 0.25, 0.0]]))
    assert copy.metadata["frame_index"].item() == -1
    assert camera.metadata["expression"][0, 0] == 9.0 and "latent_code" not in camera.metadata


def test_a_code_that_is_not_asked_for_is_left_to_the_model(camera):
    """Without a code the camera carries none."""
    assert "latent_code" not in posed_camera(camera, POSE, torch.zeros(2)).metadata


def test_resized_camera_sees_the_same(camera):
    """A pixel's ray at twice the size is that of the pixel it covers a quarter of, in fractions of the image."""
    large = resized_camera(camera, 50)
    assert (int(large.height[0]), int(large.width[0])) == (50, 80)
    corner = torch.tensor([[0.0, 0.0]])
    expected = camera.generate_rays(0, coords=corner).directions
    torch.testing.assert_close(large.generate_rays(0, coords=corner).directions, expected)
    assert int(camera.height[0]) == 20
