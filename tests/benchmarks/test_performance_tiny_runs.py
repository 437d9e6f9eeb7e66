"""Each script from end to end on a tiny head with small grids and networks."""

import importlib
import json
from pathlib import Path

import pytest
from small_runs import SIZE, shrink, write_head

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = ("fixed_pixels", "limits", "rendering", "static_yardsticks", "step_breakdown", "versus_paper")


@pytest.fixture(scope="module")
def head(tmp_path_factory) -> Path:
    return write_head(tmp_path_factory.mktemp("head") / "data")


@pytest.fixture
def scripts(monkeypatch, tmp_path):
    """Modules whose trainings are small."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    modules = {name: importlib.import_module(name) for name in SCRIPTS}
    whole = importlib.import_module("stepped_training").stepped_config

    def small(*arguments):
        config = whole(*arguments)
        shrink(config.pipeline.model)
        config.machine.device_type = "cpu"
        config.pipeline.datamanager.pixel_sampler.growth_steps = 0
        if config.pipeline.datamanager.train_num_rays_per_batch > 64:
            config.pipeline.datamanager.train_num_rays_per_batch = 64
        return config

    for module in modules.values():
        if hasattr(module, "stepped_config"):
            monkeypatch.setattr(module, "stepped_config", small)
    return modules


def test_versus_paper(scripts, head, tmp_path, monkeypatch):
    """Curves begin before the first step and end at the limit; what nobody reached is null."""
    script = scripts["versus_paper"]
    monkeypatch.setattr(script, "WARM_STEPS", {"nerface": 1, "nerface-paper": 1})
    limit = {"max_minutes": 0.005, "first_pause_s": 0.1, "thresholds": (99.0,), "further_thresholds": (99.5,)}
    command = script.VersusPaper(tmp_path / "x.json", head, **limit, paper_rays=16, pixels=8, rounds=1)
    script.main(command)
    record = json.loads(command.json.read_text())
    for curve in (record["curves"]["nerface"][0], record["curves"]["nerface-paper"]):
        assert curve["steps"][0] == curve["seconds"][0] == 0
        assert curve["steps"][-1] > 0 and curve["seconds"][-1] >= 0.3
    assert record["speedup_to_99db"] is None and "speedup_at_least" not in record
    assert record["scoring"]["pixels_per_frame"] == 8 and len(record["scoring"]["frames"]) == 2
    assert {"settings", "machine", "versions", "commit", "date"} <= set(record)


def test_step_breakdown(scripts, head, tmp_path, monkeypatch):
    """Parts are all there, add up, and the static stand-in runs beside."""
    script = scripts["step_breakdown"]
    monkeypatch.setattr(scripts["static_yardsticks"], "cuda_kernels_error", lambda: "none here")
    stand_in, ngp = script.STAND_IN, script.INSTANT_NGP
    command = script.StepBreakdown(
        tmp_path / "x.json", head, train_steps=2, block_steps=2, rounds=1, yardsticks=(stand_in, ngp)
    )
    script.main(command)
    record = json.loads(command.json.read_text())
    assert min(record["parts_ms"].values()) >= 0
    assert record["timed_step_ms"] > 0.1 * record["nerface"]["step_ms"]
    for part in ("data", "sampling_march", "grid", "warp", "networks", "backward_grid", "backward_rest", "optimizer"):
        assert record["parts_ms"][part] > 0
    assert record["nerface"]["rays_per_step"] == 64
    assert set(record["yardsticks"]) == {stand_in} and set(record["not_run"]) == {ngp}


def test_limits(scripts, head, tmp_path, monkeypatch):
    script = scripts["limits"]
    monkeypatch.setattr(script, "matmul_peak", lambda device: 1e9)
    monkeypatch.setattr(script, "copy_bandwidth", lambda device: 1e9)
    command = script.Limits(tmp_path / "x.json", head, train_steps=2, repeats=1)
    script.main(command)
    record = json.loads(command.json.read_text())
    step, frame = record["step"], record["frame"]
    assert step["whole"]["flops"] == step["networks"]["flops"] + step["grids"]["flops"] > 0
    assert set(step) == {"networks", "grids", "optimizer", "whole"} and set(frame) == {"networks", "grids", "whole"}
    assert record["settings"]["frame_height_width"] == [SIZE, SIZE]
    assert record["points_asked"]["frame"]["with_gradient"] == 0
    assert 0 < step["networks"]["products_alone_ms"] < step["whole"]["measured_ms"]


def test_rendering(scripts, head, tmp_path):
    script = scripts["rendering"]
    command = script.Rendering(tmp_path / "x.json", head, minutes=0.0, sizes=(12,), frames=1, paper_most_rays=36)
    script.main(command)
    record = json.loads(command.json.read_text())
    figures = record["sizes"]["12"]
    assert figures["nerface-paper"]["share_of_rays_rendered"] == 0.25
    assert figures["speedup"] > 0 and record["nerface_steps"] == 1
    assert set(figures["parts_ms"]) == set(script.FRAME_PARTS)


def test_chosen_pixels_are_those_of_the_whole_picture(scripts, head, tmp_path):
    """Of both methods, to the last bit of what is compared."""
    import torch
    from stepped_training import SteppedTraining

    fixed_pixels, versus_paper = scripts["fixed_pixels"], scripts["versus_paper"]
    for method in ("nerface", "nerface-paper"):
        training = SteppedTraining(versus_paper.stepped_config(method, tmp_path, head, None, 0))
        model = training.model.eval()
        pixels = fixed_pixels.FixedPixels(training.pipeline, "test", 1, 20)
        with torch.no_grad():
            whole = fixed_pixels.render_pixels(model, pixels.cameras[0], None)
            some = fixed_pixels.render_pixels(model, pixels.cameras[0], pixels.pixels[0])
        torch.testing.assert_close(some, whole[pixels.pixels[0]], rtol=0, atol=1e-5)
