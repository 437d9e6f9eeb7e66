import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def power_law(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("power_law")


@pytest.fixture
def scaling(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("scaling")


class FakeTraining:
    """A step takes a millisecond for each 10 of its size and makes twice its size in samples."""

    def __init__(self, size: int):
        self.size, self.samples = size, 0.0

    def run(self, steps: int) -> float:
        self.samples += 2 * self.size * steps
        return steps * self.size / 10_000


def test_known_exponent(power_law):
    """3 x^0.7 at four places."""
    values = [10, 20, 100, 400]
    fit = power_law.fit_power_law(values, [3 * value**0.7 for value in values])
    assert fit == pytest.approx({"exponent": 0.7, "factor": 3.0})


@pytest.mark.parametrize(("values", "results"), [([1, 1], [2, 3]), ([1, 2], [0, 3]), ([-1, 2], [1, 3])])
def test_no_power_law_of_one_place_or_of_zero(power_law, values, results):
    with pytest.raises(ValueError, match="expected positive numbers"):
        power_law.fit_power_law(values, results)


def test_plot_is_written(power_law, tmp_path):
    path = tmp_path / "plots" / "growth.png"
    power_law.plot_power_laws(path, {"rays": [(1, 2.0), (10, 20.0)]}, {"rays": 1.0}, "step, ms")
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_each_sweep_varies_one_thing(scaling, tmp_path):
    command = scaling.Scaling(tmp_path / "x.json", frames=(8, 16), coefficients=(12,), resolutions=(32,), rays=(64,))
    found = scaling.cases(command)
    base = scaling.Case(command.base_frames, command.base_coefficients, command.base_resolution)
    assert found["frames"][16] == scaling.Case(16, base.coefficients, base.resolution)
    assert found["coefficients"] == {12: scaling.Case(base.frames, 12, base.resolution)}
    assert found["resolution"] == {32: scaling.Case(base.frames, base.coefficients, 32)}
    assert found["rays"] == {64: scaling.Case(base.frames, base.coefficients, base.resolution, 64)}


def test_figures_of_fake_trainings(scaling, tmp_path):
    """Steps linear in what is varied have exponent 1 and the same time per sample."""
    command = scaling.Scaling(tmp_path / "x.json", (10, 40), (12, 200), (64, 128), (512, 1024), train_steps=3)
    varied = {"frames": "frames", "coefficients": "coefficients", "resolution": "resolution", "rays": "rays"}
    for name, attribute in varied.items():
        record = scaling.measure(command, lambda case, attribute=attribute: FakeTraining(getattr(case, attribute) or 1))
        sweep = record["sweeps"][name]
        assert sweep["exponents"] == pytest.approx({"step_ms": 1.0, "samples_per_step": 1.0, "us_per_sample": 0.0})
        first = sweep["rows"][0]
        assert first["step_ms"] == pytest.approx(first["value"] / 10)
        assert first["us_per_sample"] == pytest.approx(50)
    json.dumps(record, allow_nan=False)


def test_random_expressions_have_the_length_that_is_asked_for(scaling, tmp_path):
    path = tmp_path / "transforms_train.json"
    frames = [{"file_path": f"train/{number}", "expression": [0.0]} for number in range(3)]
    path.write_text(json.dumps({"expression_names": ["jawOpen"], "frames": frames}))
    scaling.with_random_expressions(tmp_path, 7, seed=0)
    content = json.loads(path.read_text())
    assert [len(frame["expression"]) for frame in content["frames"]] == [7] * 3
    assert len(set(content["expression_names"])) == 7
    assert content["frames"][0]["expression"] != content["frames"][1]["expression"]
