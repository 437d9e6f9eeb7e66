"""Adam for numbers of single frames, few of which a training step sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Optional, Tuple, Type

import torch
from nerfstudio.engine.optimizers import OptimizerConfig
from torch import Tensor
from torch.nn import Parameter

FIRST_MOMENT, SECOND_MOMENT = "exp_avg", "exp_avg_sq"
"""Entries of a parameter's state, as torch's Adam names them."""
SHARED_BETAS = (0.9, 0.99)
"""Decay of the moments of what frames share (instant-ngp, as the field's)."""


class FrameAdam(torch.optim.Optimizer):
    """Adam whose moments of a frame change when a step has drawn the frame, and only then.

    A matrix holds a row for each frame. Plain Adam lets a frame's moments fade while others are drawn, and then takes a
    step of nearly the full rate whatever the gradient is: with hundreds of frames poses tremble. Here a step divides by
    the root mean square over all frames, so that a frame whose pose is right, and whose gradient is small, stays.
    Other parameters, which all frames share, get gradients at every step: plain Adam at a part of the rate.

    Args:
        params: As torch's optimizers take them.
        lr: Rate of frames' numbers.
        betas: Decay of the two moments, for each time that a frame is drawn.
        shared_factor: Factor on the rate of what frames share.
        eps: Added to the denominator.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: Tuple[float, float] = (0.7, 0.9),
        shared_factor: float = 0.2,
        eps: float = 1e-15,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "shared_factor": shared_factor, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Optional[Callable[[], Any]] = None) -> Any:  # type: ignore[override]
        """Change the parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    is_rows = parameter.dim() == 2
                    (self._step_rows if is_rows else self._step_shared)(parameter, self._state_of(parameter), group)
        return loss

    def _state_of(self, parameter: Parameter) -> dict[str, Tensor]:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state[FIRST_MOMENT], state[SECOND_MOMENT] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        return state

    def _step_rows(self, parameter: Parameter, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        """Move the frames that were drawn: those whose gradient is not zero."""
        gradient = parameter.grad
        assert gradient is not None
        first, second = state[FIRST_MOMENT], state[SECOND_MOMENT]
        is_drawn, is_known = _has_entries(gradient), _has_entries(second)
        # The mean rises from zero and is not corrected for it: a frame's first gradients, which are mostly noise, move
        # it little. The square's first value is the best guess there is.
        square, betas = gradient.square(), group["betas"]
        first.copy_(torch.where(is_drawn, first.lerp(gradient, 1 - betas[0]), first))
        second.copy_(torch.where(is_drawn, torch.where(is_known, second.lerp(square, 1 - betas[1]), square), second))
        num_known = _has_entries(second).sum().clamp(min=1)
        scale = (second.sum(dim=0) / num_known).sqrt() + group["eps"]
        parameter.sub_(is_drawn * first / scale, alpha=group["lr"])

    def _step_shared(self, parameter: Parameter, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        """Adam with torch's default moments, at the smaller rate."""
        gradient = parameter.grad
        assert gradient is not None
        first, second, betas = state[FIRST_MOMENT], state[SECOND_MOMENT], SHARED_BETAS
        first.lerp_(gradient, 1 - betas[0])
        second.lerp_(gradient.square(), 1 - betas[1])
        count = float(state["step"])
        scale = (second / (1 - betas[1] ** count)).sqrt() + group["eps"]
        rate = group["lr"] * group["shared_factor"] / (1 - betas[0] ** count)
        parameter.sub_(first / scale, alpha=rate)


def _has_entries(rows: Tensor) -> Tensor:
    """Which rows hold more than zeros, as a column."""
    return (rows != 0).any(dim=1, keepdim=True)


@dataclass
class FrameAdamConfig(OptimizerConfig):
    """Adam that moves a frame's numbers when the frame is drawn."""

    _target: Type = FrameAdam
    """Target class to instantiate."""
    eps: float = 1e-15
    """Added to the denominator."""
    betas: Tuple[float, float] = (0.7, 0.9)
    """Decay of a frame's running moments each time it is drawn."""
    shared_factor: float = 0.2
    """Factor on the rate of what all frames share, as the lens: it learns at every step, a frame at one of dozens."""
