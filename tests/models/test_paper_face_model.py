"""Rendering, loss and gradients of the published recipe."""

import itertools
import math

import torch
from tiny_paper import FAR, HEIGHT, NEAR, NUM_COEFFICIENTS, NUM_RAYS, WIDTH, a_camera, some_rays, tiny_model

from nerface_ns.models import paper_face_model


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
    camera = a_camera(metadata={"expression": torch.randn(1, NUM_COEFFICIENTS)})
    whole = model.get_outputs_for_camera(camera)
    model.config.eval_num_rays_per_chunk = 20
    monkeypatch.setattr(paper_face_model, "CPU_RAYS", 7)
    chunked = model.get_outputs_for_camera(camera)
    assert whole["rgb"].shape == (HEIGHT, WIDTH, 3)
    torch.testing.assert_close(chunked, whole)


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
