import numpy as np
import pytest
from sample_track import make_track

from nerface_ns.tracks.track_file import read_track, write_track


def read_text(tmp_path, text: str, **options):
    (tmp_path / "track.csv").write_text(text)
    return read_track(tmp_path / "track.csv", **options)


def test_csv_keeps_coefficients_poses_and_gaze(tmp_path):
    track = make_track(full=True)
    write_track(tmp_path / "track.csv", track)
    read = read_track(tmp_path / "track.csv")
    np.testing.assert_allclose(read.expression, track.expression, rtol=1e-8)
    np.testing.assert_allclose(read.camera_to_world, track.camera_to_world, rtol=1e-8)
    np.testing.assert_allclose(read.gaze, track.gaze, rtol=1e-8)
    assert (read.names, read.frames_per_s, read.source) == (track.names, 10.0, "track.csv")


def test_track_without_names_stays_without(tmp_path):
    write_track(tmp_path / "track.csv", make_track(names=()))
    assert (tmp_path / "track.csv").read_text().startswith("time_s,expression_00,expression_01,expression_02\n")
    assert read_track(tmp_path / "track.csv").names == ()


def test_names_with_commas_and_quotes(tmp_path):
    names = ('mouth, "open"', "b", "c\nd")
    write_track(tmp_path / "track.csv", make_track(names=names))
    assert read_track(tmp_path / "track.csv").names == names


def test_columns_in_any_order_and_spaces(tmp_path):
    track = read_text(tmp_path, "b, time_s ,a\n1,0,10\n2,0.04,20\n\n3,0.08,30\n")
    assert track.names == ("b", "a") and track.frames_per_s == 25.0
    np.testing.assert_array_equal(track.expression, [[1, 10], [2, 20], [3, 30]])


def test_frame_numbers_need_a_rate(tmp_path):
    text = "frame,a\n5,1\n6,2\n"
    assert read_text(tmp_path, text, frames_per_s=30).frames_per_s == 30.0
    with pytest.raises(
        ValueError, match=r"track.csv: expected the frames per second to be given, as the file has frame"
    ):
        read_text(tmp_path, text)


def test_a_single_frame_needs_a_rate(tmp_path):
    assert len(read_text(tmp_path, "time_s,a\n0,1\n", frames_per_s=30)) == 1
    with pytest.raises(ValueError, match="the file has a single frame"):
        read_text(tmp_path, "time_s,a\n0,1\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a header and rows, got an empty file"),
        ("\n\n", "a header and rows, got an empty file"),
        ("time_s,a\n", "at least one frame, got only a header"),
        ("a,b\n1,2\n", r"a column 'time_s' or 'frame', got \['a', 'b'\]"),
        ("time_s\n0\n1\n", "at least one column of coefficients"),
        ("time_s,a,a\n0,1,2\n", "distinct columns, got 'a' twice"),
        ("time_s,a\n0,1\n1,2,3\n", "frame 1: expected 2 cells as in the header, got 3"),
        ("time_s,a\n0,1\n1,\n", "frame 1: expected a number in column 'a', got ''"),
        ("time_s,a\n0,1\n1,x\n", "frame 1: expected a number in column 'a', got 'x'"),
        ("time_s,a\n0,1\n1,nan\n", r"frame 1: expected a finite expression .* got nan at position 0 \(a\)"),
        ("time_s,a\n0,1\n1,1e999\n", r"frame 1: expected a finite expression .* got inf"),
        ("time_s,a\n0,1\n0,2\n", "frame 1: expected a time after that of the frame before, 0 s, got 0 s"),
        ("time_s,a\n1,1\n0,2\n", "frame 1: expected a time after that of the frame before, 1 s, got 0 s"),
        ("time_s,a\nnan,1\n0,2\n", "frame 0: expected a finite time in seconds, got nan"),
        ("time_s,a\n0,1\ninf,2\n", "frame 1: expected a finite time in seconds, got inf"),
        ("time_s,a\n0,1\n1e-9,2\n", "at most 1000 frames per second"),
        ("time_s,a\n0,1\n0.04,2\n0.08,3\n1e6,4\n", "frame 3: expected frames about 0.04 s apart, got 1e"),
        ("frame,a\n0,1\n2,2\n", "frame 1: expected frames numbered one by one, got 2 in column 'frame'"),
        ("time_s,a,gaze_yaw\n0,1,2\n", "expected column 'gaze_pitch' beside 'gaze_yaw', found none"),
        ("time_s,a,camera_to_world_00\n0,1,2\n", "expected column 'camera_to_world_01' beside 'camera_to_world_00'"),
    ],
)
def test_bad_text_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=rf"track.csv: .*{message}"):
        read_text(tmp_path, text)
