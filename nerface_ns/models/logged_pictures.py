"""Pictures of a frame for the event log."""

from __future__ import annotations

from typing import Dict, Tuple

import torch
from nerfstudio.utils import colormaps
from torch import Tensor

ERROR_GAIN = 5.0
"""Factor on the mean absolute colour difference before it is coloured."""


def logged_pictures(truth: Tensor, outputs: Dict[str, Tensor], near_far: Tuple[float, float]) -> Dict[str, Tensor]:
    """Lay truth, render and error side by side, and colour opacity and depth.

    Args:
        truth: (height, width, 3) colours in [0, 1].
        outputs: The model's outputs for one image.
        near_far: Depths at the ends of the colour map.
    """
    render = outputs["rgb"]
    error = (render - truth).abs().mean(dim=-1, keepdim=True)
    near, far = near_far
    return {
        "img": torch.cat([truth, render, colormaps.apply_colormap((error * ERROR_GAIN).clamp(0, 1))], dim=1),
        "accumulation": colormaps.apply_colormap(outputs["accumulation"]),
        "depth": colormaps.apply_depth_colormap(
            outputs["depth"], accumulation=outputs["accumulation"], near_plane=near, far_plane=far
        ),
    }
