"""How `benchmarks/trust.py` keeps its figures, and that its checks find what they look for."""

import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


def test_parts_are_merged(benchmark, tmp_path):
    """A part that is run again replaces its own figures and leaves the others'; its folder starts empty."""
    trust = benchmark("trust")
    numbers = iter((1, 2, 3))

    def run(part, command, work):
        assert list(work.iterdir()) == []
        (work / "file").touch()
        return {f"{part}_figure": next(numbers)}

    def command(*parts):
        return trust.Trust(json=tmp_path / "trust.json", work_dir=tmp_path / "work", only=parts)

    trust.main(command("kills", "steps"), run)
    trust.main(command("kills"), run)
    written = json.loads((tmp_path / "trust.json").read_text())
    assert (written["kills_figure"], written["steps_figure"]) == (3, 2)
    assert set(written["parts"]) == {"kills", "steps"} and "commit" in written["parts"]["kills"]


def test_growth_of_memory_is_told_from_noise(benchmark, tmp_path, monkeypatch):
    """Readings that rise by 2 % between the first and the last fifth, with spikes; the first tenth does not count."""
    long_training = benchmark("long_training")
    readings = [50.0] * 4 + [100.0 + 2.0 * (number >= 18) for number in range(36)]
    readings[5], readings[-2] = 140.0, 160.0
    (tmp_path / "readings.json").write_text(json.dumps(readings))
    monkeypatch.setattr(long_training, "run_in_child", lambda work: 0)
    figures = long_training.steps_part(tmp_path, tmp_path, 20_000)
    assert figures["long_training_growth_percent"] == pytest.approx(2.0)


def test_lost_and_cut_off_checkpoints_are_found(benchmark, tmp_path):
    """The check of the kills is not blind."""
    import torch

    kill_runs = benchmark("kill_runs")
    folder = tmp_path / "nerface" / "nerfstudio_models"
    folder.mkdir(parents=True)
    assert kill_runs._check(tmp_path, -1) == ([], -1) and kill_runs._check(tmp_path, 4)[0] == ["checkpoints are gone"]
    for step in (4, 6):
        torch.save({"step": step, "pipeline": {}, "optimizers": {}}, folder / f"step-{step:09d}.ckpt")
    assert kill_runs._check(tmp_path, 4) == ([], 6)
    assert "expected step 8 at least" in kill_runs._check(tmp_path, 8)[0][0]
    last = folder / "step-000000006.ckpt"
    last.write_bytes(last.read_bytes()[:-30])
    faults, step = kill_runs._check(tmp_path, 4)
    assert step == 6 and "expected a whole checkpoint of step 6, got step-000000004.ckpt" in faults[0]
