"""Adam with the settings that feature grids want."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional, Tuple, Type

import torch
from nerfstudio.engine.optimizers import OptimizerConfig

FLUSH_STEPS = 100
"""Steps from one flush of the moments to the next."""
LEAST_MOMENTS = {"exp_avg": 1e-30, "exp_avg_sq": 1e-36}
"""Magnitudes below which a flush makes moments zero.

What is above stays a normal number until the next flush: the first moment fades to 0.9^100 = 3e-5 of itself, and the
least normal float32 is 1.2e-38. What is below moves a parameter by 1e-15 of the rate at most, as `eps` is 1e-15.
"""


class FaceAdam(torch.optim.Adam):
    """Torch's Adam whose moments do not fade into denormal numbers on a CPU.

    A vertex that no ray visits any more has moments that fade by a tenth a step, and are denormal after some 700 steps.
    Processors are many times slower with such numbers, and torch's flag to flush them holds for one thread only, not
    for those that share the work: on two cores the optimizer would take several times as long from there on.
    """

    @torch.no_grad()
    def step(self, closure: Optional[Callable[[], Any]] = None) -> Any:  # type: ignore[override]
        """Take a step; every `FLUSH_STEPS` steps of a parameter, make its tiny moments zero."""
        loss = super().step(closure)
        for parameter, state in self.state.items():
            if parameter.device.type == "cpu" and "step" in state and int(state["step"]) % FLUSH_STEPS == 0:
                for name, least in LEAST_MOMENTS.items():
                    state[name].copy_(torch.nn.functional.hardshrink(state[name], least))
        return loss


@dataclass
class FaceAdamConfig(OptimizerConfig):
    """Adam in one fused pass over all parameters, on CPU and CUDA alike."""

    _target: Type = FaceAdam
    """Target class to instantiate."""
    eps: float = 1e-15
    """Added to the denominator; tiny, because a grid vertex seldom gets a gradient (instant-ngp)."""
    betas: Tuple[float, float] = (0.9, 0.99)
    """Decay of the running moments (instant-ngp, NeRFBlendShape)."""
    weight_decay: float = 0.0
    """Pull of parameters towards zero."""
    fused: bool = True
    """One kernel instead of one per operation and parameter."""
