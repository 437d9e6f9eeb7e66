import numpy as np
import pytest
from sample_track import make_track

from nerface_ns.tracks.even_timing import evenly_timed


def test_even_times_leave_the_frames():
    track = make_track(count=9)
    even = evenly_timed(track, 3.0 + np.arange(9) / 24, "new")
    assert even.frames_per_s == 24.0 and even.source == "new"
    np.testing.assert_array_equal(even.expression, track.expression)


def test_jitter_leaves_the_frames():
    """A tenth of a step is a clock's jitter, not another moment."""
    track = make_track(count=9)
    times = (np.arange(9) + 0.1 * np.sin(np.arange(9))) / 30
    even = evenly_timed(track, times, "new")
    np.testing.assert_array_equal(even.expression, track.expression)
    assert even.frames_per_s == pytest.approx(30, rel=0.03)


def test_a_gap_is_filled_and_the_other_frames_stay():
    """Frame 4 is missing: the line between its neighbours."""
    track = make_track(count=8, full=True)
    kept = np.array([0, 1, 2, 3, 5, 6, 7, 8])
    even = evenly_timed(track, kept / 30, "new")
    assert len(even) == 9 and even.frames_per_s == 30.0
    np.testing.assert_array_equal(even.expression[kept], track.expression)
    np.testing.assert_array_equal(even.camera_to_world[kept], track.camera_to_world)
    np.testing.assert_allclose(even.expression[4], track.expression[[3, 4]].mean(axis=0), atol=1e-12)


def test_uneven_times_are_interpolated():
    """Against numpy's interpolation at even times."""
    track = make_track(count=7)
    times = np.array([0.0, 0.1, 0.25, 0.3, 0.4, 0.56, 0.6])
    even = evenly_timed(track, times, "new")
    assert even.frames_per_s == 10.0
    for column in range(3):
        expected = np.interp(np.arange(len(even)) / 10, times, track.expression[:, column])
        np.testing.assert_allclose(even.expression[:, column], expected, atol=1e-12)


def test_rates_off_whole_numbers_stay():
    even = evenly_timed(make_track(count=9), np.arange(9) / 12.5, "new")
    assert even.frames_per_s == pytest.approx(12.5)
