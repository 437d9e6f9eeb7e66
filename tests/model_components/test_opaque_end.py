import math

import torch

from nerface_ns.model_components.opaque_end import opaque_end_weights


def slow_weights(densities, depths, length):
    """One ray: light that arrives times what the stretch up to the next sample stops; the last stops all."""
    weights, light = [], 1.0
    for index, density in enumerate(densities):
        is_last = index == len(densities) - 1
        stretch = length * (1e10 if is_last else depths[index + 1] - depths[index])
        opacity = 1 - math.exp(-(density + (1e-6 if is_last else 0.0)) * stretch)
        weights.append(light * opacity)
        light *= 1 - opacity + 1e-10
    return weights


def test_weights_match_a_slow_loop():
    torch.manual_seed(0)
    densities = torch.rand(6, 20, dtype=torch.float64) * 30 * (torch.rand(6, 20) > 0.4)
    depths = torch.rand(6, 20, dtype=torch.float64).sort().values
    lengths = 1 + torch.rand(6, 1, dtype=torch.float64)
    expected = [slow_weights(*ray) for ray in zip(densities.tolist(), depths.tolist(), lengths[:, 0].tolist())]
    found = opaque_end_weights(densities, depths, lengths)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(6, dtype=torch.float64))


def test_an_empty_ray_shows_its_end_and_a_full_one_does_not():
    depths = torch.linspace(0.2, 0.8, 8).expand(2, 8)
    weights = opaque_end_weights(torch.tensor([[0.0], [1e4]]).expand(2, 8), depths, torch.ones(2, 1))
    torch.testing.assert_close(weights[:, -1], torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(weights[1, 0], torch.tensor(1.0))


def test_gradient_is_finite_behind_something_opaque():
    densities = torch.tensor([[0.0, 1e6, 5.0, 0.0]], requires_grad=True)
    weights = opaque_end_weights(densities, torch.tensor([[0.2, 0.4, 0.6, 0.8]]), torch.ones(1, 1))
    weights.square().sum().backward()
    assert torch.isfinite(densities.grad).all()
