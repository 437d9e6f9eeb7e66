"""Adam with the settings that feature grids want."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple, Type

import torch
from nerfstudio.engine.optimizers import OptimizerConfig


@dataclass
class FaceAdamConfig(OptimizerConfig):
    """Adam in one fused pass over all parameters, on CPU and CUDA alike."""

    _target: Type = torch.optim.Adam
    """Target class to instantiate."""
    eps: float = 1e-15
    """Added to the denominator; tiny, because a grid vertex seldom gets a gradient (instant-ngp)."""
    betas: Tuple[float, float] = (0.9, 0.99)
    """Decay of the running moments (instant-ngp, NeRFBlendShape)."""
    weight_decay: float = 0.0
    """Pull of parameters towards zero."""
    fused: bool = True
    """One kernel instead of one per operation and parameter."""
