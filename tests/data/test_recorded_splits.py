from __future__ import annotations

import numpy as np
import pytest

from nerface_ns.data.recorded_splits import first_share, recorded_times, split_last, split_last_only


def test_times_follow_the_frame_numbers():
    """Validation frames stand between their neighbours in the recording, extra views where their frame does."""
    names = {"train": ["train/f_10", "train/f_13"], "val": ["val/f_11"], "test": ["test/f_20"], "nvs": ["nvs/f_13"]}
    times = recorded_times(names, extra=("nvs",))
    assert {split: values.tolist() for split, values in times.items()} == {
        "train": [0.0, pytest.approx(2 / 3)],
        "val": [pytest.approx(1 / 3)],
        "test": [1.0],
        "nvs": [pytest.approx(2 / 3)],
    }


@pytest.mark.parametrize("names", [["f_0", "f_1"], ["a", "b"]])
def test_splits_follow_each_other_when_numbers_tell_nothing(names):
    """Numbers that start anew in each split, or no numbers at all."""
    times = recorded_times({"train": names, "val": names[:1], "test": names})
    np.testing.assert_allclose(np.concatenate(list(times.values())), np.linspace(0, 1, 5))


def test_single_frame_is_at_the_start():
    assert recorded_times({"train": ["f_3"]})["train"].tolist() == [0.0]


def test_split_last_holds_out_the_end_and_spreads_validation():
    rows = split_last(100, num_test=15, num_val=5)
    assert rows["test"] == list(range(85, 100))
    assert rows["val"] == [8, 25, 42, 59, 76]
    assert sorted(rows["train"] + rows["val"]) == list(range(85))


@pytest.mark.parametrize(("num_test", "num_val"), [(0, 2), (9, 2), (3, 0)])
def test_split_without_frames_is_refused(num_test, num_val):
    with pytest.raises(ValueError, match=f"got 10 frames for {num_test} test and {num_val} validation"):
        split_last(10, num_test, num_val)


def test_split_last_only_validates_on_test_frames():
    rows = split_last_only(200, num_test=150)
    assert rows["train"] == list(range(50)) and rows["test"] == list(range(50, 200))
    assert rows["val"] == [50, 120, 190]


@pytest.mark.parametrize("num_test", [-1, 0, 10, 11])
def test_split_last_only_without_frames_is_refused(num_test):
    with pytest.raises(ValueError, match=f"got 10 frames for {num_test} test frames"):
        split_last_only(10, num_test)


@pytest.mark.parametrize(
    ("share", "kept"), [(1.0, [0, 1, 2, 3]), (0.5, [0, 2]), (0.25, [2]), (0.01, [2]), (0.74, [0, 2])]
)
def test_first_share_keeps_whole_frames_in_their_order(share, kept):
    """Places 0.3, 0.9, 0.1, 0.7 in the recording: frame 2 comes first, then frame 0."""
    assert first_share(np.array([0.3, 0.9, 0.1, 0.7]), share).tolist() == kept


def test_first_share_does_not_lose_a_frame_to_rounding():
    """0.29 * 100 is a little less than 29."""
    assert len(first_share(np.arange(100) / 99, 0.29)) == 29
