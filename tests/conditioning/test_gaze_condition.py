import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from nerface_ns.conditioning.gaze import GazeRange, gaze_rotation, gaze_towards
from nerface_ns.synthetic.head_mesh import gaze_rotation as mesh_rotation
from nerface_ns.tracks.trained_range import soft_clamp

GAZES = torch.tensor([[0.0, 0.0], [0.3, 0.0], [0.0, 0.5], [-0.25, 0.45], [0.2, -0.6]])
TRAINED = torch.tensor([[-0.2, -0.4], [0.1, 0.5], [0.0, 0.0]])


def test_rotations_are_scipys():
    """Up about -x, then aside about the head's own y."""
    expected = [
        Rotation.from_rotvec([0, yaw, 0]) * Rotation.from_rotvec([-pitch, 0, 0]) for pitch, yaw in GAZES.numpy()
    ]
    expected = np.stack([turn.as_matrix() for turn in expected])
    np.testing.assert_allclose(gaze_rotation(GAZES).numpy(), expected, atol=1e-6)


def test_rotations_are_those_of_the_demo_heads_eyes():
    expected = np.stack([mesh_rotation(pitch, yaw) for pitch, yaw in GAZES.tolist()])
    np.testing.assert_allclose(gaze_rotation(GAZES).numpy(), expected, atol=1e-6)


def test_pitch_looks_up_and_yaw_towards_x():
    up, aside = gaze_rotation(torch.tensor([[0.3, 0.0], [0.0, 0.4]]))[:, :, 2]
    torch.testing.assert_close(up, torch.tensor([0.0, math.sin(0.3), math.cos(0.3)]))
    torch.testing.assert_close(aside, torch.tensor([math.sin(0.4), 0.0, math.cos(0.4)]))


def test_gaze_towards_undoes_the_rotation():
    directions = gaze_rotation(GAZES)[:, :, 2] * torch.tensor([0.1, 1.0, 3.0, 0.5, 20.0])[:, None]
    torch.testing.assert_close(gaze_towards(directions), GAZES, atol=1e-6, rtol=1e-6)


def test_nobody_looks_at_their_own_eyes():
    with pytest.raises(ValueError, match="expected a point away from the eyes"):
        gaze_towards(torch.zeros(3))


def test_soft_clamp_is_that_of_tracks():
    asked = torch.linspace(-1.5, 1.5, 61)[:, None].repeat(1, 2)
    low, high = TRAINED.amin(dim=0), TRAINED.amax(dim=0)
    expected = soft_clamp(asked.double().numpy(), low.double().numpy(), high.double().numpy(), 0.1)
    np.testing.assert_allclose(GazeRange(TRAINED, margin=0.1)(asked).numpy(), expected, atol=1e-6)


def test_an_angle_that_never_moved_stays():
    still = torch.tensor([[0.1, -0.3], [0.1, 0.3]])
    shown = GazeRange(still)(torch.tensor([[0.5, 0.2], [-0.5, 0.2]]))
    torch.testing.assert_close(shown, torch.tensor([[0.1, 0.2], [0.1, 0.2]]))


def test_how_far_outside():
    gaze = torch.deg2rad(torch.tensor([[5.0, 0.0], [0.0, -40.0]]))
    expected = torch.tensor([0.0, 40.0 - math.degrees(0.4)])
    torch.testing.assert_close(GazeRange(TRAINED).outside_deg(gaze), expected, atol=1e-4, rtol=0)


def test_the_range_lives_in_the_checkpoint():
    other = GazeRange(torch.zeros(1, 2))
    other.load_state_dict(GazeRange(TRAINED).state_dict())
    torch.testing.assert_close(other.high, torch.tensor([0.1, 0.5]))


def test_samples_fill_the_range():
    torch.manual_seed(0)
    drawn = GazeRange(TRAINED).sample(2000)
    torch.testing.assert_close(drawn.amin(dim=0), torch.tensor([-0.2, -0.4]), atol=0.01, rtol=0)
    torch.testing.assert_close(drawn.amax(dim=0), torch.tensor([0.1, 0.5]), atol=0.01, rtol=0)
