"""Runs of three steps on a tiny head, and trainings that start from parts of them."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from nerfstudio.engine.trainer import Trainer, TrainerConfig
from small_runs import shrink
from tiny_training import NUM_STEPS, assert_same, made_trainer, method_config

from nerface_ns.configs.method_configs import nerface
from nerface_ns.engine.face_trainer import FaceTrainer, FaceTrainerConfig, load_moments
from nerface_ns.evaluation.timed_trainer import train_until
from nerface_ns.evaluation.training_config import training_config


@pytest.fixture(scope="module")
def run(head: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of a trained run."""
    torch.manual_seed(0)
    trainer = made_trainer(method_config(head, tmp_path_factory.mktemp("outputs")), NUM_STEPS)
    return trainer.checkpoint_dir


@pytest.fixture(scope="module")
def stored(run: Path) -> dict[str, Any]:
    return torch.load(next(run.glob("*.ckpt")), weights_only=True)


@pytest.fixture
def fresh(head: Path, tmp_path: Path) -> dict[str, torch.Tensor]:
    """What a training from scratch begins with."""
    return made_trainer(method_config(head, tmp_path / "fresh")).pipeline.state_dict()


def moments(trainer: Trainer) -> dict[str, set[int]]:
    """Steps that the moments of each group have seen."""
    return {
        name: {int(state["step"]) for state in optimizer.state.values()}
        for name, optimizer in trainer.optimizers.optimizers.items()
    }


def test_only_the_codes(head, run, stored, fresh, tmp_path):
    """Codes and their moments come from the checkpoint, everything else is as from scratch, step and rates included."""
    trainer = made_trainer(method_config(head, tmp_path, load_dir=run, load_only="latent_codes"))
    for name, value in trainer.pipeline.state_dict().items():
        expected = stored["pipeline"][name] if name == "_model.latent_codes.codes" else fresh[name]
        torch.testing.assert_close(value, expected, msg=name, rtol=0, atol=0)
    assert trainer._start_step == 0
    assert moments(trainer) == {"networks": set(), "grids": set(), "latent_codes": {NUM_STEPS}}
    warmup = nerface.config.optimizers["latent_codes"]["scheduler"].warmup_steps
    for name, optimizer in trainer.optimizers.optimizers.items():
        rate = nerface.config.optimizers[name]["optimizer"].lr
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate / warmup), name


def test_all_but_the_codes(head, run, stored, fresh, tmp_path, capsys):
    """The field comes with its occupancy; the list says so; the training starts at step 0 and runs."""
    config = method_config(head, tmp_path, load_checkpoint=next(run.glob("*.ckpt")), load_ignore="latent_codes")
    loaded = made_trainer(config).pipeline.state_dict()
    for name, value in loaded.items():
        expected = fresh[name] if name == "_model.latent_codes.codes" else stored["pipeline"][name]
        torch.testing.assert_close(value, expected, msg=name, rtol=0, atol=0)
    printed = capsys.readouterr().out
    assert "latent_codes" in printed and "skipped" in printed and "Training starts at step 0." in printed
    trainer = made_trainer(config, NUM_STEPS)
    assert [path.name for path in trainer.checkpoint_dir.glob("*.ckpt")] == ["step-000000002.ckpt"]
    assert moments(trainer)["networks"] == {2 * NUM_STEPS} and moments(trainer)["latent_codes"] == {NUM_STEPS}


def state_of(trainer: Trainer) -> dict[str, Any]:
    optimizers = trainer.optimizers
    return {
        "step": trainer._start_step,
        "pipeline": trainer.pipeline.state_dict(),
        "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers.optimizers.items()},
        "schedulers": {name: scheduler.state_dict() for name, scheduler in optimizers.schedulers.items()},
    }


@pytest.mark.parametrize("load_only", [None, "networks,grids,latent_codes"])
def test_whole_checkpoint_is_loaded_as_by_nerfstudio(head, run, tmp_path, load_only):
    """Without the options, and with all groups named, step, rates and moments are what nerfstudio's trainer makes."""
    settings = method_config(head, tmp_path, load_dir=run)
    settings._target = Trainer
    expected = state_of(made_trainer(settings))
    found = state_of(made_trainer(method_config(head, tmp_path, load_dir=run, load_only=load_only)))
    assert found["step"] == NUM_STEPS
    assert_same(found, expected)


def test_settings_of_nerfstudios_own_class(head, run, tmp_path):
    """As config.yml of older runs holds them; the timed trainer takes them too."""
    config = method_config(head, tmp_path, load_dir=run)
    names = {field.name for field in dataclasses.fields(TrainerConfig)} - {"_target"}
    own = {name: value for name, value in vars(config).items() if name in names}
    trainer = FaceTrainer(TrainerConfig(**own))
    assert trainer.group_choice is None


def test_settings_survive_config_yml(head, tmp_path):
    config = yaml.load(yaml.dump(method_config(head, tmp_path, load_only="grids")), Loader=yaml.Loader)
    assert type(config) is FaceTrainerConfig and config.load_only == "grids" and config._target is FaceTrainer


def test_timed_training_from_parts(head, run, stored, tmp_path):
    """`nerface-benchmark ... -- --load-only` takes the same way."""
    options = ["--load-only", "latent_codes", "--load-dir", str(run), "--max-num-iterations", "1"]
    options += ["--pipeline.datamanager.train-num-rays-per-batch", "64", "--machine.device-type", "cpu"]
    config = training_config("nerface", tmp_path, head, overrides=options)
    assert type(config) is FaceTrainerConfig
    shrink(config.pipeline.model)
    trainer, report = train_until(config, time.monotonic() + 60)
    assert report.steps == 1 and moments(trainer)["latent_codes"] == {NUM_STEPS + 1}
    moved = trainer.pipeline.model.latent_codes.codes - stored["pipeline"]["_model.latent_codes.codes"]
    assert 0 < moved.abs().max() < 1e-3  # one step at the warm-up's rate


@pytest.mark.parametrize("options", [{"load_only": "latent_codes"}, {"load_ignore": "grids"}])
def test_checkpoint_of_another_frame_count(longer_head, run, tmp_path, options, capsys):
    """The error names the file and both numbers; the list is printed first."""
    message = "step-000000002.ckpt: latent_codes: expected 6 training frames as in the data, got 5"
    with pytest.raises(ValueError, match=message):
        made_trainer(method_config(longer_head, tmp_path, load_dir=run, **options))
    assert "mismatched" in capsys.readouterr().out


def test_whole_checkpoint_of_another_frame_count(longer_head, run, tmp_path):
    message = f"{run}: checkpoint: expected 6 training frames as in the data, got 5"
    with pytest.raises(ValueError, match=message):
        made_trainer(method_config(longer_head, tmp_path, load_dir=run))


def test_field_of_another_frame_count(longer_head, run, stored, tmp_path):
    """What does not depend on the number of frames can be taken."""
    trainer = made_trainer(method_config(longer_head, tmp_path, load_dir=run, load_ignore="latent_codes"))
    loaded = trainer.pipeline.state_dict()
    for name in ("_model.field.grid.table", "_model.occupancy.occs"):
        torch.testing.assert_close(loaded[name], stored["pipeline"][name])
    assert len(trainer.pipeline.model.latent_codes.codes) == 6


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"load_only": "camras"}, ValueError, "--load-only camras: expected parameter groups among grids, latent_c"),
        ({"load_ignore": "fields"}, ValueError, "--load-ignore fields: expected parameter groups among .*, got fields"),
        ({"load_only": "grids", "load_ignore": "grids"}, ValueError, "expected one of them, got both"),
        ({"load_only": "grids", "load_dir": None}, ValueError, "expected --load-dir or --load-checkpoint as well"),
        ({"load_only": "grids", "load_step": 77}, FileNotFoundError, "expected a checkpoint step-000000077.ckpt"),
    ],
)
def test_bad_options(head, run, tmp_path, settings, error, message):
    with pytest.raises(error, match=message):
        made_trainer(method_config(head, tmp_path, **{"load_dir": run, **settings}))


def test_moments_that_do_not_fit_are_left_out():
    """Of another number of parameters, of another size, or none."""

    def adam(*sizes: int) -> torch.optim.Adam:
        parameters = [torch.nn.Parameter(torch.ones(size)) for size in sizes]
        optimizer = torch.optim.Adam(parameters, lr=0.5)
        sum(parameter.square().sum() for parameter in parameters).backward()
        return optimizer

    trained = adam(2, 3)
    trained.step()
    trained.param_groups[0]["lr"] = 0.125
    assert load_moments(adam(2), trained.state_dict()) == "fresh"
    assert load_moments(adam(2, 4), trained.state_dict()) == "fresh"
    assert load_moments(adam(2, 3), adam(2, 3).state_dict()) == "fresh"
    assert load_moments(adam(2, 3), None) == "fresh"
    fitting = adam(2, 3)
    assert load_moments(fitting, trained.state_dict()) == "moments of 1 steps"
    assert fitting.param_groups[0]["lr"] == 0.5
    torch.testing.assert_close(fitting.state_dict()["state"], trained.state_dict()["state"])
