"""Image quality of one render against its truth: over the whole image, a box, or a mask."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Scores = dict[str, float | None]
"""Keys "psnr" (dB), "ssim", "l1", "lpips"; None where a figure cannot be had."""
ImageDistance = Callable[[Tensor, Tensor], float | None]
"""Distance of two (H, W, 3) images in [0, 1], or None where it is not defined."""

SSIM_WINDOW = 11
"""Side of SSIM's Gaussian window in pixels (sigma 1.5); smaller images have no SSIM."""
SQUARED_ERROR_FLOOR = 1e-10
"""Keeps the PSNR of equal images finite (100 dB), so that it can be averaged and stored as JSON."""


def psnr_from_squared_error(mean_squared_error: float) -> float:
    """Return the peak signal-to-noise ratio in dB for colours in [0, 1]; at most 100 dB."""
    return -10.0 * math.log10(max(mean_squared_error, SQUARED_ERROR_FLOOR))


def box_to_pixel_slices(box: np.ndarray | Tensor, height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns that a box touches.

    Args:
        box: y0, y1, x0, x1 as fractions of the image, y down.
        height, width: Image size in pixels.

    Returns:
        Row and column slices, rounded outward to whole pixels and cut at the image's border.

    Raises:
        ValueError: The box is empty or lies outside the image.
    """
    y0, y1, x0, x1 = (float(value) for value in box)
    # Boxes made from whole pixels must not grow by one through rounding of their float32 fractions.
    tolerance_px = 1e-3
    top, left = math.floor(y0 * height + tolerance_px), math.floor(x0 * width + tolerance_px)
    bottom, right = math.ceil(y1 * height - tolerance_px), math.ceil(x1 * width - tolerance_px)
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise ValueError(f"box needs 0 <= y0 < y1 <= 1 and 0 <= x0 < x1 <= 1, got {[y0, y1, x0, x1]}")
    return rows, columns


def _ssim_with_map(render: Tensor, truth: Tensor) -> tuple[float | None, Tensor | None]:
    if min(render.shape[:2]) < SSIM_WINDOW:
        return None, None
    # Imported here because every `ns-*` command imports the models, and torchmetrics takes its time.
    from torchmetrics.functional.image import structural_similarity_index_measure

    score, ssim_map = structural_similarity_index_measure(
        render.permute(2, 0, 1)[None],
        truth.permute(2, 0, 1)[None],
        sigma=1.5,
        kernel_size=SSIM_WINDOW,
        data_range=1.0,
        return_full_image=True,
    )
    return float(score), ssim_map[0].mean(dim=0)


def full_scores(
    render: Float[Tensor, "height width 3"],
    truth: Float[Tensor, "height width 3"],
    image_distance: ImageDistance | None = None,
) -> Scores:
    """Score an image whole.

    Args:
        render, truth: Colours in [0, 1].
        image_distance: LPIPS or a stand-in for it.
    """
    error = render - truth
    return {
        "psnr": psnr_from_squared_error(float(error.square().mean())),
        "ssim": _ssim_with_map(render, truth)[0],
        "l1": float(error.abs().mean()),
        "lpips": None if image_distance is None else image_distance(render, truth),
    }


def box_scores(
    render: Float[Tensor, "height width 3"],
    truth: Float[Tensor, "height width 3"],
    box: np.ndarray | Tensor,
    image_distance: ImageDistance | None = None,
) -> Scores:
    """Score the crop inside a box (y0, y1, x0, x1 as fractions); a crop smaller than the SSIM window has no SSIM."""
    rows, columns = box_to_pixel_slices(box, *truth.shape[:2])
    return full_scores(render[rows, columns], truth[rows, columns], image_distance)


def mask_scores(
    render: Float[Tensor, "height width 3"],
    truth: Float[Tensor, "height width 3"],
    alpha: Float[Tensor, "height width 1"],
    image_distance: ImageDistance | None = None,
) -> Scores | None:
    """Score the pixels that a mask covers by more than half.

    PSNR and L1 run over the covered pixels, SSIM is the mean of the full image's SSIM map over them, and LPIPS
    compares images whose other pixels are equal (the truth's).

    Args:
        render, truth: Colours in [0, 1].
        alpha: Coverage in [0, 1].
        image_distance: LPIPS or a stand-in for it.

    Returns:
        The scores, or None where the mask covers nothing.
    """
    covered = alpha[..., 0] > 0.5
    if not covered.any():
        return None
    error = (render - truth)[covered]
    ssim_map = _ssim_with_map(render, truth)[1]
    composite = torch.where(covered[..., None], render, truth)
    return {
        "psnr": psnr_from_squared_error(float(error.square().mean())),
        "ssim": None if ssim_map is None else float(ssim_map[covered].mean()),
        "l1": float(error.abs().mean()),
        "lpips": None if image_distance is None else image_distance(composite, truth),
    }


def region_scores(
    render: Tensor,
    truth: Tensor,
    boxes: Mapping[str, np.ndarray | Tensor],
    alpha: Float[Tensor, "height width 1"] | None = None,
    image_distance: ImageDistance | None = None,
) -> dict[str, Scores]:
    """Score an image whole ("full"), in every named box, and under its mask ("mask") where there is one.

    Raises:
        ValueError: The images differ in size, or a box is empty.
    """
    if render.shape != truth.shape:
        raise ValueError(f"the render has shape {tuple(render.shape)}, its truth {tuple(truth.shape)}")
    render, truth = render.float().clamp(0, 1), truth.float()
    scores = {"full": full_scores(render, truth, image_distance)}
    for name, box in boxes.items():
        scores[name] = box_scores(render, truth, box, image_distance)
    masked = None if alpha is None else mask_scores(render, truth, alpha, image_distance)
    if masked is not None:
        scores["mask"] = masked
    return scores
