import dataclasses

import pytest
import torch

from nerface_ns.evaluation.pose_fit import moved_pose
from nerface_ns.fitting.expression_prior import TrainedSpread
from nerface_ns.fitting.fit_numbers import FitNumbers


@pytest.fixture
def numbers(subject) -> FitNumbers:
    """Of an avatar whose eyes follow a gaze."""
    made = FitNumbers.of(subject, 9)
    assert made.gaze is None
    looks = 0.2 * torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    return dataclasses.replace(made, gaze=TrainedSpread.of(looks, 2))


def test_the_start_shows_what_it_starts_from(numbers, subject):
    expression, gaze = subject.train_expression[2], torch.tensor([0.05, -0.1])
    own = numbers.start(expression, gaze)
    assert len(own) == 6 + 3 + 2
    shown = numbers.shown(subject.poses[2], own, numbers.code.encode(torch.zeros(8)))
    torch.testing.assert_close(shown.pose, subject.poses[2], atol=1e-6, rtol=0)
    torch.testing.assert_close(shown.expression, expression, atol=1e-5, rtol=0)
    torch.testing.assert_close(shown.gaze, gaze, atol=1e-6, rtol=0)
    torch.testing.assert_close(shown.code, torch.zeros(8), atol=1e-6, rtol=0)


def test_the_first_numbers_move_the_head(numbers, subject):
    own = numbers.start(subject.train_expression[2], None)
    own[:6] = torch.tensor([0.1, -0.2, 0.05, 0.3, 0.1, -0.1])
    pose = numbers.shown(subject.poses[2], own, torch.zeros(numbers.code.num_directions)).pose
    torch.testing.assert_close(pose, moved_pose(subject.poses[2], own[None, :3], own[None, 3:6]))


def test_what_is_free(numbers):
    pose_only, both = numbers.own({"pose"}), numbers.own({"expression", "gaze", "code"}, 0.02)
    assert pose_only.is_free.tolist() == [True] * 6 + [False] * 5
    assert both.is_free.tolist() == [False] * 6 + [True] * 5
    assert both.steps[:6].tolist() == pytest.approx([0.02] * 6)
    assert pose_only.precision.tolist() == [0.0] * 6 + [1.0] * 5
    assert numbers.shared({"code"}).is_free.all() and not numbers.shared({"pose"}).is_free.any()
