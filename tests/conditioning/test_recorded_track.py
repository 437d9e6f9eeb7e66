import numpy as np
import torch

from nerface_ns.conditioning.recorded_track import RecordedTrack

EXPRESSION = torch.tensor([[0.0, 5.0], [2.0, 1.0], [4.0, -3.0], [1.0, 0.0]])
TIMES = torch.tensor([[0.1], [0.9], [0.4], [0.5]])
"""Not in order: validation and test frames of other splits lie between."""


def interpolate(times: torch.Tensor) -> torch.Tensor:
    """numpy's linear interpolation, coefficient by coefficient."""
    order = TIMES[:, 0].argsort()
    columns = [np.interp(times.numpy(), TIMES[order, 0].numpy(), column[order].numpy()) for column in EXPRESSION.T]
    return torch.from_numpy(np.stack(columns, axis=-1)).float()


def test_matches_numpy_between_before_and_behind_the_frames():
    track = RecordedTrack(EXPRESSION, TIMES)
    times = torch.linspace(-0.2, 1.2, 57)
    torch.testing.assert_close(track(times), interpolate(times))


def test_frames_at_their_own_times():
    torch.testing.assert_close(RecordedTrack(EXPRESSION, TIMES)(TIMES[:, 0]), EXPRESSION)


def test_two_frames_of_one_time_do_not_divide_by_zero():
    track = RecordedTrack(EXPRESSION, torch.tensor([[0.1], [0.5], [0.5], [0.9]]))
    values = track(torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9]))
    torch.testing.assert_close(values[[0, 1, 3, 4]], torch.tensor([[0.0, 5.0], [1.0, 3.0], [2.5, -1.5], [1.0, 0.0]]))
    assert values.isfinite().all()


def test_one_frame_holds_for_all_times():
    track = RecordedTrack(EXPRESSION[:1], TIMES[:1])
    torch.testing.assert_close(track(torch.tensor([0.0, 0.1, 1.0])), EXPRESSION[:1].repeat(3, 1))


def test_mean():
    torch.testing.assert_close(RecordedTrack(EXPRESSION, TIMES).mean, torch.tensor([1.75, 0.75]))


def test_nothing_of_it_enters_the_checkpoint():
    assert not RecordedTrack(EXPRESSION, TIMES).state_dict()
