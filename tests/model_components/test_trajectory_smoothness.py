import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from nerface_ns.model_components.trajectory_smoothness import TrajectorySmoothness

COUNT = 9


def turning(angles: torch.Tensor, positions: torch.Tensor):
    """Poses of a head that turns about y."""
    vectors = np.outer(angles.numpy(), [0.0, 1.0, 0.0])
    rotations = torch.from_numpy(Rotation.from_rotvec(vectors).as_matrix()).float()

    def poses(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return rotations[frames], positions[frames]

    return poses


def test_steady_motion_costs_nothing_whatever_the_order():
    order = torch.tensor([3, 0, 8, 1, 2, 7, 6, 4, 5])
    times = order.float() / 8
    poses = turning(0.01 * order.float(), torch.outer(order.float(), torch.tensor([0.1, 0.2, -0.1])))
    cost = TrajectorySmoothness(times)(torch.arange(COUNT), poses, unit=0.1)
    assert float(cost) == pytest.approx(0, abs=1e-6)


def test_cost_is_the_squared_acceleration():
    """One frame off by (0.02, 0, 0) gives accelerations 0.02, -0.04, 0.02 about it, in units of 0.1."""
    positions = torch.zeros(COUNT, 3)
    positions[4, 0] = 0.02
    smoothness, poses = TrajectorySmoothness(torch.arange(COUNT).float()), turning(torch.zeros(COUNT), positions)
    assert float(smoothness(torch.tensor([4]), poses, unit=0.1)) == pytest.approx(0.04 + 0.16 + 0.04, rel=1e-5)
    assert float(smoothness(torch.tensor([0]), poses, unit=0.1)) == 0
    both = smoothness(torch.tensor([4, 0]), poses, unit=0.1)
    assert float(both) == pytest.approx(0.12, rel=1e-5)


def test_turns_count_in_radians():
    angles = torch.zeros(COUNT)
    angles[4] = 0.02
    smoothness = TrajectorySmoothness(torch.arange(COUNT).float())
    cost = smoothness(torch.tensor([4]), turning(angles, torch.zeros(COUNT, 3)), unit=0.1)
    assert float(cost) == pytest.approx(6 * 0.02**2, rel=1e-3)


def test_gradient_is_that_of_all_accelerations():
    """Of the sum over the whole recording, with respect to the drawn frame."""
    generator = torch.Generator().manual_seed(0)
    positions = torch.randn(COUNT, 3, generator=generator).requires_grad_()

    def poses(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.eye(3).expand(len(frames), 3, 3), positions[frames]

    TrajectorySmoothness(torch.arange(COUNT).float())(torch.tensor([3]), poses, unit=1.0).backward()
    found = positions.grad.clone()
    positions.grad = None
    positions.diff(dim=0).diff(dim=0).square().sum().backward()
    torch.testing.assert_close(found[3], positions.grad[3])
    assert found[[0, 1, 2, 4, 5, 6, 7, 8]].abs().max() == 0


def test_frames_on_both_sides_of_a_long_gap_do_not_know_each_other():
    times = torch.tensor([0.0, 1, 2, 3, 30, 31, 32, 33, 34])
    positions = torch.zeros(COUNT, 3)
    positions[4:] = 5.0
    cost = TrajectorySmoothness(times)(torch.arange(COUNT), turning(torch.zeros(COUNT), positions), unit=1.0)
    assert float(cost) == 0


def test_missing_frames_do_not_look_like_acceleration():
    times = torch.tensor([0.0, 1, 2, 4, 5, 6, 7, 8, 9])
    poses = turning(torch.zeros(COUNT), torch.outer(times, torch.tensor([0.1, 0.0, 0.0])))
    cost = TrajectorySmoothness(times)(torch.arange(COUNT), poses, unit=0.1)
    assert float(cost) == pytest.approx(0, abs=1e-6)


def test_two_frames():
    cost = TrajectorySmoothness(torch.tensor([0.0, 1.0]))(
        torch.tensor([0, 1]), turning(torch.tensor([0.0, 1.0]), torch.zeros(2, 3)), unit=1.0
    )
    assert float(cost) == 0
