import math

import pytest
import torch

from nerface_ns.model_components.patch_similarity import structural_difference


def slow_ssim(first, second):
    """The definition (Wang et al. 2004), window by window, for one channel."""
    offsets = torch.arange(7, dtype=torch.float64) - 3
    line = torch.exp(-(offsets**2) / (2 * 1.5**2))
    window = line[:, None] * line / (line.sum() ** 2)
    values = []
    for row in range(first.shape[0] - 6):
        for column in range(first.shape[1] - 6):
            a, b = first[row : row + 7, column : column + 7], second[row : row + 7, column : column + 7]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            cov = (window * (a - mean_a) * (b - mean_b)).sum()
            value = (2 * mean_a * mean_b + 1e-4) * (2 * cov + 9e-4)
            values.append(value / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)))
    return torch.stack(values).mean()


def slow_difference(render, truth, num_scales):
    total = 0.0
    for patch_a, patch_b in zip(render, truth):
        for channel in range(3):
            a, b = patch_a[..., channel], patch_b[..., channel]
            for _ in range(num_scales):
                total = total + (1 - slow_ssim(a, b)) / (len(render) * 3 * num_scales)
                a, b = ((x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4 for x in (a, b))
    return total


def patches(count, size):
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(count, size, size, 3, generator=generator, dtype=torch.float64) for _ in range(2))


@pytest.mark.parametrize(("size", "num_scales"), [(32, 3), (16, 2), (8, 1)])
def test_difference_is_the_mean_over_the_scales_that_fit(size, num_scales):
    render, truth = patches(2, size)
    torch.testing.assert_close(structural_difference(render, truth), slow_difference(render, truth, num_scales))


def test_equal_patches_do_not_differ():
    render, _ = patches(1, 32)
    torch.testing.assert_close(structural_difference(render, render), torch.zeros((), dtype=torch.float64))


def test_gradient_matches_finite_differences():
    render, truth = patches(1, 9)
    render.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: structural_difference(x, truth), (render,), fast_mode=True)


def test_flat_patches_have_finite_gradients():
    """A grey patch against another: only the luminance term is left, (2ab + c) / (a^2 + b^2 + c)."""
    render = torch.full((1, 32, 32, 3), 0.2, dtype=torch.float64, requires_grad=True)
    value = structural_difference(render, torch.full_like(render, 0.8))
    assert value.item() == pytest.approx(1 - (2 * 0.2 * 0.8 + 1e-4) / (0.2**2 + 0.8**2 + 1e-4))
    value.backward()
    assert render.grad is not None and math.isfinite(render.grad.sum().item())


def test_patches_smaller_than_the_window():
    with pytest.raises(ValueError, match="expected at least 7 pixels for SSIM, got 6"):
        structural_difference(torch.zeros(1, 6, 6, 3), torch.zeros(1, 6, 6, 3))
