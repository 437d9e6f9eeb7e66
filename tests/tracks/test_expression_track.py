from pathlib import Path

import numpy as np
import pytest
from sample_track import make_poses, make_track, rotation

from nerface_ns.tracks.expression_track import ExpressionTrack


def with_value(array: np.ndarray, place: tuple[int, ...], value: float) -> np.ndarray:
    changed = array.copy()
    changed[place] = value
    return changed


def test_length_duration_and_times():
    track = make_track(count=9)
    assert len(track) == 9
    assert track.duration_s == 0.9
    np.testing.assert_allclose(track.times_s, np.arange(9) / 10)


def test_numbers_become_float64():
    track = ExpressionTrack(25, ("a", "b"), np.array([[1, 2], [3, 4]], dtype=np.int32))
    assert track.expression.dtype == np.float64 and track.frames_per_s == 25.0


def test_four_rows_of_a_pose_are_cut_to_three():
    poses = np.concatenate([make_poses(4), np.tile([[[0.0, 0, 0, 1]]], (4, 1, 1))], axis=1)
    track = make_track(count=4, camera_to_world=poses)
    np.testing.assert_array_equal(track.camera_to_world, make_poses(4))


def test_at_frames_returns_the_frames():
    """Bit by bit, poses too, although Slerp lies between."""
    track = make_track(full=True)
    same = track.at(track.times_s)
    np.testing.assert_array_equal(same.expression, track.expression)
    np.testing.assert_array_equal(same.camera_to_world, track.camera_to_world)
    np.testing.assert_array_equal(same.gaze, track.gaze)
    assert same.frame_files == track.frame_files and same.video_start_s == 1.5


def test_at_matches_numpy_between_before_and_behind_the_frames():
    track = make_track(full=True)
    times = np.linspace(-0.3, 1.3, 83)
    found = track.at(times)
    for column in range(3):
        expected = np.interp(times, track.times_s, track.expression[:, column])
        np.testing.assert_allclose(found.expression[:, column], expected, atol=1e-12)
    np.testing.assert_allclose(found.gaze[:, 1], np.interp(times, track.times_s, track.gaze[:, 1]), atol=1e-12)
    position = np.interp(times, track.times_s, track.camera_to_world[:, 2, 3])
    np.testing.assert_allclose(found.camera_to_world[:, 2, 3], position, atol=1e-12)


def test_rotation_turns_evenly():
    """A quarter of the way from 0.2 to 1.4 rad about one axis is 0.5 rad about it."""
    axis = (0.3, -0.5, 1.0)
    turns = np.stack([rotation(axis, 0.2), rotation(axis, 1.4)])
    track = make_track(count=2, camera_to_world=np.concatenate([turns, np.zeros((2, 3, 1))], axis=-1))
    found = track.at(np.array([0.025])).camera_to_world
    np.testing.assert_allclose(found[0, :, :3], rotation(axis, 0.5), atol=1e-12)


def test_pictures_are_the_nearest_frames():
    found = make_track(full=True).at(np.array([-1.0, 0.14, 0.16, 9.0]))
    assert [path.name for path in found.frame_files] == ["0000.png", "0001.png", "0002.png", "0008.png"]


def test_at_moves_the_place_in_the_video():
    assert make_track(full=True).at(np.array([0.3, 0.4])).video_start_s == pytest.approx(1.8)


def test_one_frame_stands_still():
    track = make_track(count=1, full=True)
    found = track.at(np.array([0.0, 5.0]))
    np.testing.assert_array_equal(found.expression, track.expression[[0, 0]])
    np.testing.assert_array_equal(found.camera_to_world, track.camera_to_world[[0, 0]])


@pytest.mark.parametrize("times", [np.array([]), np.array([0.0, np.nan])])
def test_at_refuses_times_that_are_none(times):
    with pytest.raises(ValueError, match="sample: expected finite times, at least one"):
        make_track().at(times)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames_per_s": 0.0}, "frames per second above 0, up to 1000, got 0"),
        ({"frames_per_s": -25.0}, "frames per second above 0, up to 1000, got -25"),
        ({"frames_per_s": float("nan")}, "frames per second above 0, up to 1000, got nan"),
        ({"frames_per_s": float("inf")}, "frames per second above 0, up to 1000, got inf"),
        ({"frames_per_s": 1e7}, "frames per second above 0, up to 1000, got 1e"),
        ({"expression": np.zeros((0, 3))}, "at least one frame of one coefficient, got 0 of 3"),
        ({"expression": np.zeros((9, 0))}, "at least one frame of one coefficient, got 9 of 0"),
        ({"expression": np.zeros(9)}, "expressions of n x n numbers, got 9"),
        ({"expression": with_value(np.zeros((9, 3)), (4, 2), np.nan)}, r"frame 4: .* got nan at position 2 \(name2\)"),
        ({"expression": with_value(np.zeros((9, 3)), (4, 2), -np.inf)}, r"frame 4: .* got -inf at position 2"),
        ({"expression": with_value(np.zeros((9, 3)), (8, 0), 1e300)}, r"frame 8: .* within \+-1e\+06, got 1e\+300"),
        ({"names": ("a", "b")}, "3 names, one for each coefficient, got 2"),
        ({"names": ("a", "b", "a")}, "distinct names, got 'a' twice"),
        ({"names": ("a", "", "c")}, "a text for name 1, got ''"),
        ({"camera_to_world": make_poses(8)}, "camera_to_world of 9 x 3 x 4 numbers, got 8 x 3 x 4"),
        ({"camera_to_world": 2 * make_poses(9)}, "frame 0: expected a proper rotation .* determinant 8.0"),
        ({"camera_to_world": make_poses(9) * [[-1], [1], [1]]}, "frame 0: .* determinant -1.0"),
        (
            {"camera_to_world": with_value(make_poses(9), (5, 0, 3), np.nan)},
            "frame 5: expected a finite camera_to_world",
        ),
        ({"gaze": np.zeros((9, 3))}, "gaze of 9 x 2 numbers, got 9 x 3"),
        ({"gaze": with_value(np.zeros((9, 2)), (1, 1), 20.0)}, r"frame 1: .* gaze .* got 20.0 at position 1 \(yaw\)"),
        ({"neutral": np.zeros(2)}, "neutral of 3 numbers, got 2"),
        (
            {"neutral": np.array([0, np.nan, 0])},
            r"expected a finite neutral expression .* got nan at position 1 \(name1\)",
        ),
        ({"frame_files": (Path("a.png"),)}, "9 frame files, one for each frame, got 1"),
    ],
)
def test_bad_values_are_named(changes, message):
    with pytest.raises(ValueError, match=rf"^sample: .*{message}"):
        make_track(**changes)
