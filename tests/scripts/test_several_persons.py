"""Runs of two persons: scores, pictures and morphs of each, and a third one who joins by photos."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_runs import SIZE, small_run

from nerface_ns.engine.more_identities import with_more_identities
from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.fitting import new_identity, photo_fitter
from nerface_ns.fitting.fit_settings import FitSettings
from nerface_ns.model_components.run_fingerprint import run_fingerprint
from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.scripts import evaluate, fit, render
from nerface_ns.scripts.render_commands import OrbitCommand
from nerface_ns.scripts.render_states import MorphCommand, StateCommand
from nerface_ns.synthetic.demo_sequence import DemoSequenceConfig, write_demo_sequence
from nerface_ns.tracks.fitted_state import read_state

FAST = FitSettings(size=SIZE, starts=1, expressions=2, pixels=100, iterations=1)


@pytest.fixture(scope="module", autouse=True)
def quick_fits(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        # After three steps no render resembles anything.
        patch.setattr(photo_fitter, "LEAST_FIT", -1.0)
        patch.setattr(photo_fitter, "ROUNDS", ((16, 1.0), None))
        patch.setattr(photo_fitter, "SEARCH_ITERATIONS", 1)
        patch.setattr(photo_fitter, "SEARCH", (16, 1.0))
        yield


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three persons' recordings."""
    root = tmp_path_factory.mktemp("people")
    folders = [root / name for name in ("anna", "ben", "carla")]
    for identity, folder in enumerate(folders):
        sizes = {"num_train": 4, "num_val": 1, "num_test": 2, "num_nvs": 0, "samples": 1, "mesh_density": 0.2}
        write_demo_sequence(folder, DemoSequenceConfig(SIZE, seed=identity, identity=identity, **sizes))
    return folders


@pytest.fixture(scope="module")
def run(people: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config.yml of a run of anna and ben."""
    return small_run(Path(f"{people[0]},{people[1]}"), tmp_path_factory.mktemp("outputs"))


@pytest.fixture(scope="module")
def pipeline(run: Path) -> Any:
    return load_run(run)[1]


def test_a_run_is_named_after_all(run: Path):
    assert run.parents[2].name == "anna+ben"


def test_scores_of_each_person(run: Path, tmp_path: Path):
    """The mean over both persons' test frames, of which each has two, is that of all."""
    evaluate.main(evaluate.EvaluateCommand(load_config=run, split=("test",), json=tmp_path / "scores.json"))
    written = json.loads((tmp_path / "scores.json").read_text())
    alone = written["identities"]
    assert list(alone) == ["anna", "ben"]
    mean = np.mean([alone[name]["test"]["psnr"] for name in alone])
    assert mean == pytest.approx(written["test"]["psnr"]) and alone["anna"] != alone["ben"]
    assert {frame.split("/")[0] for frame in written["frames"]["test"]} == {"anna", "ben"}


def orbit(run: Path, output: Path, **options: Any) -> np.ndarray:
    command = OrbitCommand(load_config=run, output=output, seconds=0.04, yaw_deg=0, pitch_deg=0, **options)
    render.main(command)
    return np.asarray(Image.open(output / "00000.png")).astype(int)


def test_a_person_is_rendered_by_name(run: Path, pipeline: Any, tmp_path: Path):
    shown = {name: orbit(run, tmp_path / name, identity=name) for name in ("anna", "ben")}
    assert np.abs(shown["anna"] - shown["ben"]).mean() > 1
    assert np.array_equal(orbit(run, tmp_path / "first"), shown["anna"])
    subject = RenderSubject(pipeline, run, identity="ben")
    (shot,) = subject.shots([subject.own_camera.camera_to_worlds[0]], subject.neutral[None])
    with torch.no_grad():
        expected = pipeline.model.get_outputs_for_camera(shot.camera)["rgb"].clamp(0, 1).numpy() * 255
    assert np.abs(shown["ben"] - expected).max() <= 1
    torch.testing.assert_close(subject.train_expression, pipeline.model.track.expression[4:])
    with pytest.raises(ValueError, match="--identity dora: expected persons among anna, ben, got 'dora'"):
        orbit(run, tmp_path / "none", identity="dora")


def test_states_morph_from_person_to_person(run: Path, pipeline: Any, people: list[Path], tmp_path: Path):
    """The last frame is the other person's state; half way there is half of each."""
    for folder, name in zip(people, ("anna", "ben")):
        photo = tmp_path / f"{name}.png"
        photo.write_bytes((folder / "test" / "f_0005.png").read_bytes())
        fit.main(
            fit.FitCommand(
                images=(photo,), load_config=run, output_dir=tmp_path, identity=name, fit=FAST, video_seconds=0
            )
        )
    states = tuple(tmp_path / f"{name}_state.json" for name in ("anna", "ben"))
    assert [dict(read_state(path).identity) for path in states] == [{"anna": 1.0}, {"ben": 1.0}]
    command = MorphCommand(load_config=run, output=tmp_path / "morph", states=states, seconds=0.12)
    render.main(command)
    still = StateCommand(
        load_config=run, output=tmp_path / "still", state=states[1], seconds=0.04, yaw_deg=0, pitch_deg=0
    )
    render.main(still)
    places = ("still/00000.png", "morph/00002.png")
    first, second = (np.asarray(Image.open(tmp_path / place)).astype(int) for place in places)
    assert np.abs(first - second).max() <= 1
    plan = command.prepare()(RenderSubject(pipeline, run))
    shares = [shot.camera.metadata["identity_shares"][0].tolist() for shot in plan.shots]
    assert shares == [[1, 0], [0.5, 0.5], [0, 1]]
    broken = {**json.loads(states[0].read_text()), "identity": {"dora": 1.0}}
    (tmp_path / "dora.json").write_text(json.dumps(broken))
    with pytest.raises(ValueError, match=r"dora.json: expected persons among anna, ben, got dora"):
        render.main(dataclasses.replace(still, state=tmp_path / "dora.json"))
    (tmp_path / "half.json").write_text(json.dumps({**broken, "identity": {"anna": 0.4}}))
    with pytest.raises(ValueError, match=r"half.json: expected shares of at least 0 that add up to 1"):
        read_state(tmp_path / "half.json")


def add(run: Path, output_dir: Path, *photos: Path, **options: Any) -> dict[str, Any]:
    command = {"new_identity": "carla", "minutes": 0.01, "fit": FAST, "video_seconds": 0.0, **options}
    return fit.main(fit.FitCommand(images=photos, load_config=run, output_dir=output_dir, **command))


def test_a_new_person_joins_by_photos(run: Path, people: list[Path], pipeline: Any, tmp_path: Path):
    """The new run is an ordinary one that knows three; its states belong to it."""
    photos = sorted((people[2] / "train").glob("*.png"))[:1]
    report = add(run, tmp_path, *photos, json=tmp_path / "report.json", new_share=0.75)
    assert report["identity"] == "carla" and report["like"] in ("anna", "ben") and report["steps"] > 0
    assert [Path(photo["photo"]) for photo in report["photos"]] == photos
    assert all(np.isfinite([photo["psnr"], photo["psnr_before"]]).all() for photo in report["photos"])
    config = Path(report["config"])
    grown = load_run(config)[1]
    assert grown.model.identities.names == ("anna", "ben", "carla")
    assert grown.datamanager.config.last_identity_share == report["new_share"] == 0.75
    frames = [name for name in grown.datamanager.train_dataset.metadata["frame_names"] if name.startswith("carla/")]
    assert len(frames) == 1
    state = read_state(tmp_path / f"{photos[0].stem}_state.json")
    assert dict(state.identity) == {"carla": 1.0}
    picture = orbit(config, tmp_path / "turned", identity="carla:1,anna:1")
    assert picture.shape == (SIZE, SIZE, 3)
    assert state.run == run_fingerprint(grown.model)


def test_what_a_new_person_starts_from(run: Path, people: list[Path], pipeline: Any, tmp_path: Path):
    """Known persons keep codes, grids, ranges, backgrounds; the new one has those of a known one, or the mean."""
    data = Path(f"{people[0]},{people[1]},{people[2]}")
    fresh = load_run(small_run(data, tmp_path))[1]
    stored = pipeline.state_dict()
    before, now = ([*which.datamanager.train_dataset.metadata["frame_names"]] for which in (pipeline, fresh))
    for like, weights in ((None, [0.5, 0.5]), ("ben", [0.0, 1.0])):
        state = with_more_identities(Path("prior.ckpt"), stored, fresh.model, before, now, like)
        assert set(state) == set(fresh.state_dict())
        codes, grids = state["_model.identities.codes"], "_model.field.identity_grids.persons.{}.table"
        known = stored["_model.identities.codes"]
        torch.testing.assert_close(codes, torch.cat([known, torch.tensor([weights]) @ known]))
        tables = torch.stack([stored[grids.format(person)] for person in range(2)])
        torch.testing.assert_close(state[grids.format(2)], torch.einsum("p,prc->rc", torch.tensor(weights), tables))
        assert torch.equal(state[grids.format(1)], tables[1])
        latent = state["_model.latent_codes.codes"]
        assert torch.equal(latent[:8], stored["_model.latent_codes.codes"])
        assert torch.equal(latent[8:], fresh.model.latent_codes.codes[8:])
        low = torch.stack([stored[f"_model.identities.encodings.{person}.low"] for person in range(2)]).amin(dim=0)
        assert (state["_model.identities.encodings.2.low"] <= low).all()
        image = state["_model.background.image"]
        assert torch.equal(image[:2], stored["_model.background.image"])
        assert torch.equal(image[2], fresh.model.background.image[2])
    with pytest.raises(ValueError, match="--new-identity-like dora: expected one of anna, ben"):
        with_more_identities(Path("prior.ckpt"), stored, fresh.model, before, now, "dora")
    with pytest.raises(ValueError, match=r"expected the checkpoint's 2 persons first .* of whom none are new"):
        with_more_identities(Path("prior.ckpt"), stored, pipeline.model, before, before)
    with pytest.raises(ValueError, match="expected all 8 frames of the checkpoint among the"):
        with_more_identities(Path("prior.ckpt"), stored, fresh.model, before, now[4:])


def test_a_run_that_nobody_can_join(run: Path, people: list[Path], tmp_path: Path):
    photo = people[2] / "test" / "f_0005.png"
    alone = small_run(people[0], tmp_path / "alone")
    with pytest.raises(ValueError, match="--new-identity carla: expected a run of several persons, got one of one"):
        add(alone, tmp_path, photo)
    with pytest.raises(ValueError, match="--identity anna: expected none, this run was trained on one person"):
        orbit(alone, tmp_path / "none", identity="anna")
    config, pipeline, *_ = load_run(run)
    for name, message in (("ben", "got that of a person"), ("a/b", "a name that a folder can have"), ("a,b", "commas")):
        with pytest.raises(ValueError, match=message):
            new_identity.check_new_name(name, config, pipeline.model, run)
    with pytest.raises(ValueError, match="--identity ben and --new-identity carla: expected one of them"):
        add(run, tmp_path, photo, identity="ben")
    with pytest.raises(ValueError, match="--minutes 0: expected a positive number"):
        add(run, tmp_path, photo, minutes=0)
    with pytest.raises(ValueError, match="--new-share 0: expected a number above 0 and at most 1"):
        add(run, tmp_path, photo, new_share=0)
