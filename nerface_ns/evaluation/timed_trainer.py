"""The trainer, ended by the clock instead of a number of steps."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.utils import profiler, writer

from nerface_ns.engine.face_trainer import FaceTrainer

StepDone = Callable[[float, int], None]
"""Called after a step with the share of the time that has passed, in [0, 1], and the number of finished steps."""


@dataclass
class TrainingReport:
    """What a time-limited training did."""

    steps: int
    """Finished training steps."""
    train_s: float
    """Seconds spent in the training loop."""
    rays: int
    """Rays drawn in all."""
    samples: float | None
    """Samples that the field was asked for in all; None when the model does not count them."""
    config_path: Path
    """The run's `config.yml`."""
    checkpoint_path: Path
    """The run's checkpoint."""

    @property
    def rays_per_s(self) -> float:
        """Training rays in a second of the training loop."""
        return self.rays / max(self.train_s, 1e-9)

    @property
    def samples_per_ray(self) -> float | None:
        """Mean number of samples on a training ray."""
        return None if self.samples is None or self.rays == 0 else self.samples / self.rays


class TimedTrainer(FaceTrainer):
    """A trainer that stops at a deadline and whose schedules follow the clock.

    At least one step is made. A step is not begun when the mean step so far would end after the deadline.

    Args:
        config: The run's configuration, written to its folder unchanged.
        deadline: When to stop, on `clock`.
        step_done: Called after every step.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        config: TrainerConfig,
        deadline: float,
        step_done: StepDone | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(config)
        self.deadline = deadline
        self.step_done = step_done
        self.clock = clock
        self.started: float | None = None
        self.finished_steps = 0
        self.rays = 0
        self._samples: Any = None
        self._event_writers: list[Any] = []
        self.train_s = 0.0

    def train_iteration(self, step: int) -> tuple[torch.Tensor, Any, Any]:
        """Make one step, having told the schedules how much of the time has passed."""
        if self.started is None:
            self.started = self.clock()
            self._progress = self._training_progress()
            self._event_writers = list(writer.EVENT_WRITERS)
        # nerfstudio writes events at every step, 1 ms of Python; without a writer it drops them.
        is_logged = step % self.config.logging.steps_per_log == 0
        writer.EVENT_WRITERS[:] = self._event_writers if is_logged else []
        for progress in self._progress:
            progress.set_fraction(self.fraction)
        loss, loss_dict, metrics_dict = super().train_iteration(step)
        self.finished_steps += 1
        self._count(metrics_dict)
        now = self.clock()
        self.train_s = now - self.started
        if now + self.train_s / self.finished_steps > self.deadline:
            self.stop_training = True
        if self.step_done is not None:
            self.step_done(self.fraction, self.finished_steps)
        return loss, loss_dict, metrics_dict

    @property
    def fraction(self) -> float:
        """Share of the time between the first step and the deadline that has passed, in [0, 1]."""
        assert self.started is not None
        span = max(self.deadline - self.started, 1e-9)
        return min(max((self.clock() - self.started) / span, 0.0), 1.0)

    def report(self) -> TrainingReport:
        """Say what the training did."""
        checkpoints = sorted(self.checkpoint_dir.glob("step-*.ckpt"))
        samples = None if self._samples is None else float(self._samples)
        config_path = self.base_dir / "config.yml"
        return TrainingReport(self.finished_steps, self.train_s, self.rays, samples, config_path, checkpoints[-1])

    def close_event_writers(self) -> None:
        """Take this run out of nerfstudio's lists of writers, into which a second training would write too."""
        for event_writer in self._event_writers:
            if isinstance(event_writer, writer.TensorboardWriter):
                event_writer.tb_writer.close()
        writer.EVENT_WRITERS.clear()
        writer.EVENT_STORAGE.clear()
        profiler.PROFILER.clear()

    def _training_progress(self) -> list[Any]:
        model = self.pipeline.model
        holders = [model, *self.optimizers.schedulers.values()]
        found = [getattr(holder, "training_progress", None) for holder in holders]
        return list({id(progress): progress for progress in found if progress is not None}.values())

    def _count(self, metrics_dict: Any) -> None:
        self.rays += self.pipeline.datamanager.get_train_rays_per_batch()
        samples = metrics_dict.get("num_samples_per_batch")
        if samples is not None:
            samples = samples.detach() if isinstance(samples, torch.Tensor) else samples
            self._samples = samples if self._samples is None else self._samples + samples


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch as `ns-train` does."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def train_until(
    config: TrainerConfig, deadline: float, step_done: StepDone | None = None
) -> tuple[TimedTrainer, TrainingReport]:
    """Train into an ordinary run folder (config.yml, checkpoint, event file) until a deadline.

    Args:
        config: The run's configuration; its number of iterations still ends the training when it comes first.
        deadline: When to stop, on `time.monotonic()`.
        step_done: Called after every step.

    Returns:
        The trainer, whose `pipeline` is trained, and what it did.
    """
    seed_everything(config.machine.seed)
    if config.data is not None:
        config.pipeline.datamanager.data = config.data
    config.set_timestamp()
    config.save_config()
    trainer = TimedTrainer(config, deadline, step_done)
    trainer.setup()
    try:
        trainer.train()
    finally:
        trainer.close_event_writers()
    return trainer, trainer.report()
