import copy
from types import SimpleNamespace

import pytest
import torch
import yaml
from released_code import ITERATION, assert_same
from released_runs import trained_run

from nerface_ns.configs.method_configs import nerface_paper
from nerface_ns.original import exported_checkpoint
from nerface_ns.original.exported_checkpoint import export_checkpoint
from nerface_ns.original.import_settings import ImportSettings
from nerface_ns.original.imported_run import import_checkpoint


def plain(content):
    """As the script saves it."""


def with_counted_tensors(content):
    """Newer versions of torch count Adam's steps in tensors."""
    for state in content["optimizer_state_dict"]["state"].values():
        state["step"] = torch.tensor(float(state["step"]))


def with_learned_background(content):
    moments = {"exp_avg": torch.randn(12, 16, 3), "exp_avg_sq": torch.rand(12, 16, 3)}
    content["optimizer_state_dict"]["state"][53] = {"step": 3, **moments}


def with_unused_moments(content):
    """A state of the layer that is never asked."""
    moments = {"exp_avg": torch.randn(8, 8), "exp_avg_sq": torch.rand(8, 8)}
    content["optimizer_state_dict"]["state"][22] = {"step": 1, **moments}


def with_another_optimizer(content):
    content["optimizer_state_dict"] = {"state": {0: {"momentum_buffer": torch.randn(3)}}, "param_groups": [{"lr": 1.0}]}


def stripped(content):
    for name in ("optimizer_state_dict", "loss", "psnr"):
        del content[name]


def without_background(content):
    content["background"] = None


def reordered(content):
    content["iter"] = content.pop("iter")


@pytest.mark.parametrize(
    "change",
    [
        plain,
        with_counted_tensors,
        with_learned_background,
        with_unused_moments,
        with_another_optimizer,
        stripped,
        without_background,
        reordered,
    ],
)
def test_round_trip_is_exact(training, dataset, tmp_path, change):
    """Every number, type and name comes back, to the last bit."""
    content = copy.deepcopy({**training.checkpoint(), "loss": torch.tensor(0.125)})
    change(content)
    torch.save(content, tmp_path / "original.ckpt")
    settings = ImportSettings(data=dataset, output_dir=tmp_path / "outputs", position_octaves=4)
    run = import_checkpoint(tmp_path / "original.ckpt", settings)
    exported = export_checkpoint(run.config_path, tmp_path / "again.ckpt")
    assert exported.iteration == ITERATION
    assert ["num_coefficients 3 instead of 76" in note for note in exported.notes] == [True, True]
    before, after = (torch.load(tmp_path / name, weights_only=True) for name in ("original.ckpt", "again.ckpt"))
    assert_same(after, before)


@pytest.mark.parametrize("fidelity", ["published", "released"])
def test_own_run_survives_the_other_round_trip(dataset, tmp_path, fidelity):
    """A run that was trained here is exported, loads into NerFace's network and comes back with its optimizers."""
    config = copy.deepcopy(nerface_paper.config)
    model = config.pipeline.model
    model.fidelity, model.near, model.far, model.code_frame = fidelity, 0.2, 0.8, 1
    model.latent_codes.length = 5
    for radiance_field in (model.coarse_field, model.fine_field):
        radiance_field.trunk_width, radiance_field.colour_width, radiance_field.position_octaves = 16, 8, 4
    config.data = config.pipeline.datamanager.data = dataset
    config.output_dir, config.timestamp = tmp_path / "outputs", "first"
    own = trained_run(config, num_steps=2)
    export_checkpoint(own, tmp_path / "exported.ckpt")
    settings = ImportSettings(
        data=dataset, output_dir=tmp_path / "outputs", position_octaves=4, timestamp="second", fidelity=fidelity
    )
    again = import_checkpoint(tmp_path / "exported.ckpt", settings).config_path
    before, after = (torch.load(next(run.parent.rglob("step-*.ckpt")), weights_only=True) for run in (own, again))
    unused = {name for name in after["pipeline"] if "unused_colour" in name}
    assert len(unused) == 4 and not any(after["pipeline"].pop(name).any() for name in unused)
    assert before["step"] == after["step"] == 1
    assert dict(before["pipeline"]).keys() == dict(after["pipeline"]).keys()
    for name, value in before["pipeline"].items():
        assert_same(after["pipeline"][name], value, name)
    for group in before["optimizers"]:
        assert_same(after["optimizers"][group]["state"], before["optimizers"][group]["state"], group)
        for key in ("lr", "betas", "eps", "weight_decay"):
            got, expected = (run["optimizers"][group]["param_groups"][0][key] for run in (after, before))
            assert got == expected, key
        assert after["schedulers"][group]["last_epoch"] == before["schedulers"][group]["last_epoch"]


def test_exported_networks_load_into_the_released_code(run, training, tmp_path):
    export_checkpoint(run, tmp_path / "again.ckpt")
    content = torch.load(tmp_path / "again.ckpt", weights_only=True)
    training.coarse.load_state_dict(content["model_coarse_state_dict"], strict=True)
    training.optimizer.load_state_dict(content["optimizer_state_dict"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: setattr(model.fine_field, "coordinates", "box"), r"model.fine_field.coordinates: .* got box"),
        (lambda model: setattr(model.fine_field, "density_scale", 2.0), r"density_scale: .* with 1.0 only, got 2.0"),
        (lambda model: setattr(model.expression, "scale", 0.5), r"model.expression.scale: .* with 1/3 only, got 0.5"),
        (lambda model: setattr(model.expression, "clamp_margin", 0.1), r"clamp_margin: .* below 0 only, got a clamp"),
    ],
)
def test_what_the_released_code_cannot_compute_is_refused(run, tmp_path, change, message):
    config = yaml.load(run.read_text(), Loader=yaml.Loader)
    change(config.pipeline.model)
    run.write_text(yaml.dump(config))
    with pytest.raises(ValueError, match=message):
        export_checkpoint(run, tmp_path / "again.ckpt")
    assert not (tmp_path / "again.ckpt").exists()


def test_other_methods_are_refused(monkeypatch, tmp_path):
    pipeline = SimpleNamespace(model=torch.nn.Linear(1, 1), datamanager=SimpleNamespace(dataparser=None))
    loaded = SimpleNamespace(method_name="nerface"), pipeline, tmp_path / "step-000000001.ckpt", 1
    monkeypatch.setattr(exported_checkpoint, "load_run", lambda path: loaded)
    with pytest.raises(ValueError, match=r"config.yml: expected a run of nerface-paper on .*, got nerface on NoneType"):
        export_checkpoint(tmp_path / "config.yml", tmp_path / "out.ckpt")
