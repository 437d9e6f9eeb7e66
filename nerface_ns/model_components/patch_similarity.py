"""How much two sets of patches differ in structure, without a trained network: SSIM at several scales."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

WINDOW_PX, WINDOW_SIGMA_PX = 7, 1.5
"""Side and standard deviation of the Gaussian window; SSIM's own 11 pixels leave little of a small patch."""
STABILITY = (0.01**2, 0.03**2)
"""SSIM's constants for colours in [0, 1] (Wang et al. 2004)."""
MAX_SCALES = 3
"""Scales at most: the patch, its halves and its quarters, as far as the window fits."""


def structural_difference(
    render: Float[Tensor, "patches height width channels"], truth: Float[Tensor, "patches height width channels"]
) -> Float[Tensor, ""]:
    """Return the mean of 1 - SSIM over the patches' scales, each half as large as the one before.

    Every scale counts alike, where MS-SSIM (Wang et al. 2003) multiplies powers of them: a sum has bounded gradients
    where patches have nothing in common, as at the start of a training.

    Raises:
        ValueError: The patches are smaller than the window.
    """
    first, second = render.movedim(-1, 1), truth.movedim(-1, 1)
    if min(first.shape[2:]) < WINDOW_PX:
        raise ValueError(f"patch_size: expected at least {WINDOW_PX} pixels for SSIM, got {min(first.shape[2:])}")
    differences = []
    while len(differences) < MAX_SCALES and min(first.shape[2:]) >= WINDOW_PX:
        differences.append(1 - _ssim(first, second))
        first, second = (torch.nn.functional.avg_pool2d(images, 2) for images in (first, second))
    return torch.stack(differences).mean()


def _ssim(
    first: Float[Tensor, "patches channels height width"], second: Float[Tensor, "patches channels height width"]
) -> Float[Tensor, ""]:
    """Mean SSIM over all places where the window lies inside the image."""
    products = torch.cat([first, second, first * first, second * second, first * second])
    mean_a, mean_b, square_a, square_b, product = _blur(products).chunk(5)
    variance_a, variance_b = square_a - mean_a**2, square_b - mean_b**2
    covariance = product - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + STABILITY[0]) / (mean_a**2 + mean_b**2 + STABILITY[0])
    structure = (2 * covariance + STABILITY[1]) / (variance_a + variance_b + STABILITY[1])
    return (luminance * structure).mean()


def _blur(images: Float[Tensor, "patches channels height width"]) -> Tensor:
    """Weighted means under the window, one axis after the other."""
    offsets = torch.arange(WINDOW_PX, dtype=images.dtype, device=images.device) - (WINDOW_PX - 1) / 2
    weights = torch.exp(-(offsets**2) / (2 * WINDOW_SIGMA_PX**2))
    weights = (weights / weights.sum()).expand(images.shape[1], 1, 1, -1)
    rows = torch.nn.functional.conv2d(images, weights, groups=images.shape[1])
    return torch.nn.functional.conv2d(rows, weights.mT, groups=images.shape[1])
