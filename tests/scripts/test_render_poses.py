"""`nerface-render poses` on a ball whose cameras may be refined."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from blob_model import NUM_FRAMES, make_cameras, make_model
from PIL import Image

from nerface_ns.evaluation import run_loader
from nerface_ns.scripts import render


@pytest.fixture
def load(monkeypatch):
    """Lets the command find a run; its model refines cameras by the function given."""

    def install(refine=None):
        model = make_model()
        if refine is not None:
            monkeypatch.setattr(model, "refined_cameras", refine)
        dataset = SimpleNamespace(cameras=make_cameras())
        pipeline = SimpleNamespace(model=model, datamanager=SimpleNamespace(train_dataset=dataset))
        run = (SimpleNamespace(method_name="nerface"), pipeline, Path("step-000000007.ckpt"), 7)
        monkeypatch.setattr(run_loader, "load_run", lambda path: run)

    return install


def draw(tmp_path, *options):
    picture, report = tmp_path / "cameras.png", tmp_path / "cameras.json"
    arguments = ["--load-config", "config.yml", "--output", str(picture), "--json", str(report), *options]
    render.entrypoint(["poses", *arguments])
    return Image.open(picture), json.loads(report.read_text())


def test_run_without_refinement(load, tmp_path):
    load()
    picture, report = draw(tmp_path, "--size-px", "600")
    assert picture.width == pytest.approx(600, abs=2)
    assert (report["cameras"], report["is_refined"], report["method"]) == (NUM_FRAMES, False, "nerface")
    assert "mean_turn_deg" not in report and not list(tmp_path.glob("*.part"))


def test_run_with_refinement(load, tmp_path):
    """The report has the changes."""
    load(lambda cameras: dataclasses.replace(cameras, fx=cameras.fx * 1.25))
    report = draw(tmp_path)[1]
    assert report["is_refined"] and report["focal_factor"] == pytest.approx(1.25)
    assert report["max_turn_deg"] == report["max_shift"] == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "a.jpg"], "--output a.jpg: expected NAME.png"),
        (["--output", "a.png", "--max-cameras", "0"], "--max-cameras 0: expected at least 1"),
        (["--output", "a.png", "--size-px", "10"], "--size-px 10: expected at least 200"),
        (["--output", "a.png"], "no.yml: no such file"),
    ],
)
def test_poses_that_cannot_be_drawn(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        render.entrypoint(["poses", "--load-config", "no.yml", *options])
    assert message in capsys.readouterr().err


def test_run_of_another_package(load, tmp_path, monkeypatch):
    load()
    other = (SimpleNamespace(method_name="nerfacto"), SimpleNamespace(model=object()), Path("a.ckpt"), 1)
    monkeypatch.setattr(run_loader, "load_run", lambda path: other)
    with pytest.raises(SystemExit):
        draw(tmp_path)
