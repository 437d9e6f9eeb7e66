"""A training that was stopped and goes on equals one that was not, to the last bit."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nerfstudio.plugins.types import MethodSpecification
from tiny_training import assert_same, made_trainer, method_config

from nerface_ns.configs import method_configs
from nerface_ns.data.patch_pixel_sampler import PatchPixelSamplerConfig

SPECIFICATIONS = [value for value in vars(method_configs).values() if isinstance(value, MethodSpecification)]
METHODS = [each.config.method_name for each in SPECIFICATIONS]
LAST_BEFORE, LAST = 3, 7


def tiny_config(head: Path, output_dir: Path, method: str = "nerface", **settings: Any) -> Any:
    config = method_config(head, output_dir, method, max_num_iterations=LAST + 1, **settings)
    model = config.pipeline.model
    if hasattr(model, "occupancy"):
        model.occupancy.resolution, model.occupancy.refresh_steps = 12, 3
    config.steps_per_save, config.save_only_latest_checkpoint = LAST_BEFORE, False
    config.steps_per_eval_batch, config.steps_per_eval_image = 2, 5
    config.steps_per_eval_all_images = 0
    return config


def refine_cameras(config: Any) -> None:
    refinement = config.pipeline.model.camera_refinement
    refinement.enabled, refinement.freeze_steps, refinement.refine_focal = True, 0, True


def checkpoint(folder: Path, step: int) -> dict[str, Any]:
    return torch.load(folder / f"step-{step:09d}.ckpt", weights_only=True)


def assert_resume_is_exact(make_config: Any, tmp_path: Path) -> dict[str, Any]:
    """Train twice as far; train on from the half in another trainer; compare all that checkpoints hold."""
    whole = made_trainer(make_config(tmp_path / "whole"), LAST + 1).checkpoint_dir
    again = make_config(tmp_path / "again", load_dir=whole, load_step=LAST_BEFORE)
    again.max_num_iterations = LAST - LAST_BEFORE
    random.seed(5)
    np.random.seed(5)
    resumed = made_trainer(again, LAST).checkpoint_dir
    expected = checkpoint(whole, LAST)
    found = checkpoint(resumed, LAST)
    for state in (found, expected):
        # The tests' type checks draw from this generator, here and there a different number of times.
        state["face_state"]["random"].pop("python")
    assert_same(found, expected)
    return expected


@pytest.mark.parametrize("method", METHODS)
def test_resume_is_exact(head, tmp_path, method):
    """Parameters, moments, rates, occupancy and generators; the occupancy is refreshed in both halves."""
    end = assert_resume_is_exact(lambda folder, **load: tiny_config(head, folder, method, **load), tmp_path)
    half = checkpoint(next((tmp_path / "whole").rglob("nerfstudio_models")), LAST_BEFORE)
    name = next(name for name in end["pipeline"] if name.endswith("codes"))
    assert not torch.equal(end["pipeline"][name], half["pipeline"][name])


def test_resume_of_everything_that_learns_is_exact(head, tmp_path):
    """Cameras, corrections, a field that is dropped in the first half, patches, gradients gathered over two steps."""

    def make_config(folder: Path, **load: Any) -> Any:
        config = tiny_config(head, folder, **load)
        model, data = config.pipeline.model, config.pipeline.datamanager
        refine_cameras(config)
        model.expression_corrections.enabled = True
        model.refine_schedule.pretrain_share, model.refine_schedule.rest_steps, model.max_num_steps = 0.25, 1, LAST + 1
        data.pixel_sampler = PatchPixelSamplerConfig(patches_from_step=5, patch_size=4)
        config.gradient_accumulation_steps = {"latent_codes": 3, "grids": 2}
        return config

    end = assert_resume_is_exact(make_config, tmp_path)
    assert int(end["pipeline"]["_model.refine_schedule.dropped_at"]) == 2
    assert end["pipeline"]["_model.camera_optimizer.turn"].abs().max() > 0
    gathered = end["face_state"]["gradients"]
    assert list(gathered) == ["latent_codes"] and gathered["latent_codes"][0].abs().max() > 0


def test_more_frames_keep_old_codes(head, longer_head, tmp_path, capsys):
    """The frame that is new, the third, starts at zero; codes, cameras and moments stay with theirs; all learn on."""
    config = tiny_config(head, tmp_path / "five")
    refine_cameras(config)
    trained = made_trainer(config, LAST + 1).checkpoint_dir
    before = checkpoint(trained, LAST)
    again = tiny_config(longer_head, tmp_path / "six", load_dir=trained, load_more_frames=True)
    refine_cameras(again)
    again.max_num_iterations = 20
    trainer = made_trainer(again)
    assert "1 of 6 training frames are new; their codes start at zero." in capsys.readouterr().out
    old, new = [0, 1, 3, 4, 5], 2
    after = trainer.pipeline.state_dict()
    for name in ("latent_codes.codes", "camera_optimizer.turn", "camera_optimizer.shift"):
        table = after[f"_model.{name}"]
        torch.testing.assert_close(table[old], before["pipeline"][f"_model.{name}"], rtol=0, atol=0)
        assert (table[new] == 0).all()
    for group in ("latent_codes", "cameras"):
        moments = trainer.optimizers.optimizers[group].state_dict()["state"][0]["exp_avg"]
        torch.testing.assert_close(moments[old], before["optimizers"][group]["state"][0]["exp_avg"], rtol=0, atol=0)
        assert (moments[new] == 0).all()
    encoding, expression = trainer.pipeline.model.expression_encoding, trainer.pipeline.model.track.expression[new]
    low, high, mean = (before["pipeline"][f"_model.expression_encoding.{name}"] for name in ("low", "high", "mean"))
    torch.testing.assert_close(encoding.mean, mean)
    torch.testing.assert_close(encoding.low, torch.minimum(low, expression))
    torch.testing.assert_close(encoding.high, torch.maximum(high, expression))
    trainer.train()
    assert trainer.step == LAST + 20 and trainer.pipeline.model.latent_codes.codes[new].abs().max() > 0


def test_fewer_or_other_frames_are_refused(head, longer_head, tmp_path):
    """Without the option the error tells of it; frames that are gone are named."""
    six = made_trainer(tiny_config(longer_head, tmp_path / "six"), LAST + 1).checkpoint_dir
    with pytest.raises(ValueError, match=r"--load-more-frames: expected all 6 frames .* got none named train/"):
        made_trainer(tiny_config(head, tmp_path / "five", load_dir=six, load_more_frames=True))
    five = made_trainer(tiny_config(head, tmp_path / "five"), LAST + 1).checkpoint_dir
    with pytest.raises(ValueError, match=r"expected 6 training frames as in the data, got 5.* --load-more-frames True"):
        made_trainer(tiny_config(longer_head, tmp_path / "again", load_dir=five))
    with pytest.raises(ValueError, match="--load-more-frames: expected a whole checkpoint, got --load-only as well"):
        made_trainer(tiny_config(longer_head, tmp_path, load_dir=five, load_more_frames=True, load_only="grids"))
    with pytest.raises(ValueError, match="--load-more-frames: expected --load-dir or --load-checkpoint as well"):
        made_trainer(tiny_config(longer_head, tmp_path, load_more_frames=True))


def test_settings_that_train_other_tensors_are_refused(head, tmp_path):
    """A run whose lens learned does not go on with one that stands still."""

    def make_config(folder: Path, refine_focal: bool, **load: Any) -> Any:
        config = tiny_config(head, folder, **load)
        refine_cameras(config)
        config.pipeline.model.camera_refinement.refine_focal = refine_focal
        return config

    folder = made_trainer(make_config(tmp_path / "first", True), LAST + 1).checkpoint_dir
    with pytest.raises(ValueError, match=r"first.*parameter group cameras: expected 2 trained tensors.* got 3; go on"):
        made_trainer(make_config(tmp_path / "again", False, load_dir=folder))


def test_options_of_new_persons_belong_together(head, tmp_path):
    with pytest.raises(ValueError, match="--new-identity-like: expected --load-identities as well"):
        made_trainer(tiny_config(head, tmp_path, new_identity_like="anna"))
    with pytest.raises(ValueError, match="--load-identities: expected --load-dir or --load-checkpoint as well"):
        made_trainer(tiny_config(head, tmp_path, load_identities=True))


def test_entry_of_a_later_version_is_refused(head, tmp_path):
    folder = made_trainer(tiny_config(head, tmp_path / "first"), LAST + 1).checkpoint_dir
    stored = checkpoint(folder, LAST)
    stored["face_state"]["version"] = 2
    torch.save(stored, folder / "step-000000009.ckpt")
    with pytest.raises(ValueError, match="face_state: expected version 1, got 2"):
        made_trainer(tiny_config(head, tmp_path / "again", load_dir=folder))
    del stored["face_state"]
    torch.save(stored, folder / "step-000000009.ckpt")
    again = made_trainer(tiny_config(head, tmp_path / "again", load_dir=folder))
    assert again._start_step == LAST + 1
