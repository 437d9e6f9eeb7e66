import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def regions(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("regions")


def run(full, mouth, eyes):
    return {"test": {"psnr": full, "mouth": {"psnr": mouth}, "eyes": {"psnr": eyes}}}


def sharp(cpbd, truth=0.5, flicker=0.01):
    return {"full": {"cpbd": cpbd, "cpbd_truth": truth, "flicker": flicker}}


def test_summary_names_changes_and_bars(regions):
    """Over even rays mouth gains 1.2 dB and eyes 0.9; the whole image loses 0.2; 0.46 of 0.5 are 92 %."""
    runs = {"even": run(35, 28, 30), "default": run(35.1, 28.5, 30.6), "regions": run(34.8, 29.2, 30.9)}
    figures = regions.summary(runs, {"even": sharp(0.35), "default": sharp(0.4), "regions": sharp(0.46)})
    assert figures["changes_db"] == {
        "default_over_even": {"full": 0.1, "mouth": 0.5, "eyes": 0.6},
        "regions_over_even": {"full": -0.2, "mouth": 1.2, "eyes": 0.9},
        "regions_over_default": {"full": -0.3, "mouth": 0.7, "eyes": 0.3},
    }
    assert figures["cpbd_ratio"] == {"even": 0.7, "default": 0.8, "regions": 0.92}
    assert figures["reaches"] == {"mouth": True, "eyes": False, "full": True, "cpbd": True}


def test_no_edges_are_no_ratio(regions):
    assert regions.ratio({"cpbd": None, "cpbd_truth": 0.4}) is None
    assert regions.ratio({"cpbd": 0.2, "cpbd_truth": 0.0}) is None


def test_figures_are_written(regions, tmp_path, monkeypatch):
    """All runs get the same minutes, each its own options."""
    asked = []

    def train_and_score(run_of, data, dataparser, minutes, resolution, *more):
        asked.append((run_of.overrides, minutes, resolution))
        return run(35, 28, 30)

    monkeypatch.setattr(regions, "train_and_score", train_and_score)
    monkeypatch.setattr(regions, "evaluated", lambda benchmark, run_of: sharp(0.5))
    benchmark = regions.RegionBenchmark(data=tmp_path, output_dir=tmp_path, json=tmp_path / "figures.json", minutes=2)
    regions.main(benchmark)
    assert asked == [(regions.EVEN, 2, 128), ((), 2, 128), (regions.MOUTH_AND_EYES, 2, 128)]
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["overrides"] == list(regions.MOUTH_AND_EYES)
    assert figures["changes_db"]["regions_over_even"]["full"] == 0
