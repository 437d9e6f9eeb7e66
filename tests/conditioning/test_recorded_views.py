import pytest
import torch

from nerface_ns.conditioning.head_pose import HeadPoseEncoding
from nerface_ns.conditioning.recorded_views import RecordedViews


def turned(angles):
    """Cameras one unit from the origin, turned about y by some angles."""
    angles = torch.as_tensor(angles)
    cosine, sine, zero, one = angles.cos(), angles.sin(), torch.zeros_like(angles), torch.ones_like(angles)
    rows = [cosine, zero, sine, sine, zero, one, zero, zero, -sine, zero, cosine, cosine]
    return torch.stack(rows, dim=-1).reshape(-1, 3, 4)


POSES = turned([-0.3, -0.1, 0.2, 0.4])
EXPRESSION = torch.tensor([[0.0, 1.0], [0.5, 0.0], [1.0, 0.2], [0.3, 0.6]])


@pytest.fixture
def views():
    return RecordedViews(POSES, EXPRESSION)


def test_recorded_pose_shows_its_frames_expression(views):
    """All four, exactly."""
    torch.testing.assert_close(views(POSES), EXPRESSION)


def test_between_poses_every_frame_counts_by_its_distance(views):
    """Inverse fourth powers, summed in a loop."""
    encoding, pose = HeadPoseEncoding(POSES), turned([0.05])
    place = encoding(pose[:, :, :3], pose[:, :, 3])[0]
    weights = [float((place - known).norm()) ** -4 for known in encoding(POSES[:, :, :3], POSES[:, :, 3])]
    expected = sum(weight * row for weight, row in zip(weights, EXPRESSION)) / sum(weights)
    torch.testing.assert_close(views(pose)[0], expected, atol=1e-5, rtol=0)


def test_way_from_one_pose_to_the_next_has_no_jump(views):
    """A hundredth of the way never changes a coefficient by more than a tenth."""
    path = views(turned(torch.linspace(-0.3, 0.4, 300)))
    assert path.diff(dim=0).abs().max() < 0.1


def test_poses_outside_show_what_was_recorded_at_the_edge(views):
    """As for the head pose itself, the range ends with the recorded poses."""
    torch.testing.assert_close(views(turned([1.2]))[0], EXPRESSION[3], atol=0.02, rtol=0)


def test_head_that_never_moved_shows_the_average():
    """All frames count alike."""
    still = POSES[:1].expand(4, -1, -1)
    views = RecordedViews(still, EXPRESSION)
    torch.testing.assert_close(views(still[:1]), EXPRESSION.mean(dim=0, keepdim=True))


def test_nothing_of_it_is_saved(views):
    """Checkpoints stay as they are."""
    assert views.state_dict() == {}
