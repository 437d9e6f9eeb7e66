import torch

from nerface_ns.conditioning.head_pose import RANGE_MARGIN, HeadPoseEncoding


def rotation_about(axis: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Rotations by the exponential of the cross-product matrix."""
    x, y, z = (axis * angle[:, None]).unbind(-1)
    zero = torch.zeros_like(x)
    return torch.matrix_exp(torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(-1, 3, 3))


def random_poses(num_frames: int = 40, spread: float = 0.3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    axis = torch.nn.functional.normalize(torch.randn(num_frames, 3, generator=generator), dim=-1)
    rotation = rotation_about(axis, torch.randn(num_frames, generator=generator) * spread)
    turned = rotation_about(torch.tensor([[0.0, 1.0, 0.0]]), torch.tensor([2.0])) @ rotation
    return torch.cat([turned, torch.randn(num_frames, 3, 1, generator=generator)], dim=-1)


def test_training_frames_have_unit_spread_and_positions_zero_mean():
    poses = random_poses()
    codes = HeadPoseEncoding(poses)(poses[:, :, :3], poses[:, :, 3])
    torch.testing.assert_close(codes.std(dim=0, unbiased=False), torch.ones(6))
    torch.testing.assert_close(codes[:, 3:].mean(dim=0), torch.zeros(3), atol=1e-5, rtol=0)


def test_rotation_enters_as_axis_times_sine_of_the_angle():
    encoding = HeadPoseEncoding(random_poses(spread=1.0))
    axis = torch.nn.functional.normalize(torch.tensor([[0.3, -0.5, 0.8]]), dim=-1)
    rotation = encoding.mean_rotation @ rotation_about(axis, torch.tensor([0.2]))
    code = encoding(rotation, encoding.mean_position[None])
    expected = axis * torch.sin(torch.tensor(0.2)) / encoding.spread[:3]
    torch.testing.assert_close(code, torch.cat([expected, torch.zeros(1, 3)], dim=-1), atol=1e-5, rtol=1e-5)


def test_mean_rotation_is_a_rotation():
    mean = HeadPoseEncoding(random_poses()).mean_rotation
    torch.testing.assert_close(mean @ mean.T, torch.eye(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.det(mean), torch.tensor(1.0))


def test_cameras_that_leave_the_recording_stop_a_little_beyond_it():
    poses = random_poses()
    encoding = HeadPoseEncoding(poses)
    codes = encoding(poses[:, :, :3], poses[:, :, 3])
    far = encoding(encoding.mean_rotation[None], torch.tensor([[1e3, -1e3, 1e3]]))
    low, high = codes[:, 3:].amin(dim=0), codes[:, 3:].amax(dim=0)
    margin = RANGE_MARGIN * (high - low)
    torch.testing.assert_close(
        far[0, 3:], torch.stack([(high + margin)[0], (low - margin)[1], (high + margin)[2]]), atol=1e-5, rtol=1e-5
    )


def test_one_training_frame_is_the_origin():
    poses = random_poses(1)
    torch.testing.assert_close(
        HeadPoseEncoding(poses)(poses[:, :, :3], poses[:, :, 3]), torch.zeros(1, 6), atol=1e-2, rtol=0
    )
