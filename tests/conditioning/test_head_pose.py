import torch
from scipy.spatial.transform import Rotation

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


def turned_cameras(count=12, seed=3):
    """Cameras about one place, turned by up to half a radian."""
    generator = torch.Generator().manual_seed(seed)
    rotation = torch.from_numpy(
        Rotation.from_rotvec((torch.rand(count, 3, generator=generator) - 0.5).numpy()).as_matrix()
    ).float()
    position = torch.tensor([0.0, 0.1, 1.0]) + 0.2 * torch.randn(count, 3, generator=generator)
    return torch.cat([rotation, position[:, :, None]], dim=-1)


def test_what_stands_still_before_the_camera_comes_to_rest_at_one_place():
    cameras = turned_cameras()
    encoding = HeadPoseEncoding(cameras)
    motion = encoding.to_rest(cameras[:, :, :3], cameras[:, :, 3])
    before_camera = torch.tensor([0.2, -0.5, -1.1])
    seen = cameras[:, :, :3] @ before_camera + cameras[:, :, 3]
    resting = torch.einsum("nij,nj->ni", motion[:, :, :3], seen) + motion[:, :, 3]
    expected = encoding.mean_rotation @ before_camera + encoding.mean_position
    torch.testing.assert_close(resting, expected.expand(len(cameras), 3), atol=2e-6, rtol=1e-5)


def test_a_camera_from_elsewhere_rests_as_one_at_the_margin():
    cameras = turned_cameras()
    encoding = HeadPoseEncoding(cameras)
    far = cameras[:1].clone()
    far[:, 0, 3] += 50.0
    farther = far.clone()
    farther[:, 0, 3] += 7.0
    motion, other = (encoding.to_rest(camera[:, :, :3], camera[:, :, 3]) for camera in (far, farther))
    torch.testing.assert_close(motion, other)
    turn = motion[0, :, :3]
    torch.testing.assert_close(turn @ turn.T, torch.eye(3), atol=1e-5, rtol=0)
