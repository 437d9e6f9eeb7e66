"""`nerface-render` on a run of three steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import imageio.v3
import numpy as np
import pytest
import torch
from PIL import Image
from small_runs import SIZE

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
from nerface_ns.tracks.retargeting import RetargetingConfig

NUM_TEST = 4


@pytest.fixture(scope="module", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


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


def test_self_reenactment_through_the_track_file_is_the_test_split(run, pipeline, split_track, tmp_path):
    """To the 8 bits of a PNG; the numbers of a track file are exact enough."""
    render.main(self_drive(run, split_track, tmp_path / "frames", side_by_side=False))
    dataset = pipeline.datamanager.eval_dataset
    with torch.no_grad():
        truths = [
            pipeline.model.get_outputs_for_camera(dataset.cameras[index : index + 1])["rgb"]
            for index in range(NUM_TEST)
        ]
    expected = (torch.stack(truths).clamp(0, 1) * 255).round().numpy()
    assert np.abs(pictures(tmp_path / "frames") - expected).max() <= 1


def test_drive_to_a_video(run, split_track, tmp_path):
    """The driver stands left; the report says what was done; nothing else is left.

    At twice the rate the last frame is shown twice, and rendered once.
    """
    report = render.main(
        DriveCommand(load_config=run, track=split_track, output=tmp_path / "a.mp4", json=tmp_path / "a.json", fps=20.0)
    )
    frames = imageio.v3.imread(tmp_path / "a.mp4", plugin="FFMPEG")
    assert frames.shape == (2 * NUM_TEST, SIZE + 28, 2 * SIZE, 3)
    written = json.loads((tmp_path / "a.json").read_text())
    assert {**written, **report} == written
    assert (written["mode"], written["frames"], written["fps"], written["seconds"]) == ("drive", 8, 20.0, 0.4)
    assert len(written["extrapolation"]) == 8 and max(written["extrapolation_shown"]) <= 0.1 + 1e-6
    assert written["head_pose"] == "driver" and written["rendered"] == 7 and not written["sound"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.json", "a.mp4"]


def test_killed_render_goes_on(run, split_track, tmp_path, monkeypatch):
    """After two frames it is interrupted; the next call renders the other two and ends as if nothing had been."""
    once = FaceModel.get_outputs_for_camera
    calls = []

    def interrupted(self: FaceModel, camera: Any, obb_box: Any = None) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return once(self, camera, obb_box)

    command = self_drive(run, split_track, tmp_path / "a", side_by_side=False)
    with monkeypatch.context() as patch:
        patch.setattr(FaceModel, "get_outputs_for_camera", interrupted)
        with pytest.raises(KeyboardInterrupt):
            render.main(command)
    assert not (tmp_path / "a").exists() and len(list((tmp_path / "a.frames").iterdir())) == 2
    assert render.main(command)["rendered"] == 2
    assert len(pictures(tmp_path / "a")) == NUM_TEST and not (tmp_path / "a.frames").exists()


def test_shards_make_the_whole(run, split_track, tmp_path):
    """Two parts of the same call render every frame once; the call without them writes what one call alone writes."""
    render.main(self_drive(run, split_track, tmp_path / "alone"))
    parts = [
        render.main(self_drive(run, split_track, tmp_path / "parts", shard=shard, json=tmp_path / "part.json"))
        for shard in ("2/2", "1/2")
    ]
    assert [part["rendered"] for part in parts] == [2, 2] and not (tmp_path / "parts").exists()
    assert json.loads((tmp_path / "part.json").read_text())["shard"] == "1/2"
    assert render.main(self_drive(run, split_track, tmp_path / "parts"))["rendered"] == 0
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


def test_path_with_a_track(run, split_track, tmp_path):
    """As many frames as the path has, at its size."""
    matrix = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0.5, 0, 0, 0, 1]
    frames = [{"camera_to_world": matrix, "fov": 30.0}] * 3
    content = {"render_height": 10, "render_width": 14, "seconds": 0.3, "fps": 10, "camera_path": frames}
    (tmp_path / "path.json").write_text(json.dumps(content))
    command = PathCommand(
        load_config=run, output=tmp_path / "a.webm", camera_path=tmp_path / "path.json", track=split_track
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
