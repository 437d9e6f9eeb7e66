"""Scores of one rendered frame, as `ns-eval` reports them."""

from __future__ import annotations

from typing import Dict

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure


def score_image(render: Float[Tensor, "height width 3"], truth: Float[Tensor, "height width 3"]) -> Dict[str, float]:
    """Return PSNR (dB), SSIM and mean absolute error of colours in [0, 1]."""
    error = render - truth
    pair = [image.permute(2, 0, 1)[None] for image in (render, truth)]
    return {
        "psnr": float(-10 * torch.log10((error**2).mean())),
        "ssim": float(structural_similarity_index_measure(*pair, data_range=1.0)),  # type: ignore[arg-type]
        "l1": float(error.abs().mean()),
    }
