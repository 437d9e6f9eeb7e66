import json
import os
from pathlib import Path

import pytest

from nerface_ns.viewer.camera_path_track import TRACK_KEY, attach_recording, attach_track, newest_camera_path


@pytest.fixture
def camera_path(tmp_path: Path) -> Path:
    """As nerfstudio's render panel writes it, five frames at two a second."""
    folder = tmp_path / "camera_paths"
    folder.mkdir()
    content = {"camera_path": [{"fov": 30.0, "render_time": 0.0} for _ in range(5)], "fps": 2, "keyframes": []}
    path = folder / "path.json"
    path.write_text(json.dumps(content))
    return path


def test_names_the_track(camera_path, tmp_path):
    attach_track(camera_path, tmp_path / "track.json")
    content = json.loads(camera_path.read_text())
    assert content[TRACK_KEY] == str((tmp_path / "track.json").resolve())
    assert len(content["camera_path"]) == 5 and content["fps"] == 2


def test_the_recording_runs_by_render_time(camera_path, tmp_path):
    """Training frames fill 0.2 to 0.7 of a recording of four seconds: two seconds, then from the start again."""
    attach_track(camera_path, tmp_path / "track.json")
    attach_recording(camera_path, 0.2, 0.7, 4.0)
    content = json.loads(camera_path.read_text())
    assert TRACK_KEY not in content
    assert [frame["render_time"] for frame in content["camera_path"]] == pytest.approx([0.2, 0.325, 0.45, 0.575, 0.2])


def test_newest_path(camera_path):
    older = camera_path.with_name("older.json")
    older.write_text("{}")
    os.utime(older, (1, 1))
    assert newest_camera_path(camera_path.parents[1]) == camera_path


def test_no_path_was_saved(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a camera path, found none; make one in the Render tab"):
        newest_camera_path(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected a camera path in JSON"),
        ("[]", "expected the key 'camera_path' with a list of frames"),
        ('{"camera_path": [1], "fps": 2}', "expected the key 'camera_path' with a list of frames"),
        ('{"camera_path": [], "fps": 0}', "expected a positive number under 'fps', got 0"),
        ('{"camera_path": []}', "expected a positive number under 'fps', got None"),
    ],
)
def test_malformed_camera_paths(camera_path, text, message):
    camera_path.write_text(text)
    with pytest.raises(ValueError, match=message):
        attach_track(camera_path, Path("track.json"))
    assert camera_path.read_text() == text


def test_a_recording_without_length(camera_path):
    with pytest.raises(ValueError, match="recording: expected a positive length, got 0"):
        attach_recording(camera_path, 0.0, 0.0, 4.0)
