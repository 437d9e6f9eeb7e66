"""Pretrain, drop the field, keep the cameras, train again; also in the middle of it."""

import pytest
import torch
from blob_model import make_model, train_rays
from nerfstudio.engine.callbacks import TrainingCallbackAttributes
from nerfstudio.engine.optimizers import Optimizers
from refining_model import metadata, refining_model

from nerface_ns.configs.method_configs import nerface
from nerface_ns.field_components.deformation import BilinearDeformationConfig
from nerface_ns.field_components.feature_grid import FeatureGridConfig
from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig
from nerface_ns.model_components.refine_schedule import RefineScheduleConfig

DROP = 20
"""Step at which the field is dropped: half of the training."""


def attributes(optimizers) -> TrainingCallbackAttributes:
    return TrainingCallbackAttributes(optimizers=optimizers, grad_scaler=None, pipeline=None, trainer=None)


def scheduled_model(rest_steps: int = 0, rigid_pretraining: bool = True, statue_share: float = 0.0, **settings):
    torch.manual_seed(1)
    schedule = RefineScheduleConfig(
        pretrain_share=0.5, rigid_pretraining=rigid_pretraining, statue_share=statue_share, rest_steps=rest_steps
    )
    grid = FeatureGridConfig(resolutions=(4, 8))
    small = WarpedGridFieldConfig(canonical_grid=grid, deformation=BilinearDeformationConfig(grid=grid, width=8))
    model = refining_model(radiance_field=small, refine_schedule=schedule, **settings)
    model.training_progress.max_steps = 2 * DROP
    config = {name: nerface.config.optimizers[name] for name in model.get_param_groups()}
    optimizers = Optimizers(config, model.get_param_groups())
    for scheduler in optimizers.schedulers.values():
        scheduler.training_progress.max_steps = 2 * DROP
    return model.train(), optimizers


def run_steps(model, optimizers, steps: range) -> None:
    callbacks = model.refinement_callbacks(attributes(optimizers))
    for step in steps:
        for callback in callbacks:
            callback.run_callback(step)
        optimizers.zero_grad_all()
        outputs = model(train_rays([1, 4], rays_per_frame=4))
        sum(model.get_loss_dict(outputs, {"image": torch.full((8, 3), 0.3)}).values()).backward()
        optimizers.optimizer_step_all()
        optimizers.scheduler_step_all(step)


@pytest.fixture(autouse=True)
def no_event_log(monkeypatch):
    monkeypatch.setattr("nerfstudio.engine.optimizers.writer.put_scalar", lambda **_: None)


def test_the_field_is_dropped_and_the_cameras_are_kept():
    model, optimizers = scheduled_model()
    run_steps(model, optimizers, range(0, DROP))
    cameras = {name: value.clone() for name, value in model.camera_optimizer.state_dict().items()}
    weight = next(model.field.parameters())
    trained, codes = weight.clone(), model.latent_codes.codes
    assert cameras["turn"].abs().max() > 0 and codes.abs().max() > 0
    networks = optimizers.schedulers["networks"]
    assert networks.get_last_lr()[0] < 0.1 * networks.base_lrs[0]
    run_steps(model, optimizers, range(DROP, DROP + 1))
    assert int(model.refine_schedule.dropped_at) == DROP and model.field_age(DROP + 3) == 3
    assert next(model.field.parameters()) is weight
    assert (weight - trained).abs().mean() > 1e-3
    moments = optimizers.optimizers["networks"].state[optimizers.parameters["networks"][0]]
    assert int(moments["step"]) == 1
    kept = optimizers.optimizers["cameras"].state[model.camera_optimizer.turn]
    assert int(kept["step"]) == DROP + 1
    assert networks.last_epoch == 1, "the warm-up of 25 steps begins anew"
    assert networks.get_last_lr()[0] == pytest.approx(2 / 25 * networks.base_lrs[0])
    assert (model.camera_optimizer.turn - cameras["turn"]).abs().max() < 0.01


def test_the_cameras_rate_has_fallen_by_the_drop_and_stays_low():
    model, optimizers = scheduled_model()
    cameras = optimizers.schedulers["cameras"]
    cameras.training_progress.max_steps = model.training_progress.max_steps
    run_steps(model, optimizers, range(DROP - 2, DROP + 2))
    config = nerface.config.optimizers["cameras"]["scheduler"]
    for done in (0.5, 0.6, 1.0):
        cameras.training_progress.set_fraction(done)
        assert cameras.lr_lambdas[0](1000) == pytest.approx(config.final_factor)
    cameras.training_progress.set_fraction(0.1)
    assert cameras.lr_lambdas[0](1000) == pytest.approx(1.0)


def test_cameras_rest_while_the_field_is_new():
    """Frozen at first as the settings say, and again after the drop."""
    model, optimizers = scheduled_model(rest_steps=4, cameras={"freeze_steps": 3})
    resting = []
    for step in range(DROP + 6):
        for callback in model.refinement_callbacks(attributes(optimizers)):
            callback.run_callback(step)
        resting.append((model.camera_optimizer.is_frozen, model.expression_corrections.is_frozen))
    assert [step for step, (cameras, _) in enumerate(resting) if cameras] == [0, 1, 2, *range(DROP, DROP + 4)]
    assert [step for step, (_, expressions) in enumerate(resting) if expressions] == list(range(DROP, DROP + 4))


def test_the_field_is_rigid_until_the_drop_and_the_lens_stands_still_from_then_on():
    """What bends with the pose could take the lens's error over."""
    model, optimizers = scheduled_model()
    poses = model.frame_poses(torch.tensor([1, 4]))

    def told() -> torch.Tensor:
        return model.make_condition(poses, torch.tensor([1, 4])).head_pose

    assert told().abs().max() == 0
    run_steps(model, optimizers, range(DROP - 2, DROP))
    focal = float(model.camera_optimizer.focal)
    assert model.is_rigid and focal != 0
    run_steps(model, optimizers, range(DROP, DROP + 3))
    assert not model.is_rigid and told().abs().min() > 0
    assert float(model.camera_optimizer.focal) == focal


def test_the_lens_learns_while_the_face_is_a_statue_with_a_shape():
    """The statue lasts half of the pretraining, and the lens learns in the second half of that; the poses go on."""
    model, optimizers = scheduled_model(statue_share=0.5)
    poses = model.frame_poses(torch.tensor([1, 4]))
    with torch.no_grad():
        model.latent_codes.codes += 1.0

    def told() -> list[float]:
        condition = model.make_condition(poses, torch.tensor([1, 4]))
        return [float(part.abs().max()) for part in (condition.expression, condition.latent_code)]

    run_steps(model, optimizers, range(0, DROP // 4))
    assert float(model.camera_optimizer.focal) == 0 and model.camera_optimizer.turn.abs().max() > 0
    run_steps(model, optimizers, range(DROP // 4, DROP // 2))
    assert model.is_statue and told() == [0.0, 0.0]
    focal, turn = float(model.camera_optimizer.focal), model.camera_optimizer.turn.clone()
    run_steps(model, optimizers, range(DROP // 2, DROP + 2))
    assert not model.is_statue and min(told()) > 0
    assert focal != 0 and float(model.camera_optimizer.focal) == focal
    assert (model.camera_optimizer.turn - turn).abs().max() > 0


def test_a_checkpoint_knows_its_statue():
    """One of before there were any has none."""
    model, optimizers = scheduled_model(statue_share=0.5)
    run_steps(model, optimizers, range(0, 2))
    stored, (loaded, _) = model.state_dict(), scheduled_model(statue_share=0.5)
    loaded.load_state_dict(stored)
    assert loaded.is_statue
    del stored["refine_schedule.statue"]
    older, _ = scheduled_model()
    older.load_state_dict(stored)
    assert not older.is_statue


def test_a_face_is_no_statue_where_no_lens_learns():
    model, optimizers = scheduled_model(statue_share=0.5, cameras={"refine_focal": False})
    run_steps(model, optimizers, range(0, 2))
    assert not model.is_statue


def test_a_field_may_bend_from_the_start_where_that_is_asked_for():
    model, _ = scheduled_model(rigid_pretraining=False)
    assert not model.is_rigid


@pytest.mark.parametrize("interruption", [12, 24])
def test_an_interrupted_schedule_goes_on_where_it_was(interruption):
    """The same learning rates as in one go, and dropped once."""
    whole_model, whole = scheduled_model()
    run_steps(whole_model, whole, range(0, 28))
    model, optimizers = scheduled_model()
    run_steps(model, optimizers, range(0, interruption))
    saved = model.state_dict()
    states = {name: scheduler.state_dict() for name, scheduler in optimizers.schedulers.items()}
    resumed, others = scheduled_model()
    resumed.load_state_dict(saved)
    others.load_schedulers(states)
    run_steps(resumed, others, range(interruption, 28))
    assert int(resumed.refine_schedule.dropped_at) == DROP
    for name, scheduler in whole.schedulers.items():
        assert others.schedulers[name].get_last_lr() == pytest.approx(scheduler.get_last_lr()), name


def test_statue_share_outside_zero_to_one():
    with pytest.raises(ValueError, match=r"statue_share: expected a share in \[0, 1\], got 1.5"):
        make_model(metadata(), refine_schedule=RefineScheduleConfig(pretrain_share=0.5, statue_share=1.5))


def test_share_outside_zero_to_one():
    with pytest.raises(ValueError, match=r"refine_schedule.pretrain_share: expected a share in \[0, 1\), got 1.5"):
        make_model(metadata(), refine_schedule=RefineScheduleConfig(pretrain_share=1.5))
