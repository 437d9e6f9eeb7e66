import math

import pytest
import torch

from nerface_ns.model_components.losses import code_penalty, distortion_loss, matte_loss, opacity_entropy


def test_matte_loss():
    loss = matte_loss(torch.tensor([[0.2], [1.0]]), torch.tensor([[0.5], [0.0]]))
    torch.testing.assert_close(loss, torch.tensor((0.09 + 1.0) / 2))


def test_entropy_of_half_clear_and_opaque_rays():
    entropy = opacity_entropy(torch.tensor([[0.5], [0.25], [0.0], [1.0]]))
    quarter = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    torch.testing.assert_close(entropy, torch.tensor((math.log(2) + quarter) / 4), atol=1e-4, rtol=0)


def test_entropy_has_finite_gradients_at_its_ends():
    accumulation = torch.tensor([[0.0], [1.0]], requires_grad=True)
    opacity_entropy(accumulation).backward()
    assert accumulation.grad.isfinite().all()


def test_code_penalty_is_the_mean_squared_length():
    torch.testing.assert_close(code_penalty(torch.tensor([[3.0, 4.0], [0.0, 1.0]])), torch.tensor(13.0))
    assert code_penalty(torch.zeros(3, 0)) == 0


def packed_rays(counts=(4, 0, 1, 6)):
    generator = torch.Generator().manual_seed(0)
    count = sum(counts)
    rows = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    first = torch.tensor([0, *counts]).cumsum(0)
    starts = torch.cat([torch.rand(n, generator=generator).sort().values for n in counts]).double()
    lengths = torch.rand(count, generator=generator).double() * 0.05
    weights = torch.rand(count, generator=generator).double()
    return weights, starts + lengths / 2, lengths, first, rows


def slow_distortion(weights, middles, lengths, first, rows):
    """Mip-NeRF 360, equation 15, as the double sum it is."""
    total = torch.zeros((), dtype=weights.dtype)
    for i in range(len(weights)):
        total = total + weights[i] ** 2 * lengths[i] / 3
        for j in range(len(weights)):
            if rows[i] == rows[j]:
                total = total + weights[i] * weights[j] * (middles[i] - middles[j]).abs()
    return total / (len(first) - 1)


def test_distortion_and_its_gradient_match_the_double_sum():
    weights, *rest = packed_rays()
    gradients = []
    for loss in (distortion_loss, slow_distortion):
        leaf = weights.clone().requires_grad_()
        value = loss(leaf, *rest)
        gradients.append((value, *torch.autograd.grad(value, leaf)))
    for fast, slow in zip(*gradients):
        torch.testing.assert_close(fast, slow)


@pytest.mark.parametrize("counts", [(0, 0), (1,)])
def test_distortion_of_hardly_anything(counts):
    weights, middles, lengths, first, rows = packed_rays(counts)
    value = distortion_loss(weights, middles, lengths, first, rows)
    torch.testing.assert_close(value, (weights**2 * lengths).sum() / 3)
