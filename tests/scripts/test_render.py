"""`nerface-render` on a run of three steps."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import imageio.v3
import numpy as np
import pytest
import torch
from PIL import Image

from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.evaluation.timed_trainer import train_until
from nerface_ns.evaluation.training_config import training_config
from nerface_ns.models.base_face_model import FaceModel
from nerface_ns.rendering.head_pose_config import HeadPoseConfig
from nerface_ns.scripts import render
from nerface_ns.scripts.render_commands import (
    DriveCommand,
    InterpolateCommand,
    OrbitCommand,
    PathCommand,
    SelfCommand,
    SpiralCommand,
    SweepCommand,
)
from nerface_ns.synthetic.demo_sequence import DemoSequenceConfig, write_demo_sequence
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.retargeting import RetargetingConfig
from nerface_ns.tracks.track_file import write_track

SIZE, NUM_TEST = 24, 4


@pytest.fixture(scope="module", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config.yml of a run."""
    data = tmp_path_factory.mktemp("head")
    write_demo_sequence(
        data, DemoSequenceConfig(SIZE, 6, num_val=2, num_test=NUM_TEST, num_nvs=0, samples=1, mesh_density=0.2)
    )
    overrides = ["--max-num-iterations", "3", "--pipeline.datamanager.train-num-rays-per-batch", "64"]
    config = training_config("nerface", tmp_path_factory.mktemp("outputs"), data, overrides=overrides)
    config.machine.device_type = "cpu"
    return train_until(config, time.monotonic() + 60)[1].config_path


@pytest.fixture(scope="module")
def pipeline(run: Path) -> Any:
    return load_run(run)[1]


@pytest.fixture(scope="module")
def test_track(pipeline: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test split as a track file, with poses and pictures."""
    outputs = pipeline.datamanager.eval_dataset._dataparser_outputs
    cameras = outputs.cameras
    track = ExpressionTrack(
        10.0,
        outputs.metadata["expression_names"],
        cameras.metadata["expression"].double().numpy(),
        camera_to_world=cameras.camera_to_worlds.double().numpy(),
        frame_files=tuple(outputs.image_filenames),
        source="test split",
    )
    path = tmp_path_factory.mktemp("tracks") / "test.json"
    write_track(path, track)
    return path


def pictures(folder: Path) -> np.ndarray:
    return np.stack([np.asarray(Image.open(file)) for file in sorted(folder.glob("*.png"))])


def self_drive(run: Path, track: Path, output: Path, **options: Any) -> DriveCommand:
    """Everything as the track says."""
    return DriveCommand(
        load_config=run,
        track=track,
        output=output,
        retargeting=RetargetingConfig(transfer="absolute", soft_clamp=False),
        head=HeadPoseConfig("driver-absolute"),
        **options,
    )


def test_self_reenactment_through_the_track_file_is_the_test_split(run, pipeline, test_track, tmp_path):
    """To the 8 bits of a PNG; the numbers of a track file are exact enough."""
    render.main(self_drive(run, test_track, tmp_path / "frames", side_by_side=False))
    dataset = pipeline.datamanager.eval_dataset
    with torch.no_grad():
        truths = [
            pipeline.model.get_outputs_for_camera(dataset.cameras[index : index + 1])["rgb"]
            for index in range(NUM_TEST)
        ]
    expected = (torch.stack(truths).clamp(0, 1) * 255).round().numpy()
    assert np.abs(pictures(tmp_path / "frames") - expected).max() <= 1


def test_drive_to_a_video(run, test_track, tmp_path):
    """The driver stands left; the report says what was done; nothing else is left.

    At twice the rate the last frame is shown twice, and rendered once.
    """
    report = render.main(
        DriveCommand(load_config=run, track=test_track, output=tmp_path / "a.mp4", json=tmp_path / "a.json", fps=20.0)
    )
    frames = imageio.v3.imread(tmp_path / "a.mp4", plugin="FFMPEG")
    assert frames.shape == (2 * NUM_TEST, SIZE + 28, 2 * SIZE, 3)
    written = json.loads((tmp_path / "a.json").read_text())
    assert {**written, **report} == written
    assert (written["mode"], written["frames"], written["fps"], written["seconds"]) == ("drive", 8, 20.0, 0.4)
    assert len(written["extrapolation"]) == 8 and max(written["extrapolation_shown"]) <= 0.1 + 1e-6
    assert written["head_pose"] == "driver" and written["rendered"] == 7 and not written["sound"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.json", "a.mp4"]


def test_killed_render_goes_on(run, test_track, tmp_path, monkeypatch):
    """After two frames it is interrupted; the next call renders the other two and ends as if nothing had been."""
    once = FaceModel.get_outputs_for_camera
    calls = []

    def interrupted(self: FaceModel, camera: Any, obb_box: Any = None) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return once(self, camera, obb_box)

    command = self_drive(run, test_track, tmp_path / "a", side_by_side=False)
    with monkeypatch.context() as patch:
        patch.setattr(FaceModel, "get_outputs_for_camera", interrupted)
        with pytest.raises(KeyboardInterrupt):
            render.main(command)
    assert not (tmp_path / "a").exists() and len(list((tmp_path / "a.frames").iterdir())) == 2
    assert render.main(command)["rendered"] == 2
    assert len(pictures(tmp_path / "a")) == NUM_TEST and not (tmp_path / "a.frames").exists()


def test_shards_make_the_whole(run, test_track, tmp_path):
    """Two parts of the same call render every frame once; the call without them writes what one call alone writes."""
    render.main(self_drive(run, test_track, tmp_path / "alone"))
    parts = [
        render.main(self_drive(run, test_track, tmp_path / "parts", shard=shard, json=tmp_path / "part.json"))
        for shard in ("2/2", "1/2")
    ]
    assert [part["rendered"] for part in parts] == [2, 2] and not (tmp_path / "parts").exists()
    assert json.loads((tmp_path / "part.json").read_text())["shard"] == "1/2"
    assert render.main(self_drive(run, test_track, tmp_path / "parts"))["rendered"] == 0
    np.testing.assert_array_equal(pictures(tmp_path / "parts"), pictures(tmp_path / "alone"))
    assert not (tmp_path / "parts.frames").exists()


def test_sweep_writes_a_contact_sheet(run, tmp_path):
    """Two expressions of three pictures, and a video of both."""
    command = SweepCommand(
        load_config=run,
        output=tmp_path / "a.gif",
        expressions=("jawOpen", "mouthPucker"),
        columns=3,
        cell_px=48,
        fps=4.0,
        show_extrapolation=True,
    )
    report = render.main(command)
    assert Image.open(tmp_path / "a_sheet.png").size == (3 * 48 + 8, 2 * (48 + 28))
    assert report["frames"] == 8 and report["expressions"] == ["jawOpen", "mouthPucker"]
    assert Image.open(tmp_path / "a.gif").size == (24, 24 + 4 + 28)


def test_self_shows_the_truth_beside(run, pipeline, tmp_path):
    """The left half is the recorded frame."""
    report = render.main(SelfCommand(load_config=run, output=tmp_path / "a", max_frames=2))
    recorded = pipeline.datamanager.eval_dataset.get_numpy_image(2)
    np.testing.assert_array_equal(pictures(tmp_path / "a")[1][28:, :SIZE], recorded)
    assert report["split"] == "test" and len(report["frame_names"]) == 2


def test_orbit_without_a_background(run, tmp_path):
    """RGBA pictures at the size asked for; nothing of the background is opaque."""
    command = OrbitCommand(
        load_config=run, output=tmp_path / "a", seconds=0.5, fps=4.0, size=16, background="transparent", code="mean"
    )
    report = render.main(command)
    assert pictures(tmp_path / "a").shape == (2, 16, 16, 4) and report["size"] == [16, 16]


def test_path_with_a_track(run, test_track, tmp_path):
    """As many frames as the path has, at its size."""
    matrix = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0.5, 0, 0, 0, 1]
    frames = [{"camera_to_world": matrix, "fov": 30.0}] * 3
    content = {"render_height": 10, "render_width": 14, "seconds": 0.3, "fps": 10, "camera_path": frames}
    (tmp_path / "path.json").write_text(json.dumps(content))
    command = PathCommand(
        load_config=run, output=tmp_path / "a.webm", camera_path=tmp_path / "path.json", track=test_track
    )
    report = render.main(command)
    assert report["frames"] == 3 and report["fps"] == pytest.approx(10.0)
    assert imageio.v3.imread(tmp_path / "a.webm", plugin="FFMPEG").shape == (3, 10, 14, 3)


def test_interpolation(run, tmp_path):
    """From one frame to another."""
    command = InterpolateCommand(
        load_config=run, output=tmp_path / "a.mp4", frames=(0, 3), seconds=0.5, fps=10.0, move_camera=True
    )
    report = render.main(command)
    assert report["frames"] == 5 and max(report["extrapolation"]) < 1e-6


def test_interpolation_through_the_recording(run, tmp_path):
    """As the command line has it: keyframes instead of frames."""
    report_file = tmp_path / "a.json"
    arguments = ["--load-config", run, "--output", tmp_path / "a.gif", "--keyframes", 3, "--seconds", 0.4, "--fps", 10]
    render.entrypoint(["interpolate", *map(str, arguments), "--move-camera", "--json", str(report_file)])
    assert json.loads(report_file.read_text())["frames_between"] == [0, 2, 5]


def test_spiral(run, tmp_path):
    command = SpiralCommand(load_config=run, output=tmp_path / "frames", seconds=0.3, fps=10.0, expression="frame:2")
    report = render.main(command)
    assert report["mode"] == "spiral" and len(list((tmp_path / "frames").glob("*.png"))) == report["frames"] == 3


def test_eyes_of_this_run_follow_no_gaze(run, tmp_path, capsys):
    """As the command line takes a point: three numbers, which may be negative."""
    arguments = ["spiral", "--load-config", str(run), "--output", str(tmp_path / "a"), "--look-at", "0", "-0.1", "0.5"]
    with pytest.raises(SystemExit):
        render.entrypoint(arguments)
    assert "expected a run of a method whose eyes follow a gaze" in capsys.readouterr().err


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
def test_bad_options_end_it_before_the_run_is_loaded(test_track, tmp_path, monkeypatch, options, message):
    """Each error names its option."""
    monkeypatch.setattr(render, "_load", no_loading)
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    paths = {"load_config": Path("config.yml"), "track": test_track, "output": Path("a.mp4")}
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
