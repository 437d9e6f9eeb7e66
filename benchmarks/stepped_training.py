"""A training whose steps a benchmark makes one by one, with a clock that runs only while it trains."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from nerfstudio.engine.callbacks import TrainingCallbackLocation
from nerfstudio.utils import profiler, writer

from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
from nerface_ns.evaluation.run_record import peak_rss_mb
from nerface_ns.evaluation.timed_trainer import seed_everything
from nerface_ns.evaluation.training_config import training_config


class SteppedTraining:
    """Makes the steps of nerfstudio's loop, callbacks included, without its event log and checkpoints.

    Several can live in one process and take turns; they share the random numbers.

    Args:
        config: The trainer's configuration.
    """

    def __init__(self, config: Any) -> None:
        seed_everything(config.machine.seed)
        if config.data is not None:
            config.pipeline.datamanager.data = config.data
        config.set_timestamp()
        with quiet_nerfstudio():
            self.trainer = config.setup(local_rank=0, world_size=1)
            self.trainer.setup()
        _close_writers()
        self.steps = 0
        self.seconds = 0.0
        self.rays = 0
        self.step_hooks: list[Callable[[float], None]] = []
        self._samples: Any = 0

    @property
    def pipeline(self) -> Any:
        """The trained pipeline."""
        return self.trainer.pipeline

    @property
    def model(self) -> Any:
        """The trained model."""
        return self.trainer.pipeline.model

    @property
    def samples(self) -> float:
        """Samples that the model composited in all, as far as it counts them."""
        return float(self._samples)

    def step(self) -> None:
        """Make one step; the clock is `run`'s."""
        self.pipeline.train()
        self._call_back(TrainingCallbackLocation.BEFORE_TRAIN_ITERATION)
        metrics = self.trainer.train_iteration(self.steps)[2]
        self._call_back(TrainingCallbackLocation.AFTER_TRAIN_ITERATION)
        self.steps += 1
        self.rays += self.pipeline.datamanager.get_train_rays_per_batch()
        samples = metrics.get("num_samples_per_batch", 0)
        self._samples = self._samples + (samples.detach() if isinstance(samples, torch.Tensor) else samples)

    def run(self, steps: int | None = None, until_s: float | None = None) -> float:
        """Train for so many steps, or, a step at least, until the clock says so many seconds in all.

        Returns:
            Seconds that this call trained.
        """
        synchronise()
        start = time.perf_counter()
        done = 0
        while True:
            self.step()
            done += 1
            elapsed = time.perf_counter() - start
            if done == steps or (until_s is not None and self.seconds + elapsed >= until_s):
                break
        synchronise()
        elapsed = time.perf_counter() - start
        self.seconds += elapsed
        return elapsed

    def _call_back(self, location: TrainingCallbackLocation) -> None:
        for callback in self.trainer.callbacks:
            callback.run_callback_at_location(self.steps, location=location)


def stepped_config(
    method: str, work: Path, data: Path | None, resolution: int | None, seed: int, overrides: tuple[str, ...] = ()
) -> Any:
    """Return a method's configuration as `ns-train` takes it, that writes below a folder that will be thrown away."""
    return training_config(method, work, data, None, resolution, seed, overrides)


def set_rays(training: SteppedTraining, num_rays: int) -> None:
    """Draw so many rays in each step from now on."""
    training.pipeline.datamanager.train_pixel_sampler.set_num_rays_per_batch(num_rays)


def synchronise() -> None:
    """Wait for what is queued on the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory_mb() -> float:
    """Return the most memory so far, in units of 2**20 bytes: the GPU's if there is one, else this process's."""
    return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else peak_rss_mb()


def _close_writers() -> None:
    """Take a training out of nerfstudio's lists of writers, which all trainings of a process share."""
    for event_writer in writer.EVENT_WRITERS:
        if isinstance(event_writer, writer.TensorboardWriter):
            event_writer.tb_writer.close()
    writer.EVENT_WRITERS.clear()
    writer.EVENT_STORAGE.clear()
    profiler.PROFILER.clear()
