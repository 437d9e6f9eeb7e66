"""What the published recipe's settings change: fidelity, ablations, sizes, planes, codes."""

import pytest
import torch
from nerfstudio.engine.callbacks import TrainingCallbackAttributes, TrainingCallbackLocation
from tiny_paper import FAR, NEAR, NUM_COEFFICIENTS, NUM_FRAMES, NUM_RAYS, a_camera, some_rays, tiny_model

from nerface_ns.conditioning.latent_codes import LatentCodesConfig
from nerface_ns.configs.method_configs import nerface_paper
from nerface_ns.fields.nerface_field import NeRFaceFieldConfig
from nerface_ns.model_components.background import BackgroundConfig
from nerface_ns.models import paper_face_model
from nerface_ns.models.paper_face_model import PaperFaceModel


@torch.no_grad()
@pytest.mark.parametrize("direction_input", ["last_columns", "view_direction"])
def test_colours_are_told_what_the_settings_say(direction_input, monkeypatch):
    """z of the direction that reaches depth 1 and the planes, or the unit direction; one for every sample."""
    model, rays = tiny_model(direction_input=direction_input), some_rays()
    told, get_rgb = [], model.fine_field.get_rgb
    monkeypatch.setattr(model.fine_field, "get_rgb", lambda *inputs: told.append(inputs[0]) or get_rgb(*inputs))
    model(rays)
    unit, norm = rays.directions, rays.metadata["directions_norm"]
    columns = torch.cat([unit[:, 2:] * norm, torch.full_like(norm, NEAR), torch.full_like(norm, FAR)], dim=-1)
    expected = columns if direction_input == "last_columns" else unit
    torch.testing.assert_close(told[0], expected.repeat_interleave(13, dim=0))


@torch.no_grad()
def test_released_evaluation_is_left_to_chance():
    model, rays = tiny_model(fidelity="released"), some_rays()
    first, second = model(rays)["rgb"], model(rays)["rgb"]
    assert not torch.equal(first, second)
    still = tiny_model(fidelity="released", jitter_in_evaluation=False)
    assert torch.equal(still(rays)["rgb"], still(rays)["rgb"])


@torch.no_grad()
def test_chance_does_not_depend_on_how_a_chunk_is_cut(monkeypatch):
    model, rays = tiny_model(fidelity="released"), some_rays()
    images = []
    for size in (100, 4):
        monkeypatch.setattr(paper_face_model, "CPU_RAYS", size)
        torch.manual_seed(0)
        images.append(model(rays)["rgb"])
    torch.testing.assert_close(images[0], images[1])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ("zero", 10)),
        ({"fidelity": "released"}, ("frame", 10)),
        ({"fidelity": "released", "code_frame": 1}, ("frame", 1)),
        ({"fidelity": "released", "code_protocol": "mean"}, ("mean", 10)),
    ],
)
def test_code_of_unseen_frames(settings, expected):
    model = tiny_model(**settings)
    assert model.unseen_code == expected
    frame = expected[1] if expected[1] < NUM_FRAMES else None
    if expected[0] == "frame" and frame is None:
        with pytest.raises(ValueError, match=r"code_frame: expected a training frame in 0\.\.2, got 10"):
            model.make_condition(torch.eye(4)[None, :3], expression=torch.zeros(1, NUM_COEFFICIENTS))
        return
    code = model.make_condition(torch.eye(4)[None, :3], expression=torch.zeros(1, NUM_COEFFICIENTS)).latent_code[0]
    codes = model.latent_codes.codes
    torch.testing.assert_close(code, {"zero": codes[0] * 0, "mean": codes.mean(dim=0), "frame": codes[1]}[expected[0]])


def run_callbacks(model: PaperFaceModel, steps: list[int]) -> None:
    callbacks = model.get_training_callbacks(TrainingCallbackAttributes(None, None, None, None))
    for step in steps:
        for callback in callbacks:
            callback.run_callback_at_location(step, TrainingCallbackLocation.BEFORE_TRAIN_ITERATION)


@pytest.mark.parametrize(
    ("settings", "first_step", "is_trained"),
    [
        ({"fidelity": "released"}, 0, True),
        ({"fidelity": "released"}, 7, False),
        ({"fidelity": "published"}, 7, True),
        ({"fidelity": "published", "freeze_codes_on_resume": True}, 7, False),
    ],
)
def test_codes_of_a_resumed_training(settings, first_step, is_trained):
    """They keep their parameter group, so that the optimizer's state still fits."""
    model = tiny_model(**settings)
    assert "latent_codes" in model.get_param_groups()
    run_callbacks(model, [first_step, first_step + 1, first_step + 2])
    assert model.latent_codes.codes.requires_grad == is_trained
    losses = model.train().get_loss_dict(model(some_rays()), {"image": torch.rand(NUM_RAYS, 3)})
    sum(losses.values()).backward()
    assert (model.latent_codes.codes.grad is not None) == is_trained


ABLATIONS = {
    "no background": {"background_at_end": False},
    "no latent codes": {"latent_codes": LatentCodesConfig(length=0)},
    "no expression": {"use_expression": False},
    "no dynamics": {"use_expression": False, "latent_codes": LatentCodesConfig(length=0)},
    "static NeRF": {
        "use_expression": False,
        "latent_codes": LatentCodesConfig(length=0),
        "background_at_end": False,
    },
    "no code penalty": {"code_weight": 0.0},
}


@pytest.mark.parametrize("name", ABLATIONS)
def test_ablations_train_and_render(name):
    """Every parameter that is left learns, and whole images come out under any expression."""
    model = tiny_model(**ABLATIONS[name]).train()
    losses = model.get_loss_dict(model(some_rays()), {"image": torch.rand(NUM_RAYS, 3)})
    sum(losses.values()).backward()
    trained = [p for group in model.get_param_groups().values() for p in group]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in trained)
    assert ("background" in model.get_param_groups()) == (not name.startswith(("no background", "static")))
    camera = a_camera(metadata={"expression": torch.randn(1, NUM_COEFFICIENTS)})
    assert torch.isfinite(model.eval().get_outputs_for_camera(camera)["rgb"]).all()


def test_what_a_network_is_not_told_does_not_change_the_image():
    expressions = torch.randn(2, 1, NUM_COEFFICIENTS)
    for use_expression in (True, False):
        model = tiny_model(use_expression=use_expression)
        model.latent_codes.codes.data.zero_()
        images = [model.get_outputs_for_camera(a_camera(metadata={"expression": e}))["rgb"] for e in expressions]
        assert torch.equal(images[0], images[1]) != use_expression


def test_a_background_that_the_networks_model_is_theirs():
    """Whatever the photograph shows; the last sample is opaque, so that no light is left over."""
    model, rays = tiny_model(background_at_end=False), some_rays()
    with torch.no_grad():
        first = model(rays)
        model.background.image.fill_(0.3)
        second = model(rays)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(
        first["rgb"], first["foreground"] + (1 - first["accumulation"]) * first["background"], rtol=1e-4, atol=1e-5
    )


def test_sizes_of_networks_and_samples_are_free():
    """The release ignores its own settings for them."""
    fields = {
        "coarse_field": NeRFaceFieldConfig(
            trunk_layers=3, trunk_width=12, skip_layer=2, colour_layers=1, colour_width=7, position_octaves=2
        ),
        "fine_field": NeRFaceFieldConfig(
            trunk_layers=8, trunk_width=20, skip_layer=4, colour_layers=2, direction_octaves=0, position_octaves=5
        ),
    }
    model = tiny_model(**fields, num_coarse_samples=5, num_importance_samples=9).train()
    outputs = model(some_rays())
    assert outputs["num_samples_per_ray"].tolist() == [[14.0]] * NUM_RAYS
    sum(model.get_loss_dict(outputs, {"image": torch.rand(NUM_RAYS, 3)}).values()).backward()
    assert all(p.grad is not None for p in model.get_param_groups()["networks"])


@pytest.mark.parametrize(
    ("settings", "planes"),
    [
        ({}, (NEAR, FAR)),
        ({"near": 0.1, "far": 0.9}, (0.1, 0.9)),
        ({"fidelity": "released"}, (0.2, 0.8)),
        ({"fidelity": "released", "near": 0.3}, (0.3, 0.8)),
    ],
)
def test_planes_are_the_configs_else_the_releases_else_the_datas(settings, planes):
    model = tiny_model(**settings)
    assert (model.near, model.far) == planes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"near": 0.9}, "near"),
        ({"num_coarse_samples": 2}, "num_coarse_samples"),
        ({"num_importance_samples": 0}, "num_importance_samples"),
        ({"background": BackgroundConfig(random_in_training=True)}, "random_in_training"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        tiny_model(**settings)


def test_method_follows_the_publication():
    """The constants of the released code and its configurations."""
    config = nerface_paper.config
    model, data = config.pipeline.model, config.pipeline.datamanager
    assert (model.num_coarse_samples, model.num_importance_samples, model.latent_codes.length) == (64, 64, 32)
    assert (data.train_num_rays_per_batch, data.images_per_batch) == (2048, 1)
    assert (data.pixel_sampler.face_box_weight, data.pixel_sampler.region_share) == (0.9, 0)
    assert not data.pixel_sampler.replacement and not data.pixel_sampler.transposed_box
    for group in ("networks", "latent_codes", "background"):
        optimizer, scheduler = config.optimizers[group]["optimizer"], config.optimizers[group]["scheduler"]
        assert (optimizer.lr, optimizer.betas, optimizer.eps) == (5e-4, (0.9, 0.999), 1e-8)
        assert (scheduler.factor, scheduler.decay_steps, scheduler.lag_steps) == (0.1, 250_000, 1)
