import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
GAZE = {"gaze_error_deg": 5.0, "estimator_error_deg": 1.4, "head_error_deg": 0.1, "eyes_box_energy": 0.9}


@pytest.fixture
def gaze(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("gaze")


@pytest.fixture
def benchmark(gaze, tmp_path):
    return gaze.GazeBenchmark(data=tmp_path, output_dir=tmp_path / "runs", json=tmp_path / "figures.json")


def run(psnr):
    return {"test": {"psnr": psnr}}


def test_summary_names_the_figures_and_their_bars(gaze):
    """5 degrees pass the bar of 6.9 and miss the goal of 4; 0.6 dB below is too much."""
    figures = gaze.summary({**GAZE, "reaches_energy_bar": True, "psnr": 1.0}, run(33.4), run(34.0))
    assert {name: figures[name] for name in GAZE} == GAZE
    assert (figures["psnr_gaze_run"], figures["psnr_eyelook_run"], figures["psnr_difference_db"]) == (33.4, 34.0, -0.6)
    assert figures["reaches"] == {
        "gaze_error_bar": True,
        "gaze_error_goal": False,
        "estimator_bar": True,
        "energy_bar": True,
        "psnr_bar": False,
    }


def test_figures_of_both_runs_and_of_fitting_are_written(gaze, benchmark, tmp_path, monkeypatch):
    """Both methods get the same minutes, resolution and seed."""
    asked = []

    def train_and_score(run_of, data, dataparser, minutes, resolution, seed, output_dir):
        asked.append((run_of.method, run_of.overrides, dataparser, minutes, resolution, seed, output_dir))
        return run(33.0 if run_of.method == "nerface-gaze" else 33.2)

    (tmp_path / "fitting.json").write_text('{"pose_error_deg": 1.0}')
    benchmark.fitting, benchmark.overrides = tmp_path / "fitting.json", ("--x=1",)
    monkeypatch.setattr(gaze, "train_and_score", train_and_score)
    monkeypatch.setattr(gaze, "redirection", lambda _: {**GAZE, "reaches_energy_bar": True, "frames": {"a": 1}})
    gaze.main(benchmark)
    record = json.loads(benchmark.json.read_text())
    rest = ("nerface-data", 15.0, 128, 42, tmp_path / "runs")
    assert asked == [("nerface-gaze", ("--x=1",), *rest), ("nerface", (), *rest)]
    assert record["fitting"] == {"pose_error_deg": 1.0} and record["reaches"]["psnr_bar"]
    assert record["settings"]["render_resolution"] == 256 and record["frames"] == {"a": 1}
    assert set(record["runs"]) == {"nerface-gaze", "nerface"}


def test_trainings_are_taken_as_they_are(gaze, benchmark):
    benchmark.reuse = True
    with pytest.raises(FileNotFoundError, match=r"nerface-gaze-42\.json: expected the figures of an earlier training"):
        gaze.trained(benchmark, "nerface-gaze")
    benchmark.output_dir.mkdir()
    (benchmark.output_dir / "nerface-gaze-42.json").write_text(json.dumps(run(30.0)))
    assert gaze.trained(benchmark, "nerface-gaze") == run(30.0)
    with pytest.raises(FileNotFoundError, match=r"expected a training's config\.yml below it"):
        gaze.config_path(benchmark, "nerface-gaze")


@pytest.mark.parametrize(("content", "message"), [("[1]", "expected a JSON object, got list"), ("{", "expected JSON")])
def test_fitting_file_that_is_none(gaze, benchmark, tmp_path, content, message):
    """Told before anything is trained."""
    benchmark.fitting = tmp_path / "fitting.json"
    with pytest.raises(FileNotFoundError, match=r"--fitting .*: expected figures of benchmarks/fitting\.py, found no"):
        gaze.main(benchmark)
    benchmark.fitting.write_text(content)
    with pytest.raises(ValueError, match=f"--fitting .*: {message}"):
        gaze.main(benchmark)
