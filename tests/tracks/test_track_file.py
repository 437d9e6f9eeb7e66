import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sample_track import make_track

from nerface_ns.tracks.track_file import read_track, write_track


def write_json(path: Path, edit=None, **changes) -> Path:
    """A file of two frames of two coefficients, changed."""
    frames = [{"expression": [0.1, 0.2]}, {"expression": [0.3, 0.4]}]
    content = {"schema": "nerface-track", "version": 1, "fps": 25, "names": ["a", "b"], "frames": frames, **changes}
    if edit is not None:
        edit(content)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def full_track(tmp_path):
    """A track with all there is, in numbers that a file holds exactly."""
    track = make_track(full=True, frames_per_s=30000 / 1001)
    files = tuple(tmp_path / "frames" / f"{index:04d}.png" for index in range(len(track)))
    exact = {
        name: getattr(track, name).astype(np.float32) for name in ("expression", "camera_to_world", "gaze", "neutral")
    }
    return replace(track, **exact, frame_files=files)


def test_json_keeps_everything(tmp_path, full_track):
    """float32 numbers come back bit by bit."""
    path = tmp_path / "track.json"
    write_track(path, full_track)
    read = read_track(path)
    for name in ("expression", "camera_to_world", "gaze", "neutral"):
        np.testing.assert_array_equal(getattr(read, name).astype(np.float32), getattr(full_track, name), err_msg=name)
    assert read.frames_per_s == pytest.approx(30000 / 1001, rel=1e-8)
    assert (read.names, read.frame_files) == (full_track.names, full_track.frame_files)
    assert (read.video, read.video_start_s, read.source) == (Path("/data/driver.mp4"), 1.5, "sample")


def test_json_without_the_optional_keys(tmp_path):
    path = tmp_path / "deep" / "track.json"
    write_track(path, make_track(names=(), source=""))
    read = read_track(path)
    assert read.names == () and read.source == "track.json"
    assert all(getattr(read, name) is None for name in ("camera_to_world", "gaze", "neutral", "frame_files", "video"))
    assert set(json.loads(path.read_text())) == {"schema", "version", "fps", "frames"}


def test_json_has_a_line_for_every_frame(tmp_path):
    path = tmp_path / "track.json"
    write_track(path, make_track(count=9))
    # Seven lines for the brace, five keys and the list, two that close them.
    assert len(path.read_text().splitlines()) == 7 + 9 + 2


def test_files_beside_the_track_move_with_it(tmp_path, full_track):
    (tmp_path / "new").mkdir()
    write_track(tmp_path / "track.json", full_track)
    (tmp_path / "track.json").rename(tmp_path / "new" / "track.json")
    read = read_track(tmp_path / "new" / "track.json")
    assert read.frame_files[0] == tmp_path / "new" / "frames" / "0000.png"
    assert read.video == Path("/data/driver.mp4")


def test_nothing_but_the_file_is_left(tmp_path):
    write_track(tmp_path / "track.json", make_track())
    assert [path.name for path in tmp_path.iterdir()] == ["track.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "track.csv"
    write_track(path, make_track())
    before = path.read_text()
    with pytest.raises(ValueError, match="a coefficient named 'time_s' cannot be told apart in CSV"):
        write_track(path, make_track(names=("time_s", "b", "c")))
    assert path.read_text() == before


def test_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"file/track.json: cannot be written"):
        write_track(tmp_path / "file" / "track.json", make_track())


@pytest.mark.parametrize("name", ["track.txt", "track"])
def test_other_endings_are_refused(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match=r"ending in .json or .csv, got"):
        read_track(tmp_path / name)
    with pytest.raises(ValueError, match=r"ending in .json or .csv, got"):
        write_track(tmp_path / name, make_track())


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.json: expected a track file here, found none"):
        read_track(tmp_path / "none.json")


def test_folder_is_no_file(tmp_path):
    (tmp_path / "track.json").mkdir()
    with pytest.raises(ValueError, match=r"track.json: expected a track file, but it cannot be read"):
        read_track(tmp_path / "track.json")


@pytest.mark.parametrize("name", ["track.json", "track.csv"])
def test_binary_is_no_text(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    with pytest.raises(ValueError, match=rf"{name}: expected a track file, got no UTF-8 text"):
        read_track(tmp_path / name)


def test_byte_order_mark_is_no_mistake(tmp_path):
    path = write_json(tmp_path / "track.json")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_track(path)) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "other"}, "'schema' expected 'nerface-track', got 'other'"),
        ({"version": 2}, "'version' expected 1, the one this program reads, got 2"),
        ({"version": None}, "'version' expected 1, the one this program reads, got None"),
        ({"fps": 0}, "frames per second above 0, up to 1000, got 0"),
        ({"fps": -1}, "frames per second above 0, up to 1000, got -1"),
        ({"fps": float("nan")}, "frames per second above 0, up to 1000, got nan"),
        ({"fps": "25"}, "frames per second of one number, got '25'"),
        ({"fps": True}, "frames per second of one number, got 'True'"),
        ({"fps": 10**400}, "expected"),
        ({"fps": None}, "expected key 'fps'"),
        ({"names": ["a", "a"]}, "distinct names, got 'a' twice"),
        ({"names": ["a"]}, "2 names, one for each coefficient, got 1"),
        ({"names": "ab"}, "'names' expected a list, got 'ab'"),
        ({"names": [1, 2]}, "a text for name 0, got 1"),
        ({"video": ""}, "'video' expected a path, got ''"),
        ({"neutral": [0.0]}, "neutral of 2 numbers, got 1"),
        ({"frames": []}, "'frames' expected a list of at least one frame, got an empty list"),
        ({"frames": {}}, "'frames' expected a list of at least one frame, got '{}'"),
        ({"frame": []}, "expected no keys but .*, got 'frame'"),
    ],
)
def test_bad_keys_are_named(tmp_path, changes, message):
    path = write_json(tmp_path / "track.json", **changes)
    with pytest.raises(ValueError, match=rf"track.json: .*{message}"):
        read_track(path)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ([0.3, 0.4], "an object with 'expression'"),
        ({}, "expected key 'expression'"),
        ({"expression": [0.3]}, "'expression' expected 2 numbers as in frame 0, got 1"),
        ({"expression": []}, "'expression' expected 2 numbers as in frame 0, got 0"),
        ({"expression": [0.3, float("nan")]}, r"expected a finite expression .* got nan at position 1 \(b\)"),
        ({"expression": [0.3, float("inf")]}, r"expected a finite expression .* got inf at position 1 \(b\)"),
        ({"expression": [0.3, 1e300]}, r"within \+-1e\+06, got 1e\+300"),
        ({"expression": [0.3, "x"]}, "expected expression of n numbers, got"),
        ({"expression": [0.3, None]}, "expected expression of n numbers, got"),
        ({"expression": [[0.3], [0.4, 0.5]]}, "lists of unequal lengths"),
        ({"expression": {"a": 0.3}}, "expected expression of n numbers, got"),
        (
            {"expression": [0.3, 0.4], "gaze": [0, 0]},
            "'gaze' in all frames or in none, but it has it and frame 0 lacks it",
        ),
        ({"expression": [0.3, 0.4], "pose": 1}, "expected no keys but .*, got 'pose'"),
    ],
)
def test_bad_frames_are_named(tmp_path, frame, message):
    path = write_json(tmp_path / "track.json", edit=lambda content: content["frames"].__setitem__(1, frame))
    with pytest.raises(ValueError, match=rf"track.json: frame 1: .*{message}"):
        read_track(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("camera_to_world", [[1, 0, 0, 0]], "camera_to_world of 2 x 3 x 4 numbers, got 2 x 1 x 4"),
        ("camera_to_world", [1, 0, 0, 0], "camera_to_world of n x 4 numbers, got 4"),
        ("gaze", [0.1], "gaze of 2 numbers, got 1"),
        ("file", 7, "'file' expected a text, got '7'"),
    ],
)
def test_bad_optional_values_are_named(tmp_path, key, value, message):
    def edit(content: dict) -> None:
        for frame in content["frames"]:
            frame[key] = value

    with pytest.raises(ValueError, match=rf"track.json: .*{message}"):
        read_track(write_json(tmp_path / "track.json", edit=edit))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected JSON, got text that does not parse"),
        ("{", "expected JSON, got text that does not parse"),
        ("[" * 200_000, "expected JSON, got text that does not parse"),
        ("[]", "expected a JSON object with fps and frames, got list"),
        ("3", "expected a JSON object with fps and frames, got int"),
    ],
)
def test_text_that_is_no_object(tmp_path, text, message):
    (tmp_path / "track.json").write_text(text)
    with pytest.raises(ValueError, match=f"track.json: {message}"):
        read_track(tmp_path / "track.json")


def test_nonsense_never_raises_anything_else(tmp_path):
    """A good file with random bytes exchanged, left out or doubled is read, or refused by its name."""
    random, outcomes = np.random.default_rng(0), []
    for name in ("track.json", "track.csv"):
        write_track(tmp_path / name, make_track(count=4, full=True))
        good = (tmp_path / name).read_bytes()
        for _ in range(150):
            bad = bytearray(good)
            for place in random.integers(0, len(bad), 4):
                kind = random.integers(3)
                bad[place : place + 1] = [bytes([random.integers(256)]), b"", bad[place : place + 20]][kind]
            (tmp_path / name).write_bytes(bad)
            try:
                outcomes.append(bool(np.isfinite(read_track(tmp_path / name).expression).all()))
            except ValueError as error:
                outcomes.append(str(tmp_path / name) in str(error))
    assert len(outcomes) == 300 and all(outcomes)
