import itertools
import math

import pytest
import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.data.scene_box import SceneBox

from nerface_ns.configs.method_configs import nerface_paper
from nerface_ns.fields.nerface_field import NeRFaceFieldConfig
from nerface_ns.model_components.background import BackgroundConfig
from nerface_ns.models import paper_face_model
from nerface_ns.models.paper_face_model import PaperFaceModel, PaperFaceModelConfig

NUM_FRAMES, NUM_COEFFICIENTS, NUM_RAYS = 3, 5, 6
HEIGHT, WIDTH, NEAR, FAR = 6, 8, 0.2, 0.8


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
    condition = torch.cat([model.track.expression[:1] / 3, model.latent_codes.codes[:1]], dim=-1)
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
    assert depth[0] == FAR * rays.metadata["directions_norm"][0]


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


def test_planes_of_the_config_override_the_data():
    model = tiny_model(near=0.1, far=0.9)
    assert (model.near, model.far) == (0.1, 0.9)


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
    for group in ("networks", "latent_codes", "background"):
        optimizer, scheduler = config.optimizers[group]["optimizer"], config.optimizers[group]["scheduler"]
        assert (optimizer.lr, optimizer.betas, optimizer.eps) == (5e-4, (0.9, 0.999), 1e-8)
        assert (scheduler.factor, scheduler.decay_steps) == (0.1, 250_000)
