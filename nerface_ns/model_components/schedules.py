"""Schedules over the share of training that is done, so that they fit runs ended by steps as well as by the clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Type

from nerfstudio.engine.schedulers import Scheduler, SchedulerConfig
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class TrainingProgress:
    """How much of the training is done.

    By itself it counts steps; a trainer that stops at a deadline overrides it with the share of time that has passed.

    Args:
        max_steps: Number of steps of a whole training.
    """

    def __init__(self, max_steps: int) -> None:
        self.max_steps = max_steps
        self.fixed_fraction: Optional[float] = None
        self.begin, self.end = 0.0, 1.0
        self.first_step = 0

    def set_fraction(self, fraction: float) -> None:
        """Say from outside how much is done, in [0, 1]."""
        self.fixed_fraction = float(fraction)

    def fraction(self, step: int) -> float:
        """Return the share that is done, in [0, 1]: of the part between `begin` and `end`, shares of the whole.

        Args:
            step: Counted from training step `first_step` on.
        """
        whole = self.fixed_fraction
        if whole is None:
            whole = (self.first_step + step) / self.max_steps
        return min(max((whole - self.begin) / (self.end - self.begin), 0.0), 1.0)


@dataclass
class WarmupDecaySchedulerConfig(SchedulerConfig):
    """Linear warm-up, constant, then exponential decay."""

    _target: Type = field(default_factory=lambda: WarmupDecayScheduler)
    """Target class to instantiate."""
    warmup_steps: int = 50
    """Steps over which the rate grows from zero."""
    hold_fraction: float = 0.2
    """Share of the training after which the rate begins to fall, in [0, 1)."""
    final_factor: float = 0.03
    """The last rate over the first."""
    max_steps: int = 30_000
    """Steps of a whole training."""


class WarmupDecayScheduler(Scheduler):
    """Makes the learning-rate scheduler of one optimizer."""

    config: WarmupDecaySchedulerConfig

    def get_scheduler(self, optimizer: Optimizer, lr_init: float) -> LambdaLR:
        """Return a scheduler whose `training_progress` can be driven by a clock."""
        return ProgressLR(optimizer, self.config)


class ProgressLR(LambdaLR):
    """Rates as factors of the initial one. Its state holds plain Python numbers only, which torch loads safely."""

    def __init__(self, optimizer: Optimizer, config: WarmupDecaySchedulerConfig) -> None:
        self.training_progress = TrainingProgress(config.max_steps)
        super().__init__(optimizer, lr_lambda=lambda step: decay_factor(step, self.training_progress, config))

    def state_dict(self) -> Dict[str, Any]:
        """Return the state without what the configuration restores."""
        state = super().state_dict()
        state.pop("training_progress", None)
        return state


def decay_factor(step: int, progress: TrainingProgress, config: WarmupDecaySchedulerConfig) -> float:
    """Return the learning rate at a step as a factor of the initial one."""
    warmup = min(1.0, (step + 1) / max(config.warmup_steps, 1))
    decayed = max(progress.fraction(step) - config.hold_fraction, 0.0) / (1.0 - config.hold_fraction)
    return warmup * math.exp(math.log(config.final_factor) * decayed)
