"""NeRF's learning-rate law, which counts steps, however long the training is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Type

from nerfstudio.engine.schedulers import Scheduler, SchedulerConfig
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


@dataclass
class StepDecaySchedulerConfig(SchedulerConfig):
    """Exponential decay without end."""

    _target: Type = field(default_factory=lambda: StepDecayScheduler)
    """Target class to instantiate."""
    factor: float = 0.1
    """Factor on the rate over `decay_steps` (NerFace's configurations: `lr_decay_factor`)."""
    decay_steps: int = 250_000
    """Steps for one such factor (NerFace's configurations: `lr_decay`, in thousands)."""
    lag_steps: int = 1
    """Steps by which the law runs late: NerFace's code sets the rate after a step, from that step's number."""


class StepDecayScheduler(Scheduler):
    """Makes the learning-rate scheduler of one optimizer."""

    config: StepDecaySchedulerConfig

    def get_scheduler(self, optimizer: Optimizer, lr_init: float) -> LambdaLR:
        """Return a scheduler whose state holds plain Python numbers, which torch loads safely."""
        factor, decay_steps, lag = self.config.factor, self.config.decay_steps, self.config.lag_steps
        return LambdaLR(optimizer, lr_lambda=lambda step: factor ** (max(step - lag, 0) / decay_steps))
