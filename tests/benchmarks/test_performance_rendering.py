import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def rendering(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("rendering")


@pytest.fixture
def all_performance(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("all_performance")


def test_a_share_of_rays_is_extrapolated_and_says_so(rendering):
    """1 s for a sixteenth is 16 s, 8 times the 2 s of a whole picture."""
    figures = rendering.size_figures([1.0, 2.0, 30.0], [1.0, 1.0, 5.0], 1 / 16)
    assert figures["speedup"] == 8.0
    assert figures["nerface"]["frames_per_s"] == 0.5
    assert figures["nerface-paper"]["seconds_a_frame"] == 16.0
    assert figures["nerface-paper"]["is_extrapolated"] is True
    assert rendering.size_figures([1.0], [4.0], 1.0)["nerface-paper"]["is_extrapolated"] is False


def test_spread_pixels(rendering):
    assert rendering.spread_pixels(9, 5).tolist() == [0, 2, 4, 6, 8]
    assert rendering.spread_pixels(9, 0) is None
    assert rendering.spread_pixels(9, 9) is None
    assert len(rendering.spread_pixels(2**18, 4096).unique()) == 4096


def test_parts_of_a_picture(rendering):
    timer = rendering.PartTimer(lambda: 0.0, lambda: None)
    timer.seconds.update({"frame": 1.0, "frame.render.sampling": 2.0, "frame.render.networks.warp": 4.0})
    parts = rendering.frame_parts_ms(timer, 2)
    assert (parts["rays_and_rest"], parts["sampling_march"], parts["warp"]) == (500.0, 1000.0, 2000.0)
    assert sum(parts.values()) == 3500.0


class FakeModel:
    """Remembers with which radius, and whether with a cache, each picture was asked for."""

    device = "cpu"

    def __init__(self):
        from nerface_ns.model_components.view_cache import ViewCache

        self.views, self.foveation, self.asked = ViewCache(2), SimpleNamespace(radius=0.3, block=4), []

    def get_outputs_for_camera(self, camera):
        self.asked.append(self.foveation.radius)


@pytest.mark.parametrize("count", [3, 4])
def test_timing_foveated_pictures_leaves_the_model_as_it_was(rendering, count):
    """Turns are swapped from picture to picture, so that the last way may be either one."""
    model, camera = FakeModel(), SimpleNamespace(to=lambda device: None)
    kept = model.views
    figures = rendering.foveated_figures(model, [camera] * count, 0.2)
    assert model.views is kept and model.foveation.radius == 0.3
    assert model.asked == [0.2, 0.0, 0.0, 0.2, 0.2, 0.0, 0.0, 0.2][: 2 * count]
    assert figures["speedup"] == figures["seconds_a_frame_whole"] / figures["seconds_a_frame_foveated"]


def test_commands_run_every_script_into_one_folder(all_performance, tmp_path):
    settings = all_performance.AllPerformance(tmp_path, data=Path("head"), resolution=64, skip=("limits",))
    commands = all_performance.commands(settings)
    assert set(commands) == {"versus_paper", "step_breakdown", "scaling", "rendering", "startup"}
    for name, options in commands.items():
        assert options[:2] == ["--json", str(tmp_path / f"{name}.json")]
        assert (BENCHMARKS / f"{name}.py").is_file()
    assert commands["rendering"][2:6] == ["--data", "head", "--resolution", "64"]


def test_options_are_the_scripts_own(all_performance, tmp_path, monkeypatch):
    """Each script's command line takes what it is given."""
    import tyro

    monkeypatch.syspath_prepend(BENCHMARKS)
    classes = {
        "versus_paper": "VersusPaper",
        "step_breakdown": "StepBreakdown",
        "scaling": "Scaling",
        "rendering": "Rendering",
        "limits": "Limits",
        "startup": "Startup",
    }
    settings = all_performance.AllPerformance(tmp_path, data=tmp_path, resolution=64)
    for name, options in all_performance.commands(settings).items():
        command = tyro.cli(getattr(importlib.import_module(name), classes[name]), args=options)
        assert command.json == tmp_path / f"{name}.json"


def test_what_takes_too_long_is_stopped(all_performance, monkeypatch, tmp_path):
    """One that waits is stopped; one that fails, and one that ends at once, say so."""
    (tmp_path / "waits.py").write_text("import time; time.sleep(60)")
    (tmp_path / "ends.py").write_text("")
    (tmp_path / "fails.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(all_performance, "HERE", tmp_path)
    ended = all_performance.run_all({"ends": [], "fails": []}, float("inf"))
    assert {name: result["outcome"] for name, result in ended.items()} == {"ends": "done", "fails": "failed"}
    assert all_performance.run_all({"waits": []}, 0.3)["waits"]["outcome"] == "stopped"


def test_scaled_camera_shows_the_same(rendering):
    from nerfstudio.cameras.cameras import Cameras

    camera = Cameras(torch.eye(4)[None, :3], 20.0, 20.0, 5.0, 5.0, 10, 10)
    scaled = rendering.scaled_camera(camera[0:1], 40)
    assert (int(scaled.height[0]), int(scaled.width[0]), float(scaled.fx[0])) == (40, 40, 80.0)
    assert float(camera.fx[0]) == 20.0
