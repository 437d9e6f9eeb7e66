"""What the benchmark of several persons asks for, and how it sums up; the trainings are made up."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest


def test_who_is_trained_with_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Together, each alone, and the new person from the others and from nothing."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    identities, asked = importlib.import_module("identities"), {}

    def train(benchmark, name, people, minutes, overrides=()):
        asked[name] = ([Path(person).name for person in people], minutes, list(overrides))
        short = {"new-from-the-others-1-minutes": 28.0, "new-from-nothing-1-minutes": 25.0}
        level = {"together": 30.0, **short}.get(name, 31.5)
        return {"steps": 1, "test": {Path(person).name: {"psnr": level} for person in people}}, tmp_path / "x.ckpt"

    monkeypatch.setattr(identities, "train", train)
    benchmark = identities.IdentitiesBenchmark(Path("data/head_a"), tmp_path, tmp_path / "figures.json")
    identities.main(benchmark)
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["known"]["demo-1"] == {"together": 30.0, "alone": 31.5, "difference_db": -1.5}
    assert list(written["known"]) == ["head_a", "demo", "demo-1"]
    assert list(written["new"]) == ["1_minutes", "5_minutes"]
    assert written["new"]["1_minutes"] == {"from_the_others": 28.0, "from_nothing": 25.0, "difference_db": 3.0}
    assert asked["alone-demo"] == (["demo"], 10.0, [])
    people, minutes, options = asked["new-from-the-others-1-minutes"]
    assert people == ["head_a", "demo", "demo-1", "demo-2"] and str(tmp_path / "x.ckpt") in options
    assert minutes == 1.0 and options[-1] == "1.0"
