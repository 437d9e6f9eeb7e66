import itertools
import math

import pytest
import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.data.scene_box import SceneBox
from nerfstudio.engine.callbacks import TrainingCallbackAttributes, TrainingCallbackLocation

from nerface_ns.conditioning.latent_codes import LatentCodesConfig
from nerface_ns.configs.method_configs import nerface_paper
from nerface_ns.fields.nerface_field import NeRFaceFieldConfig
from nerface_ns.model_components.background import BackgroundConfig
from nerface_ns.models import paper_face_model
from nerface_ns.models.paper_face_model import PaperFaceModel, PaperFaceModelConfig

NUM_FRAMES, NUM_COEFFICIENTS, NUM_RAYS = 3, 5, 6
HEIGHT, WIDTH, NEAR, FAR = 6, 8, 0.25, 0.75


def tiny_config(**settings) -> PaperFaceModelConfig:
    """Small networks and few samples; everything else as published."""
    sizes = dict(position_octaves=3, direction_octaves=2, trunk_width=16, colour_width=8)
    fields = {name: NeRFaceFieldConfig(**sizes) for name in ("coarse_field", "fine_field")}
    return PaperFaceModelConfig(**{**fields, "num_coarse_samples": 8, "num_importance_samples": 5, **settings})


def tiny_model(**settings) -> PaperFaceModel:
    """A model whose rays are neither empty nor opaque, with random codes and background."""
    torch.manual_seed(0)
    poses = torch.eye(4)[:3].repeat(NUM_FRAMES, 1, 1)
    poses[:, 2, 3] = 0.5
    metadata = {
        "expression_names": tuple(f"e{k}" for k in range(NUM_COEFFICIENTS)),
        "near_far": (NEAR, FAR),
        "image_size": (HEIGHT, WIDTH),
        "train_expression": torch.randn(NUM_FRAMES, NUM_COEFFICIENTS),
        "train_times": torch.linspace(0, 1, NUM_FRAMES)[:, None],
        "train_camera_to_world": poses,
    }
    box = SceneBox(torch.tensor([[-0.15] * 3, [0.15] * 3]))
    model = tiny_config(**settings).setup(scene_box=box, num_train_data=NUM_FRAMES, metadata=metadata)
    model.latent_codes.codes.data.normal_()
    expression = model.track.expression[:1] / 3
    told = expression if model.config.use_expression else expression[:, :0]
    condition = torch.cat([told, model.latent_codes.codes[:1]], dim=-1)
    for radiance_field in (model.coarse_field, model.fine_field):
        points, rows = torch.rand(100, 3) * 0.3 - 0.15, torch.zeros(100, dtype=torch.long)
        raw = radiance_field.get_raw_density(points, rows, condition)[0].detach()
        radiance_field.density.weight.data *= 5 / raw.std()
        radiance_field.density.bias.data = (radiance_field.density.bias.data - raw.mean()) * (5 / raw.std()) + 2
        radiance_field.rgb.weight.data *= 20
    model.background.image.data.uniform_()
    return model.eval()


def some_rays(dtype=torch.float32) -> RayBundle:
    """Rays of frames 0 and 2 with directions that are not the cameras' axis."""
    torch.manual_seed(1)
    slopes = torch.rand(NUM_RAYS, 2, dtype=dtype) * 0.6 - 0.3
    directions = torch.cat([slopes, -torch.ones_like(slopes[:, :1])], dim=-1)
    norms = directions.norm(dim=-1, keepdim=True)
    frames = torch.tensor([0, 0, 0, 2, 2, 2])
    return RayBundle(
        origins=torch.tensor([0, 0, 0.5], dtype=dtype).expand(NUM_RAYS, 3),
        directions=directions / norms,
        pixel_area=torch.ones(NUM_RAYS, 1, dtype=dtype),
        camera_indices=frames[:, None],
        metadata={
            "frame_index": frames[:, None],
            "camera_rotation": torch.eye(3, dtype=dtype).flatten().expand(NUM_RAYS, 9),
            "pixel_position": torch.rand(NUM_RAYS, 2, dtype=dtype),
            "directions_norm": norms,
        },
    )


def ask(radiance_field, point, direction, condition):
    """One sample's density and colour."""
    rows = torch.zeros(1, dtype=torch.long)
    density, embedding = radiance_field.get_density(point[None], rows, condition)
    return density[0], radiance_field.get_rgb(direction[None], rows, condition, embedding)[0]


def slow_render(radiance_field, depths, origin, direction, background, condition):
    """One ray with unnormalised direction, sample by sample: colour, weights, foreground."""
    norm, light, weights = direction.norm(), 1.0, []
    foreground = torch.zeros(3, dtype=torch.float64)
    for index, depth in enumerate(depths):
        density, colour = ask(radiance_field, origin + depth * direction, direction / norm, condition)
        is_last = index == len(depths) - 1
        length = (1e10 if is_last else depths[index + 1] - depth) * norm
        opacity = 1 - torch.exp(-(density + (1e-6 if is_last else 0.0)) * length)
        weights.append(light * opacity)
        if not is_last:
            foreground = foreground + weights[-1] * colour
        light = light * (1 - opacity + 1e-10)
    return foreground + weights[-1] * background, weights, foreground


def slow_refine(depths, weights, num_samples):
    """Even steps of the running sum of inner weights, over bins between middles."""
    middles = [(a + b) / 2 for a, b in itertools.pairwise(depths)]
    padded = [float(weight) + 1e-5 for weight in weights[1:-1]]
    shares = [weight / sum(padded) for weight in padded]
    added = []
    for step in range(num_samples):
        u, index = step / (num_samples - 1), 0
        while index < len(shares) and sum(shares[: index + 1]) <= u:
            index += 1
        if index == len(shares):
            added.append(middles[-1])
            continue
        inside = (u - sum(shares[:index])) / (shares[index] if shares[index] >= 1e-5 else 1.0)
        added.append(middles[index] + inside * (middles[index + 1] - middles[index]))
    return sorted([*depths, *added])


@torch.no_grad()
def test_rendering_matches_a_slow_loop():
    """Depths as the release counts them, along directions that reach depth 1; two networks; the end is background."""
    model, rays = tiny_model().double(), some_rays(torch.float64)
    outputs = model(rays)
    for ray, frame in enumerate([0, 0, 0, 2, 2, 2]):
        direction = rays.directions[ray] * rays.metadata["directions_norm"][ray]
        expression = model.track.expression[frame] / 3
        condition = torch.cat([expression, model.latent_codes.codes[frame]])[None]
        background = model.background(rays.metadata["pixel_position"][ray : ray + 1])[0]
        arguments = rays.origins[ray], direction, background, condition
        depths = [NEAR + (FAR - NEAR) * k / 7 for k in range(8)]
        _, weights, _ = slow_render(model.coarse_field, depths, *arguments)
        depths = slow_refine(depths, weights, 5)
        colour, weights, foreground = slow_render(model.fine_field, depths, *arguments)
        torch.testing.assert_close(outputs["rgb"][ray], colour, rtol=1e-8, atol=1e-9)
        torch.testing.assert_close(outputs["foreground"][ray], foreground, rtol=1e-8, atol=1e-9)
        torch.testing.assert_close(outputs["accumulation"][ray, 0], sum(weights[:-1]), rtol=1e-8, atol=1e-9)
        depth = sum(weight * depth for weight, depth in zip(weights, depths)) * direction.norm()
        torch.testing.assert_close(outputs["depth"][ray, 0], depth, rtol=1e-8, atol=1e-9)
    assert 0.05 < outputs["accumulation"].mean() < 0.95
    assert outputs["num_samples_per_ray"].tolist() == [[13]] * NUM_RAYS


def test_rendering_is_deterministic_only_outside_training():
    model, rays = tiny_model(), some_rays()
    with torch.no_grad():
        assert torch.equal(model(rays)["rgb"], model(rays)["rgb"])
        model.train()
        assert not torch.equal(model(rays)["rgb"], model(rays)["rgb"])


def test_loss_is_two_squared_errors_and_the_codes_length():
    model, rays = tiny_model().train(), some_rays()
    outputs, truth = model(rays), torch.rand(NUM_RAYS, 3)
    losses = model.get_loss_dict(outputs, {"image": truth})
    assert set(losses) == {"fine_loss", "coarse_loss", "code_loss"}
    lengths = [math.sqrt(sum(value**2 for value in model.latent_codes.codes[frame].tolist())) for frame in (0, 2)]
    torch.testing.assert_close(losses["code_loss"], torch.tensor(0.005 * sum(lengths) / 2))
    torch.testing.assert_close(losses["fine_loss"], ((outputs["rgb"] - truth) ** 2).sum() / (3 * NUM_RAYS))
    torch.testing.assert_close(losses["coarse_loss"], ((outputs["rgb_coarse"] - truth) ** 2).sum() / (3 * NUM_RAYS))
    assert not torch.equal(outputs["rgb_coarse"], outputs["rgb"])


def test_gradients_reach_both_networks_codes_in_use_and_a_learned_background():
    model, rays = tiny_model().train(), some_rays()
    sum(model.get_loss_dict(model(rays), {"image": torch.rand(NUM_RAYS, 3)}).values()).backward()
    groups = model.get_param_groups()
    assert set(groups) == {"networks", "latent_codes", "background"}
    missing = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert missing == ["device_indicator_param"]
    assert (model.latent_codes.codes.grad.abs().sum(dim=-1) > 0).tolist() == [True, False, True]


def test_codes_of_zero_length_get_finite_gradients():
    """They start at zero, where the length has no slope of its own."""
    model = tiny_model().train()
    model.latent_codes.codes.data.zero_()
    model.get_loss_dict(model(some_rays()), {"image": torch.rand(NUM_RAYS, 3)})["code_loss"].backward()
    assert torch.equal(model.latent_codes.codes.grad, torch.zeros_like(model.latent_codes.codes))


def test_an_empty_head_shows_the_background():
    model, rays = tiny_model(), some_rays()
    model.fine_field.density.bias.data -= 1e6
    outputs = model(rays)
    torch.testing.assert_close(outputs["rgb"], outputs["background"])
    assert outputs["accumulation"].abs().max() == 0
    torch.testing.assert_close(outputs["depth"], FAR * rays.metadata["directions_norm"])


def test_a_crop_limits_where_rays_are_sampled():
    """Rays that miss the crop show the background; the others end with it."""
    model, rays = tiny_model(), some_rays()
    model.fine_field.density.bias.data -= 1e6
    rays.nears = torch.full((NUM_RAYS, 1), 0.3)
    rays.fars = torch.full((NUM_RAYS, 1), 0.6)
    rays.nears[0] = rays.fars[0] = 1e10
    depth = model(rays)["depth"]
    torch.testing.assert_close(depth[1:], torch.full((NUM_RAYS - 1, 1), 0.6))
    torch.testing.assert_close(depth[0], FAR * rays.metadata["directions_norm"][0])


def test_whole_images_do_not_depend_on_the_chunks(monkeypatch):
    model = tiny_model()
    camera = Cameras(
        camera_to_worlds=torch.tensor([[[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.5]]]),
        fx=20.0, fy=20.0, cx=4.0, cy=3.0, width=WIDTH, height=HEIGHT,
        metadata={"expression": torch.randn(1, NUM_COEFFICIENTS)},
    )  # fmt: skip
    whole = model.get_outputs_for_camera(camera)
    model.config.eval_num_rays_per_chunk = 20
    monkeypatch.setattr(paper_face_model, "CPU_RAYS", 7)
    chunked = model.get_outputs_for_camera(camera)
    assert whole["rgb"].shape == (HEIGHT, WIDTH, 3)
    torch.testing.assert_close(chunked, whole)


def a_camera(**conditions) -> Cameras:
    pose = torch.tensor([[[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.5]]])
    return Cameras(pose, fx=20.0, fy=20.0, cx=4.0, cy=3.0, width=WIDTH, height=HEIGHT, **conditions)


def test_whole_images_can_be_rendered_in_double_precision():
    model, camera = tiny_model(), a_camera(metadata={"expression": torch.randn(1, NUM_COEFFICIENTS)})
    single = model.get_outputs_for_camera(camera)["rgb"]
    torch.testing.assert_close(model.double().get_outputs_for_camera(camera)["rgb"], single, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_rays_without_a_camera_count_depth_along_themselves():
    """As nerfstudio's nearest-camera search makes them: no metadata, planes of their own."""
    model, rays = tiny_model(), some_rays()
    rays.metadata = {}
    rays.nears, rays.fars = torch.full((NUM_RAYS, 1), 0.05), torch.full((NUM_RAYS, 1), 100.0)
    model.fine_field.density.bias.data -= 1e6
    torch.testing.assert_close(model(rays)["depth"], torch.full((NUM_RAYS, 1), FAR))


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
