"""`nerface-avatar` on a run of three steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_runs import SIZE

from nerface_ns.avatar.avatar_model import load_avatar
from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.scripts import avatar, render
from nerface_ns.scripts.render_commands import DriveCommand
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.track_file import write_track


@pytest.fixture(scope="module", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def file(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's avatar."""
    path = tmp_path_factory.mktemp("avatars") / "head.nerface"
    avatar.entrypoint(["export", str(run.parent), str(path), "--licence", "CC0", "--note", "made up"])
    return path


@pytest.fixture(scope="module")
def track(file: Path) -> Path:
    loaded = load_avatar(file)
    names, expression = loaded.file.expression_names, loaded.file.expression.flip(0).double().numpy()
    poses = loaded.file.camera_to_world.double().numpy()
    path = file.with_name("track.json")
    write_track(path, ExpressionTrack(10.0, names, expression, camera_to_world=poses, source="made up"))
    return path


def pictures(folder: Path) -> np.ndarray:
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])


def test_driven_frames_equal_the_runs(run, file, track, tmp_path):
    render.main(DriveCommand(load_config=run, track=track, output=tmp_path / "run"))
    avatar.entrypoint(["drive", str(file), "--track", str(track), "--output", str(tmp_path / "avatar")])
    np.testing.assert_array_equal(pictures(tmp_path / "avatar"), pictures(tmp_path / "run"))
    assert len(pictures(tmp_path / "run")) == 6


def test_training_frames_equal_the_runs_bit_for_bit(run, file):
    ours, theirs = load_avatar(file), load_run(run)[1]
    for index in (0, 5):
        outputs = []
        for pipeline in (ours, theirs):
            camera = pipeline.datamanager.train_dataset.cameras.to("cpu")[index : index + 1]
            outputs.append(pipeline.model.get_outputs_for_camera(camera))
        assert all(torch.equal(outputs[0][name], outputs[1][name]) for name in outputs[1])


def test_show_prints_what_the_file_says(file, tmp_path, capsys):
    avatar.entrypoint(["show", str(file), "--thumbnail", str(tmp_path / "a.png")])
    printed = capsys.readouterr().out
    assert "CC0" in printed and "made up" in printed and f"{SIZE} x {SIZE} pixels" in printed
    assert Image.open(tmp_path / "a.png").size == (SIZE, SIZE)


def test_pictures_and_videos(file, tmp_path):
    """A picture of the neutral face is the thumbnail; a video of an orbit is one of that many frames."""
    avatar.entrypoint(["render", str(file), "--output", str(tmp_path / "a.png")])
    thumbnail = load_avatar(file).file.thumbnail.numpy()
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), thumbnail)
    avatar.entrypoint(["render", str(file), "--seconds", "0.12", "--output", str(tmp_path / "orbit")])
    assert pictures(tmp_path / "orbit").shape == (3, SIZE, SIZE, 3)
    still = ["--seconds", "0.08", "--camera", "own", "--expression", "mean"]
    avatar.entrypoint(["render", str(file), *still, "--output", str(tmp_path / "still")])
    assert (pictures(tmp_path / "still")[0] == pictures(tmp_path / "still")[1]).all()


def test_drive_marks_videos_unless_told_otherwise(file, track, tmp_path):
    reports = {}
    for name, options in {"on": [], "off": ["--watermark", "off"]}.items():
        output = tmp_path / f"{name}.gif"
        avatar.entrypoint(["drive", str(file), "--track", str(track), "--output", str(output), *options])
        reports[name] = np.asarray(Image.open(output).convert("RGB")).astype(int)
        assert (b"Synthetic video" in output.read_bytes()) == (name == "on")
    assert np.abs(reports["on"] - reports["off"])[-4:, -4:].max() > 30


def test_imported_run_is_one_that_nerfstudio_loads(file, tmp_path):
    """It renders as the avatar does."""
    avatar.entrypoint(["import", str(file), "--output-dir", str(tmp_path)])
    (config_path,) = tmp_path.glob("avatar/nerface/*/config.yml")
    ours, theirs = load_avatar(file), load_run(config_path)[1]
    camera = theirs.datamanager.train_dataset.cameras[2:3]
    expected = ours.model.get_outputs_for_camera(ours.datamanager.train_dataset.cameras[2:3])
    got = theirs.model.get_outputs_for_camera(camera)
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    assert theirs.datamanager.train_dataset[0]["image"].shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "gone.nerface"],
        ["drive", "config.yml", "--track", "t.json", "--output", "a.mp4"],
        ["render", "gone.nerface", "--output", "a.bmp"],
        ["import", "gone.nerface"],
        ["export", "gone", "a.nerface"],
        ["export", "gone", "a.ckpt"],
    ],
)
def test_errors_are_one_message(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        avatar.entrypoint(arguments)
    assert capsys.readouterr().err.startswith("Error: ")
