import math

import pytest
import torch
from nerfstudio.cameras.cameras import Cameras

from nerface_ns.rendering.demo_cameras import expression_sweeps, sweep_weights, turntable
from nerface_ns.rendering.posed_camera import turn_about

POSE = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2]])


def test_left_and_right_move_together_at_their_training_maximum():
    """A named pair is one sweep; a coefficient of no known name comes after, by how much it varies."""
    names = ("noise", "mouthSmileRight", "jawOpen", "mouthSmileLeft", "wide")
    train = torch.tensor([[0.0, 0.1, 0.0, 0.2, 0.0], [0.1, 0.7, 0.9, 0.5, 3.0]])
    sweeps = expression_sweeps(names, train, num_sweeps=3)
    assert list(sweeps) == ["jawOpen", "mouthSmile", "wide"]
    torch.testing.assert_close(sweeps["mouthSmile"], torch.tensor([0.0, 0.7, 0, 0.5, 0]))
    torch.testing.assert_close(sweeps["wide"], torch.tensor([0.0, 0, 0, 0, 3.0]))


def test_sweeps_rise_and_fall_one_after_the_other():
    """Two sweeps of four frames each follow half a sine."""
    weights = sweep_weights(8, 2)
    half = torch.tensor([math.sin(math.pi * k / 4) for k in range(4)])
    torch.testing.assert_close(weights[:, 0], torch.cat([half, torch.zeros(4)]), atol=1e-6, rtol=0)
    torch.testing.assert_close(weights[:, 1], torch.cat([torch.zeros(4), half]), atol=1e-6, rtol=0)


@pytest.fixture
def camera():
    metadata = {"expression": torch.full((1, 2), 9.0), "frame_index": torch.zeros(1, 1, dtype=torch.long)}
    return Cameras(POSE[None], fx=50.0, fy=50.0, cx=16.0, cy=16.0, width=32, height=32, metadata=metadata)


def test_turntable_drives_pose_and_expression(camera):
    """Cameras start where the given one stood, carry the swept expression, and claim no training frame."""
    sweeps = {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([0.0, 2.0])}
    track = turntable(camera, torch.zeros(3), sweeps, 8, yaw_range_deg=20.0)
    assert len(track) == 8
    torch.testing.assert_close(track[0][0].camera_to_worlds[0], POSE)
    posed, weights = track[2]
    torch.testing.assert_close(posed.camera_to_worlds[0], turn_about(POSE, torch.zeros(3), 20.0))
    torch.testing.assert_close(posed.metadata["expression"], torch.stack([weights[0], 2 * weights[1]])[None])
    assert posed.metadata["frame_index"].item() == -1
    assert camera.metadata["expression"][0, 0] == 9.0
