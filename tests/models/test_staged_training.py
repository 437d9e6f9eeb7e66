"""Stages and schedules on the ball model: what learns, at which rate, under which weights."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from blob_model import NEAR_FAR, make_model, train_rays
from nerfstudio.engine.callbacks import TrainingCallbackAttributes
from nerfstudio.engine.optimizers import Optimizers

from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig
from nerface_ns.model_components.adam import FaceAdamConfig
from nerface_ns.model_components.background import BackgroundConfig
from nerface_ns.model_components.losses import colour_errors
from nerface_ns.model_components.schedules import WarmupDecaySchedulerConfig
from nerface_ns.model_components.training_stages import StagesConfig


def staged_model(stages=(), weights=(), preset="none", **settings):
    settings = {"radiance_field": WarpedGridFieldConfig(), "max_num_steps": 10, **settings}
    config = StagesConfig(preset=preset, list=tuple(stages), weights=tuple(weights))
    return make_model(stages=config, background=BackgroundConfig(mode="learned"), **settings).train()


def training(model, regions=("mouth",)):
    """What the trainer hands over, with an optimizer for each group."""
    config = {
        name: {"optimizer": FaceAdamConfig(lr=0.01), "scheduler": WarmupDecaySchedulerConfig(max_steps=10)}
        for name in model.get_param_groups()
    }
    asked = []

    def find_regions(names):
        unknown = set(names) - set(regions)
        if unknown:
            raise ValueError(f"no region {unknown}")
        asked.append(tuple(names))

    pipeline = SimpleNamespace(datamanager=SimpleNamespace(train_dataset=None, find_regions=find_regions))
    optimizers = Optimizers(config, model.get_param_groups())
    return TrainingCallbackAttributes(optimizers, None, pipeline, None), asked


def learning(model):
    """Names of the parameters that learn."""
    named = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return named - {"device_indicator_param"}  # nerfstudio's own


def rates(optimizers):
    return {name: one.param_groups[0]["lr"] for name, one in optimizers.optimizers.items()}


def test_groups_learn_in_turn_and_gathered_gradients_go():
    model = staged_model(["a steps=2 train=grids,latent_codes", "b steps=1 train=colour", "c"])
    everything = learning(model)
    attributes, _ = training(model)
    (callback,) = model.stage_callbacks(attributes)
    callback.run_callback(0)
    grids = {name for name in everything if name.split(".")[-1] in ("grids", "table")}
    assert learning(model) == grids | {"latent_codes.codes"}
    model.latent_codes.codes.grad = torch.ones_like(model.latent_codes.codes)
    callback.run_callback(2)
    colour = {name for name in everything if name.split(".")[1] in ("normal", "colour_first", "colour_rest")}
    assert learning(model) == colour and model.latent_codes.codes.grad is None
    callback.run_callback(3)
    assert learning(model) == everything


def test_frozen_parameters_stay_to_the_bit():
    """One step of Adam in a stage that trains density alone moves no colour, and the other way round."""
    for part in ("density", "colour"):
        torch.manual_seed(0)
        model = staged_model([f"a train={part}"])
        attributes, _ = training(model)
        colours = {id(parameter) for parameter in model.field.colour_parameters()}
        before = {name: value.detach().clone() for name, value in model.named_parameters()}
        model.stage_callbacks(attributes)[0].run_callback(0)
        rays = train_rays([0, 2])
        losses = model.get_loss_dict(model(rays), {"image": torch.rand(len(rays), 3)})
        sum(losses.values()).backward()
        attributes.optimizers.optimizer_step_all()
        moved = {
            id(value) in colours for name, value in model.named_parameters() if not torch.equal(value, before[name])
        }
        assert moved == {part == "colour"}, other


def test_rates_are_factors_of_the_schedule():
    """Halved in the first stage, as scheduled in the second, whatever the optimizer stood at before."""
    model = staged_model(["a steps=2 lr.grids=0.5", "b"])
    attributes, _ = training(model)
    (callback,) = model.stage_callbacks(attributes)
    plain = training(staged_model())[0].optimizers
    for step in range(4):
        callback.run_callback(step)
        callback.run_callback(step)
        factor = 0.5 if step < 2 else 1.0
        expected = {name: rate * (factor if name == "grids" else 1.0) for name, rate in rates(plain).items()}
        assert rates(attributes.optimizers) == pytest.approx(expected)
        for one in (attributes.optimizers, plain):
            for optimizer in one.optimizers.values():
                optimizer.step()
            one.scheduler_step_all(step)


def test_shares_follow_a_clock():
    model = staged_model(["a share=0.5", "b"])
    (callback,) = model.stage_callbacks(training(model)[0])
    model.training_progress.set_fraction(0.49)
    callback.run_callback(9)
    assert float(model.stage_metrics()["stage"]) == 0
    model.training_progress.set_fraction(0.5)
    callback.run_callback(9)
    assert float(model.stage_metrics()["stage"]) == 1


def test_weights_reach_the_losses_and_the_log():
    """The matte's weight is scheduled for all stages, the entropy's for the first."""
    model = staged_model(
        ["a steps=4 weight.entropy=0.5", "b"], ["matte=0:0,8:4"], matte_weight=9.0, entropy_weight=0.25
    )
    (callback,) = model.stage_callbacks(training(model)[0])
    rays = train_rays([1])
    outputs = model(rays)
    batch = {"image": torch.rand(len(rays), 3), "alpha": torch.rand(len(rays), 1)}
    found = []
    for step in (0, 2, 4):
        callback.run_callback(step)
        losses, metrics = model.get_loss_dict(outputs, batch), model.get_metrics_dict(outputs, batch)
        shown = [float(metrics[name]) for name in ("weight.matte", "weight.entropy", "stage")]
        found.append((float(losses.get("matte_loss", torch.tensor(0.0))), float(losses["entropy_loss"]), *shown))
    matte = float(((outputs["accumulation"] - batch["alpha"]) ** 2).mean())
    entropy = found[2][1] / 0.25
    expected = [(0.0, 0.5 * entropy, 0.0, 0.5, 0.0), (matte, 0.5 * entropy, 1.0, 0.5, 0.0)]
    torch.testing.assert_close(torch.tensor(found[:2]), torch.tensor(expected))
    assert found[2] == pytest.approx((2 * matte, 0.25 * entropy, 2.0, 0.25, 1.0))


def test_regions_weigh_colours():
    """Three times in the mouth, which the data manager is asked for; the product where regions overlap."""
    model = staged_model(["a steps=1", "b weight.region.eyes=0.5"], ["region.mouth=3"])
    attributes, asked = training(model, ("mouth", "eyes"))
    (callback,) = model.stage_callbacks(attributes)
    assert asked == [("mouth", "eyes")]
    rays = train_rays([1])
    outputs, truth = model(rays), torch.rand(len(rays), 3)
    generator = torch.Generator().manual_seed(2)
    inside = torch.rand(len(rays), 2, generator=generator) < 0.5
    errors = colour_errors(outputs["rgb"], truth, model.config.huber_delta)
    for step, eyes in ((0, 1.0), (1, 0.5)):
        callback.run_callback(step)
        weight = torch.where(inside[:, 0], 3.0, 1.0) * torch.where(inside[:, 1], eyes, 1.0)
        losses = model.get_loss_dict(outputs, {"image": truth, "regions": inside})
        torch.testing.assert_close(losses["rgb_loss"], (weight * errors).mean())


def test_preset_passes_through_its_stages():
    """Geometry to 30 %, where the density's share is fixed; appearance to 40 %, which moves no density."""
    model = staged_model(preset="geometry-appearance-joint")
    everything = learning(model)
    (callback,) = model.stage_callbacks(training(model)[0])
    found = []
    for step in (0, 3, 4):
        callback.run_callback(step)
        found.append((learning(model), model.loss_weights["silhouette"]))
    assert found[0] == (everything - {"latent_codes.codes"}, 0.1)
    assert found[1][0] & {"field.density_net.0.weight", "field.colour_rest.1.weight"} == {"field.colour_rest.1.weight"}
    assert found[2] == (everything, 0.0)


def test_nothing_is_added_by_default():
    model = staged_model()
    assert model.stage_callbacks(training(model)[0]) == [] and model.stage_metrics() == {}
    rays = train_rays([1])
    assert not any(
        name.startswith("weight.") for name in model.get_metrics_dict(model(rays), {"image": torch.rand(len(rays), 3)})
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stages": ["a train=hands"]}, "stages.list 'a': train: expected parameter groups among .* got 'hands'"),
        ({"stages": ["a lr.hands=2"]}, "stages.list 'a': lr: expected parameter groups among .* got 'hands'"),
        ({"stages": ["a weight.hair=1"]}, "stages.list 'a': expected losses among camera, code, .* got 'hair'"),
        ({"stages": ["a weight.region.hair=1"]}, "no region {'hair'}"),
        ({"weights": ["hair=1"]}, "stages.weights: expected losses among camera, code, .* got 'hair'"),
        ({"weights": ["matte=5:1,2:1"]}, "stages.weights matte: expected steps of at least 0 that grow"),
    ],
)
def test_unknown_names(settings, message):
    def begin():
        model = staged_model(**settings)
        model.stage_callbacks(training(model)[0])

    with pytest.raises(ValueError, match=message):
        begin()


def test_factor_needs_a_schedule():
    model = staged_model(["a lr.grids=0.5"])
    attributes, _ = training(model)
    del attributes.optimizers.schedulers["grids"]
    with pytest.raises(ValueError, match=r"lr.grids: expected a learning-rate schedule .* got NoneType"):
        model.stage_callbacks(attributes)


def test_settings_of_before_there_were_stages():
    """A run's pickled settings have neither the stages' field nor the surface losses'."""
    from blob_model import BlobFieldConfig, make_metadata
    from nerfstudio.data.scene_box import SceneBox

    from nerface_ns.models.occ_face_model import OccFaceModelConfig

    config = OccFaceModelConfig(radiance_field=BlobFieldConfig())
    del config.stages, config.surface_losses
    box = SceneBox(aabb=torch.tensor([[-0.2, -0.15, -0.2], [0.2, 0.15, 0.2]]))
    model = config.setup(scene_box=box, num_train_data=6, metadata=make_metadata()).train()
    rays = train_rays([1])
    losses = model.get_loss_dict(model(rays), {"image": torch.rand(len(rays), 3), "alpha": torch.rand(len(rays), 1)})
    assert "silhouette_loss" not in losses and (model.near, model.far) == NEAR_FAR
