import numpy as np
import pytest

from nerface_ns.tracks.track_file import read_track
from nerface_ns.viewer.expression_recorder import ExpressionRecorder, free_path, save_expression

POSE = np.eye(4)[:3]


def test_samples_land_on_an_even_grid():
    """At 10 frames a second; shown at 0, 0.02 (the same frame), 0.11 and, late, at 0.45."""
    recorder = ExpressionRecorder(("a",), frames_per_s=10)
    recorder.start(50.0)
    for now_s, value in ((50.0, 0.0), (50.02, 9.0), (50.11, 1.0), (50.45, 4.0)):
        recorder.sample(now_s, np.array([value]), POSE)
    track = recorder.stop()
    assert track.frames_per_s == 10 and track.names == ("a",) and track.source == "viewer"
    assert track.expression[:, 0].tolist() == [0.0, 1.0, 4.0, 4.0, 4.0]
    np.testing.assert_array_equal(track.camera_to_world, np.tile(POSE, (5, 1, 1)))


def test_nothing_is_recorded_before_the_start():
    recorder = ExpressionRecorder(("a",))
    recorder.sample(0.0, np.zeros(1), POSE)
    assert not recorder.is_recording
    with pytest.raises(ValueError, match="recording: expected at least one frame, got none"):
        recorder.stop()


def test_a_second_recording_starts_empty():
    recorder = ExpressionRecorder(("a",), frames_per_s=10)
    for start_s in (0.0, 100.0):
        recorder.start(start_s)
        recorder.sample(start_s, np.array([start_s]), POSE)
        track = recorder.stop()
    assert track.expression.tolist() == [[100.0]]


def test_a_saved_expression_is_a_track_of_one_frame(tmp_path):
    path = free_path(tmp_path / "new", "face")
    save_expression(path, ("a", "b"), np.array([0.125, -2.0]))
    track = read_track(path)
    assert track.names == ("a", "b") and track.expression.tolist() == [[0.125, -2.0]]


def test_free_paths_overwrite_nothing(tmp_path):
    assert free_path(tmp_path, "face").name == "face_001.json"
    (tmp_path / "face_001.json").touch()
    assert free_path(tmp_path, "face").name == "face_002.json"
