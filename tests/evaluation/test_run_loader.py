import time

import pytest
import torch
from fake_training import FakePipeline, fake_config
from nerfstudio.utils import eval_utils

from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.evaluation.timed_trainer import train_until


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A finished run of four steps; returns its trainer and its config.yml."""
    config = fake_config(tmp_path / "outputs", max_num_iterations=4)
    monkeypatch.setitem(eval_utils.all_methods, "fake", config)
    monkeypatch.setattr(config.pipeline.datamanager, "_target", None, raising=False)
    trainer, report = train_until(config, time.monotonic() + 60)
    return trainer, report.config_path


def test_trained_weights_come_back(run):
    """The pipeline holds what was trained, with its step, in evaluation mode."""
    trainer, config_path = run
    _, pipeline, checkpoint_path, step = load_run(config_path)
    torch.testing.assert_close(pipeline.model.weight.detach(), trainer.pipeline.model.weight.detach())
    assert checkpoint_path.name == f"step-{step:09d}.ckpt"
    assert not pipeline.training


def test_moved_run_still_loads(run, tmp_path, monkeypatch):
    """The checkpoint is looked for beside config.yml, from any working folder."""
    moved = tmp_path / "elsewhere"
    run[1].parent.rename(moved)
    monkeypatch.chdir(tmp_path)
    assert load_run(moved / "config.yml")[2].parent == moved / "nerfstudio_models"


def test_code_protocol_is_replaced(run):
    """The pipeline is built with the rule asked for."""
    assert load_run(run[1], "nearest")[1].model.config.code_protocol == "nearest"


def test_method_without_codes_refuses_a_code_frame(run):
    """An option that the method lacks is an error, not ignored."""
    with pytest.raises(ValueError, match="--code-frame 3: method fake has no latent codes"):
        load_run(run[1], code_frame=3)


def test_missing_checkpoint_is_named(run):
    """The error names the folder where one was expected."""
    for checkpoint in run[1].parent.rglob("*.ckpt"):
        checkpoint.unlink()
    with pytest.raises(FileNotFoundError, match=r"nerfstudio_models: expected a checkpoint"):
        load_run(run[1])


def test_checkpoint_of_other_sizes_is_explained(run, monkeypatch):
    """Data with another number of coefficients gives one clear error."""
    monkeypatch.setattr(FakePipeline, "num_coefficients", 7)
    with pytest.raises(ValueError, match="the checkpoint does not fit its data"):
        load_run(run[1])


def test_model_settings_are_replaced(run):
    """The pipeline is built with them."""
    run_config = load_run(run[1], model_settings={"code_protocol": "mean"})[1].model.config
    assert run_config.code_protocol == "mean"


def test_unknown_model_setting_is_named(run):
    """A setting that the model lacks is an error, not ignored."""
    with pytest.raises(ValueError, match="model setting jiter: method fake has none of this name"):
        load_run(run[1], model_settings={"jiter": True})
