import pytest
import torch
from nerfacc import render_weight_from_density

from nerface_ns.model_components.packed_samples import (
    PackedSamples,
    accumulate,
    packed_weights,
    packed_weights_torch,
)

COUNTS = [3, 0, 5, 1, 0]
"""Samples of five rays."""


def packed(counts=COUNTS, dtype=torch.float32) -> PackedSamples:
    """Samples with gaps between them and lengths that differ."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    t_starts = torch.cat([torch.arange(count) + torch.rand(count, generator=generator) * 0.3 for count in counts])
    lengths = 0.1 + torch.rand(len(rows), generator=generator) * 0.5
    return PackedSamples.from_ray_indices(rows, t_starts.to(dtype), (t_starts + lengths).to(dtype), len(counts))


def densities_for(samples: PackedSamples) -> torch.Tensor:
    return torch.rand(len(samples), generator=torch.Generator().manual_seed(1)).to(samples.t_starts) * 5


def test_rays_know_their_samples():
    samples = packed()
    assert samples.first_sample.tolist() == [0, 3, 3, 8, 9, 9]
    assert samples.num_rays == 5 and len(samples) == 9
    torch.testing.assert_close(samples.t_middles, (samples.t_starts + samples.t_ends) / 2)


def test_select_keeps_rays_that_lose_all_samples():
    samples = packed()
    kept = torch.tensor([False, False, False, True, False, True, True, False, True])
    selected = samples.select(kept)
    assert selected.ray_indices.tolist() == [2, 2, 2, 3]
    assert selected.first_sample.tolist() == [0, 0, 0, 3, 4, 4]
    torch.testing.assert_close(selected.t_starts, samples.t_starts[kept])
    torch.testing.assert_close(selected.t_ends, samples.t_ends[kept])


@pytest.mark.parametrize("weigh", [packed_weights, packed_weights_torch])
def test_weights_and_gradients_match_nerfacc_ray_by_ray(weigh):
    """nerfacc's batched path runs on a CPU, its packed one does not."""
    samples = packed()
    densities, upstream = densities_for(samples).requires_grad_(), torch.randn(9)
    weights = weigh(densities, samples)
    (gradient,) = torch.autograd.grad(weights, densities, upstream)
    for start, end in zip(samples.first_sample.tolist(), samples.first_sample[1:].tolist()):
        sigmas = densities[None, start:end].detach().requires_grad_()
        expected, _, _ = render_weight_from_density(
            samples.t_starts[None, start:end], samples.t_ends[None, start:end], sigmas
        )
        torch.testing.assert_close(weights[start:end], expected[0])
        (expected_gradient,) = torch.autograd.grad(expected, sigmas, upstream[None, start:end])
        torch.testing.assert_close(gradient[start:end], expected_gradient[0], atol=1e-6, rtol=1e-5)


def test_torch_path_has_right_derivatives():
    samples = packed(dtype=torch.float64)
    densities = densities_for(samples).requires_grad_()
    assert torch.autograd.gradcheck(lambda sigma: packed_weights_torch(sigma, samples), (densities,))


def test_opaque_sample_hides_the_rest():
    samples = packed([4])
    weights = packed_weights(torch.tensor([0.0, 1e6, 3.0, 1e6]), samples)
    torch.testing.assert_close(weights, torch.tensor([0.0, 1.0, 0.0, 0.0]))


@pytest.mark.parametrize("weigh", [packed_weights, packed_weights_torch])
def test_many_rays_do_not_lose_digits(weigh):
    """The last of 20,000 opaque rays is as exact as the first."""
    samples = packed([4] * 20_000)
    densities = torch.full((len(samples),), 40.0)
    alone = PackedSamples.from_ray_indices(
        torch.zeros(4, dtype=torch.long), samples.t_starts[-4:], samples.t_ends[-4:], num_rays=1
    )
    torch.testing.assert_close(weigh(densities, samples)[-4:], weigh(densities[-4:], alone), atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("weigh", [packed_weights, packed_weights_torch])
def test_no_samples_at_all(weigh):
    densities = torch.zeros(0, requires_grad=True)
    weigh(densities, packed([0, 0])).sum().backward()
    assert densities.grad.shape == (0,)


def test_accumulate_matches_loop():
    samples = packed()
    weights, values = torch.rand(9), torch.rand(9, 3)
    expected = torch.zeros(5, 3)
    for n, row in enumerate(samples.ray_indices.tolist()):
        expected[row] += weights[n] * values[n]
    torch.testing.assert_close(accumulate(weights, values, samples), expected)
