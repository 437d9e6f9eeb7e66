import pytest
import torch

from nerface_ns.field_components.torso_frame import TorsoFrameConfig

AABB = torch.tensor([[-1.0, -2.0, -1.0], [1.0, 2.0, 3.0]])


def forced(share_logit):
    """A frame whose weights are the same everywhere."""
    torso = TorsoFrameConfig(resolution=4).setup()
    torso.rest_grids.data.fill_(share_logit / 10)
    return torso


def motions():
    """A quarter turn about y with a shift, and no motion."""
    turn = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    moved = torch.cat([turn, torch.tensor([[0.1], [0.2], [0.3]])], dim=1)
    return torch.stack([moved, torch.eye(3, 4)])


@pytest.mark.parametrize(("logit", "share"), [(-60.0, 0.0), (0.0, 0.5), (60.0, 1.0)])
def test_points_go_as_far_as_they_belong_to_the_torso(logit, share):
    positions = torch.rand(5, 3) * 2 - 1
    rows = torch.tensor([0, 0, 0, 1, 1])
    moved = torch.stack([motions()[r, :, :3] @ p + motions()[r, :, 3] for r, p in zip(rows, positions)])
    placed, found = forced(logit)(positions, rows, motions(), AABB)
    torch.testing.assert_close(found, torch.full((5, 1), share))
    torch.testing.assert_close(placed, (1 - share) * positions + share * moved)


def test_the_lower_part_of_the_box_starts_as_torso():
    torso = TorsoFrameConfig(resolution=41, start_height=0.25, softness=0.1).setup()
    heights = torch.tensor([0.0, 0.15, 0.25, 0.35, 1.0])
    points = torch.stack([torch.full_like(heights, 0.3), heights, torch.full_like(heights, 0.7)], dim=-1)
    expected = torch.sigmoid((0.25 - heights) / 0.1)
    torch.testing.assert_close(torso.share(points, points)[:, 0], expected, atol=1e-4, rtol=0)


def test_both_places_decide():
    torso = TorsoFrameConfig(resolution=2).setup()
    torso.rest_grids.data.zero_()
    torso.rest_grids.data[4:] = 0.3  # x = 1
    torso.head_grids.data[1::2] = -0.1  # z = 1
    points, resting = torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[0.5, 0.2, 0.1]])
    torch.testing.assert_close(torso.share(points, resting), torch.sigmoid(torch.tensor([[10 * (0.15 - 0.1)]])))


@pytest.mark.parametrize("changes", [{"resolution": 1}, {"softness": 0.0}])
def test_impossible_settings_are_refused(changes):
    with pytest.raises(ValueError, match="torso: expected resolution >= 2 and softness > 0"):
        TorsoFrameConfig(**changes).setup()
