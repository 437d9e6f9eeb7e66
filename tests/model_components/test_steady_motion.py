import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from nerface_ns.model_components.steady_motion import steady, steady_poses, stiffness

COUNT = 240
NOISE = 0.035


def slow_motion(count: int = COUNT) -> np.ndarray:
    """Rotation vectors of a head that looks about, one turn in two to four seconds."""
    time = np.arange(count) / 25
    return np.stack([0.1 * np.sin(2.1 * time), 0.4 * np.sin(1.6 * time + 0.5), 0.05 * np.cos(3.0 * time)], axis=1)


def cameras_of(vectors: np.ndarray, head: np.ndarray) -> torch.Tensor:
    rotation = Rotation.from_rotvec(vectors).as_matrix().transpose(0, 2, 1)
    position = -np.einsum("nij,nj->ni", rotation, head)
    return torch.from_numpy(np.concatenate([rotation, position[:, :, None]], axis=2)).float()


def turn_error(poses: torch.Tensor, truth: torch.Tensor) -> float:
    """Root mean square angle, radians."""
    turns = truth[:, :, :3].transpose(1, 2) @ poses[:, :, :3]
    angles = Rotation.from_matrix(turns.double().numpy()).magnitude()
    return float(np.sqrt((angles**2).mean()))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_independent_errors_go(seed):
    """Of two degrees and of 2 % of the distance, to less than half."""
    random = np.random.default_rng(seed)
    head = np.tile([0.0, 0.0, -0.5], (COUNT, 1)) + 0.02 * slow_motion()
    truth = cameras_of(slow_motion(), head)
    noise = random.normal(scale=NOISE, size=(COUNT, 3)), random.normal(scale=0.01, size=(COUNT, 3))
    noisy = cameras_of(slow_motion() + noise[0], head + noise[1])
    times = torch.arange(COUNT).float()
    found = steady_poses(noisy, times)
    assert turn_error(found, truth) < 0.5 * turn_error(noisy, truth)
    assert (found - truth)[:, :, 3].norm(dim=1).mean() < 0.5 * (noisy - truth)[:, :, 3].norm(dim=1).mean()
    torch.testing.assert_close(found[:, :, :3].transpose(1, 2) @ found[:, :, :3], torch.eye(3).expand(COUNT, 3, 3))
    order = torch.from_numpy(random.permutation(COUNT))
    torch.testing.assert_close(steady_poses(noisy[order], times[order]), found[order])


def test_poses_without_such_errors_stay():
    truth = cameras_of(slow_motion(), np.tile([0.0, 0.0, -0.5], (COUNT, 1)))
    found = steady_poses(truth, torch.arange(COUNT).float())
    torch.testing.assert_close(found, truth, atol=2e-6, rtol=0)


def test_few_frames_stay():
    random = np.random.default_rng(0)
    poses = cameras_of(random.normal(scale=NOISE, size=(12, 3)), np.tile([0.0, 0.0, -0.5], (12, 1)))
    assert steady_poses(poses, torch.arange(12).float()) is poses


def test_motion_is_the_least_squares_one():
    """Against a dense system, with frames missing and a break that nothing is known across."""
    random = np.random.default_rng(3)
    motion = slow_motion(60) + random.normal(scale=NOISE, size=(60, 3))
    gaps = np.ones(59)
    gaps[[10, 11, 30]], gaps[45] = 2.0, 50.0
    rows = []
    for i in range(1, 59):
        before, after = gaps[i - 1], gaps[i]
        if max(before, after) < 10:
            row = np.zeros(60)
            row[i - 1 : i + 2] = [1 / before, -1 / before - 1 / after, 1 / after]
            rows.append(row / np.sqrt((before + after) / 2))
    accelerations = np.stack(rows)
    system = np.eye(60) + stiffness(motion) * accelerations.T @ accelerations
    np.testing.assert_allclose(steady(motion, gaps), np.linalg.solve(system, motion), atol=1e-9)


@pytest.mark.parametrize("ratio", [10.0, 1000.0])
def test_stiffness_is_that_of_motion_and_noise(ratio):
    """Noise of variance `ratio` on a motion of white acceleration of variance 1, within an order of magnitude.

    Where a motion is cut off its cosine transform has a kink, which counts as acceleration: motion is favoured.
    """
    random = np.random.default_rng(5)
    motion = np.cumsum(np.cumsum(random.normal(size=(600, 3)), axis=0), axis=0)
    found = stiffness(motion + np.sqrt(ratio) * random.normal(size=(600, 3)))
    assert ratio / 10 < found < ratio * 3
