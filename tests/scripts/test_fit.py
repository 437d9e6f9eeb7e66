"""`nerface-fit`, and `nerface-render state` and `morph`, on a run of three steps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import imageio.v3
import numpy as np
import pytest
from PIL import Image
from small_runs import SIZE, small_run, write_head

from nerface_ns.fitting import photo_fitter
from nerface_ns.fitting.fit_settings import FitSettings
from nerface_ns.scripts import fit, render
from nerface_ns.scripts.render_states import MorphCommand, StateCommand
from nerface_ns.tracks.fitted_state import read_state

FAST = FitSettings(size=24, starts=1, expressions=2, pixels=100, iterations=1)


@pytest.fixture(scope="module", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        # After three steps no render resembles anything.
        patch.setattr(photo_fitter, "LEAST_FIT", -1.0)
        patch.setattr(photo_fitter, "ROUNDS", ((16, 1.0), None))
        patch.setattr(photo_fitter, "SEARCH_ITERATIONS", 1)
        patch.setattr(photo_fitter, "SEARCH", (16, 1.0))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_head(tmp_path_factory.mktemp("head"), num_train=5)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config.yml of a run."""
    return small_run(data, tmp_path_factory.mktemp("outputs"), "--pipeline.model.intervals-across-box", "12")


@pytest.fixture(scope="module")
def photos(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Test frames, one of them wider and larger."""
    folder = tmp_path_factory.mktemp("photos")
    first, second = sorted((data / "test").glob("*.png"))[:2]
    shutil.copy(first, folder / "front.png")
    Image.open(second).convert("RGB").crop((0, 2, SIZE, 20)).resize((48, 36)).save(folder / "wide.png")
    return [folder / "front.png", folder / "wide.png"]


@pytest.fixture(scope="module")
def fitted(run: Path, photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of results."""
    folder = tmp_path_factory.mktemp("fitted")
    command = fit.FitCommand(
        images=tuple(photos),
        load_config=run,
        output_dir=folder,
        json=folder / "report.json",
        fit=FAST,
        video_seconds=0.12,
    )
    report = fit.main(command)
    written = json.loads((folder / "report.json").read_text())
    assert {**written, **report} == written
    return folder


def test_the_results_of_every_photo(fitted: Path, photos: list[Path]):
    names = {f"{path.stem}_{kind}" for path in photos for kind in ("state.json", "fit.png", "turn.mp4")}
    assert {file.name for file in fitted.iterdir()} == {*names, "report.json"}
    report = json.loads((fitted / "report.json").read_text())
    assert [photo["size"] for photo in report["photos"]] == [[SIZE, SIZE], [24, 32]]
    assert all(np.isfinite(photo["psnr"]) and photo["seconds"] > 0 for photo in report["photos"])
    assert imageio.v3.imread(fitted / "front_turn.mp4", plugin="FFMPEG").shape == (3, SIZE, SIZE, 3)
    with Image.open(fitted / "wide_fit.png") as image:
        assert image.width == 4 * image.height - 4 * 18


def test_the_states_share_a_code(fitted: Path):
    first, second = read_state(fitted / "front_state.json"), read_state(fitted / "wide_state.json")
    assert np.array_equal(first.latent_code, second.latent_code) and first.run == second.run
    assert (first.size, second.size) == ((24, 24), (24, 32)) and first.photo == "front.png"
    assert not np.array_equal(first.camera_to_world, second.camera_to_world)


def test_a_state_is_rendered_as_it_was_fitted(fitted: Path, run: Path, tmp_path: Path):
    """The middle third of the comparison is the state's picture."""
    command = StateCommand(
        load_config=run,
        output=tmp_path / "still",
        state=fitted / "front_state.json",
        seconds=0.04,
        yaw_deg=0,
        pitch_deg=0,
    )
    report = render.main(command)
    shown = np.asarray(Image.open(tmp_path / "still" / "00000.png")).astype(int)
    comparison = np.asarray(Image.open(fitted / "front_fit.png")).astype(int)[18:]
    factor = len(comparison) // SIZE
    expected = comparison[::factor, factor * SIZE : 2 * factor * SIZE : factor]
    assert np.abs(shown - expected).max() <= 1
    assert report["mode"] == "state" and report["frames"] == 1


def morph(fitted: Path, run: Path, output: Path, **options: Any) -> MorphCommand:
    states = (fitted / "front_state.json", fitted / "wide_state.json")
    return MorphCommand(**{"load_config": run, "output": output, "states": states, "seconds": 0.2, **options})


def test_a_morph(fitted: Path, run: Path, tmp_path: Path):
    report = render.main(morph(fitted, run, tmp_path / "m.mp4"))
    assert imageio.v3.imread(tmp_path / "m.mp4", plugin="FFMPEG").shape == (5, SIZE, SIZE, 3)
    assert report["mode"] == "morph" and len(report["states"]) == 2


def changed(path: Path, folder: Path, **changes: Any) -> Path:
    content = {**json.loads(path.read_text()), **changes}
    (folder / "changed.json").write_text(json.dumps(content))
    return folder / "changed.json"


def test_a_morph_between_states_of_different_coefficients(fitted: Path, run: Path, tmp_path: Path):
    """Told before the run is loaded."""
    first = fitted / "front_state.json"
    other = changed(first, tmp_path, expression={"smirk": 0.5})
    with pytest.raises(ValueError, match=r"changed.json \(beside .*front_state.json\): .* has unknown smirk"):
        render.main(morph(fitted, tmp_path / "none.yml", tmp_path / "m.mp4", states=(first, other)))


def test_a_state_of_another_run(fitted: Path, run: Path, tmp_path: Path):
    other = changed(fitted / "front_state.json", tmp_path, run="0" * 32)
    options = {"load_config": run, "state": other, "seconds": 0.04}
    with pytest.raises(ValueError, match=r"changed.json: expected a state that was fitted to this run"):
        render.main(StateCommand(output=tmp_path / "a", **options))
    render.main(StateCommand(output=tmp_path / "a", any_run=True, **options))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{0}/none.png"], "none.png: expected a photo here, found none"),
        (["{0}/text.png"], "text.png: expected a readable photo"),
        (["{0}/black.png"], "black.png: expected a photo of a face, got a picture of one colour"),
        (["{0}/noise.png", "{0}/noise.png"], "IMAGE noise: expected photos of different names"),
        (["{0}/noise.png", "--video-seconds", "-1"], "--video-seconds -1.0: expected 0 or a positive number"),
        (["{0}/noise.png", "--fit.pixels", "3"], "--fit.pixels 3: expected at least 100"),
        (["{0}/noise.png", "--load-config", "{0}/none.yml"], "none.yml: no such file"),
    ],
)
def test_bad_input_is_told_at_once(tmp_path: Path, capsys: Any, arguments: list[str], message: str):
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "black.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)).save(tmp_path / "noise.png")
    named = [argument.format(tmp_path) for argument in arguments]
    if "--load-config" not in named:
        named += ["--load-config", str(tmp_path / "config.yml")]
    with pytest.raises(SystemExit):
        fit.entrypoint([*named, "--output-dir", str(tmp_path / "out")])
    assert f"Error: {message}" in capsys.readouterr().err.replace(f"{tmp_path}/", "")


def test_a_photo_without_a_face(run: Path, tmp_path: Path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)).save(tmp_path / "noise.png")
    command = fit.FitCommand(images=(tmp_path / "noise.png",), load_config=run, output_dir=tmp_path / "out", fit=FAST)
    with pytest.raises(ValueError, match=r"noise.png: expected a photo of the person of this run, found no such face"):
        fit.main(command)
    assert not list((tmp_path / "out").iterdir())
