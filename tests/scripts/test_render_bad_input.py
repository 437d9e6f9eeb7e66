"""What `nerface-render` refuses, most of it before the run is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nerface_ns.scripts import render
from nerface_ns.scripts.render_commands import DriveCommand, OrbitCommand, PathCommand


@pytest.fixture(scope="module", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def no_loading(*arguments: Any) -> Any:
    raise AssertionError("the run was loaded")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fps": 0.0}, "--fps 0.0: expected a positive number"),
        ({"fps": float("nan")}, "--fps nan: expected a positive number"),
        ({"size": 0}, "--size 0: expected a positive number"),
        ({"code": "frame"}, "--code frame: expected zero, mean, nearest or frame:N"),
        ({"background": "plaid"}, "--background plaid: expected"),
        ({"background": "transparent"}, "has no alpha"),
        ({"crf": 99}, "--crf 99"),
        ({"gaze": (1.0, 2.0), "look_at": "camera"}, "--gaze .* --look-at camera: expected one of them, got both"),
        ({"shard": "3/2"}, "--shard 3/2: expected i/n"),
        ({"output": Path("file/a.mp4")}, "--output .*file: cannot write there"),
        ({"json": Path("file/a.json")}, "--json .*file: cannot write there"),
    ],
)
def test_bad_options_end_it_before_the_run_is_loaded(split_track, tmp_path, monkeypatch, options, message):
    """Each error names its option."""
    monkeypatch.setattr(render, "_load", no_loading)
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    paths = {"load_config": Path("config.yml"), "track": split_track, "output": Path("a.mp4")}
    with pytest.raises(ValueError, match=message):
        render.main(DriveCommand(**{**paths, **options}))


def track_text(**changes: Any) -> str:
    frames = [{"expression": [0.0, 0.5]}, {"expression": [0.1, 0.4]}]
    return json.dumps({"schema": "nerface-track", "version": 1, "fps": 25, "names": [], "frames": frames, **changes})


@pytest.mark.parametrize(
    "text",
    [
        track_text(frames=[]),
        track_text(fps=0),
        track_text(frames=[{"expression": [0.0, float("nan")]}]),
        "{",
    ],
    ids=["empty", "fps 0", "NaN", "no JSON"],
)
def test_bad_track_ends_it_before_the_run_is_loaded(tmp_path, monkeypatch, text):
    """Each error names the file."""
    monkeypatch.setattr(render, "_load", no_loading)
    (tmp_path / "driver.json").write_text(text)
    command = DriveCommand(load_config=tmp_path / "c", track=tmp_path / "driver.json", output=tmp_path / "a.mp4")
    with pytest.raises(ValueError, match=r"driver\.json"):
        render.main(command)


def test_track_of_another_length_without_names(run, tmp_path):
    """The error names the track and both numbers; nothing is written."""
    (tmp_path / "driver.json").write_text(track_text())
    command = DriveCommand(load_config=run, track=tmp_path / "driver.json", output=tmp_path / "a.mp4")
    with pytest.raises(ValueError, match=r"driver\.json: expected \d+ coefficients.* got 2"):
        render.main(command)
    assert [file.name for file in tmp_path.iterdir()] == ["driver.json"]


def test_malformed_camera_path_ends_it_before_the_run_is_loaded(tmp_path, monkeypatch):
    """The error names the file."""
    monkeypatch.setattr(render, "_load", no_loading)
    (tmp_path / "path.json").write_text('{"camera_path": [{}], "render_height": 2, "render_width": 2, "fps": 2}')
    command = PathCommand(load_config=tmp_path / "c", camera_path=tmp_path / "path.json", output=tmp_path / "a.mp4")
    with pytest.raises(ValueError, match=r"path\.json: camera_path frame 0: camera_to_world"):
        render.main(command)


def test_checkpoint_that_moved_away(run, tmp_path):
    """The error says where one was expected."""
    (tmp_path / "config.yml").write_text(run.read_text())
    command = OrbitCommand(load_config=tmp_path / "config.yml", output=tmp_path / "a.mp4")
    with pytest.raises(FileNotFoundError, match=r"nerfstudio_models: expected a checkpoint"):
        render.main(command)


def test_errors_are_one_line(run, tmp_path, capsys):
    """The command line ends with status 1 and names what is missing."""
    arguments = ["drive", "--load-config", str(run), "--track", "gone.json", "--output", str(tmp_path / "a.mp4")]
    with pytest.raises(SystemExit) as ended:
        render.entrypoint(arguments)
    assert ended.value.code == 1 and capsys.readouterr().err.startswith("Error: gone.json")


def test_eyes_of_this_run_follow_no_gaze(run, tmp_path, capsys):
    """As the command line takes a point: three numbers, which may be negative."""
    arguments = ["spiral", "--load-config", str(run), "--output", str(tmp_path / "a"), "--look-at", "0", "-0.1", "0.5"]
    with pytest.raises(SystemExit):
        render.entrypoint(arguments)
    assert "expected a run of a method whose eyes follow a gaze" in capsys.readouterr().err
