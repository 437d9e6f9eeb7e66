"""Where the time of a step or of a picture goes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from stepped_training import SteppedTraining, synchronise

STEP_PARTS = {
    "data": ("data",),
    "sampling_march": ("render.sampling",),
    "sampling_warp": ("render.sampling.networks.warp",),
    "sampling_grid": ("render.sampling.networks.grid",),
    "sampling_networks": ("render.sampling.networks",),
    "warp": ("render.networks.warp",),
    "grid": ("render.networks.grid",),
    "networks": ("render.networks",),
    "compositing_and_losses": ("render", "losses"),
    "backward_grid": ("backward.grid",),
    "backward_rest": ("backward",),
    "optimizer": ("optimizer",),
}
"""Paths of the timer that make each reported part. Sampling asks the field too, without gradients, to see where rays
end. On a GPU the gradients of the grids are within the rest of the backward pass."""
STEP_GROUPS = {
    "data": ("data",),
    "sampling": ("sampling_march", "sampling_warp", "sampling_grid", "sampling_networks"),
    "encoding": ("warp", "grid"),
    "networks": ("networks",),
    "compositing_and_losses": ("compositing_and_losses",),
    "backward": ("backward_grid", "backward_rest"),
    "optimizer": ("optimizer",),
    "occupancy_refresh": ("occupancy_refresh",),
    "other": ("other",),
}
"""The same, added up."""


class PartTimer:
    """Adds up seconds by path: a part inside another one stops the outer one's clock.

    Args:
        clock: Seconds that never go back.
        wait: Called before the clock is read, for work that is only queued.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter, wait: Callable[[], None] = synchronise) -> None:
        self.clock, self.wait = clock, wait
        self.seconds: Counter[str] = Counter()
        self.points: Counter[str] = Counter()
        self._stack: list[str] = []
        self._since = 0.0

    def wrap(self, name: str, function: Callable[..., Any], counts_points: bool = False) -> Callable[..., Any]:
        """Return a function whose time counts as a part.

        Args:
            name: Of the part.
            function: What is timed.
            counts_points: Whether to count the rows of its first argument.
        """

        def timed(*arguments: Any, **options: Any) -> Any:
            """Call it between two readings of the clock."""
            self._turn(name)
            if counts_points:
                self.points[".".join(self._stack)] += len(arguments[0])
            try:
                return function(*arguments, **options)
            finally:
                self._turn(None)

        return timed

    def _turn(self, entered: str | None) -> None:
        """Give the time since the last turn to the part that ran, then enter a part or leave one."""
        self.wait()
        now = self.clock()
        if self._stack:
            self.seconds[".".join(self._stack)] += now - self._since
        if entered is None:
            self._stack.pop()
        else:
            self._stack.append(entered)
        self._since = now


@contextmanager
def timed_model(model: Any, timer: PartTimer) -> Iterator[None]:
    """Time the parts of rendering with a model of `nerface`."""
    radiance_field = model.field
    with ExitStack() as patches:

        def put(owner: Any, attribute: str, part: str, counts_points: bool = False) -> None:
            """Time a function until the end."""
            timed = timer.wrap(part, getattr(owner, attribute), counts_points)
            patches.enter_context(mock.patch.object(owner, attribute, timed))

        put(model, "render_rays", "render")
        put(model, "_sample", "sampling")
        put(model.occupancy, "refresh", "refresh")
        put(radiance_field, "get_density", "networks", counts_points=True)
        put(radiance_field, "get_rgb", "networks")
        put(radiance_field.grid, "forward", "grid")
        put(radiance_field.deformation, "forward", "warp")
        yield


@contextmanager
def timed_step(training: SteppedTraining, timer: PartTimer) -> Iterator[None]:
    """Time the parts of training steps of `nerface`."""
    trainer, model = training.trainer, training.model
    with ExitStack() as patches, timed_model(model, timer):

        def put(owner: Any, attribute: str, part: str) -> None:
            """Time a function until the end."""
            patches.enter_context(mock.patch.object(owner, attribute, timer.wrap(part, getattr(owner, attribute))))

        put(training, "step", "other")
        put(training.pipeline.datamanager, "next_train", "data")
        put(model, "get_loss_dict", "losses")
        put(model, "get_metrics_dict", "losses")
        put(torch.Tensor, "backward", "backward")
        for name in ("zero_grad_some", "optimizer_scaler_step_some", "scheduler_step_all"):
            put(trainer.optimizers, name, "optimizer")
        if trainer.device == "cpu":
            from nerface_ns.field_components import grid_kernels  # gradients of the grids, called by autograd

            for name in ("point_gradient", "table_gradient"):
                put(grid_kernels, name, "grid")
        yield


def step_parts_ms(timer: PartTimer, steps: int) -> dict[str, float]:
    """Return the milliseconds a step of each part, of the grid's refresh, and under "other" of what no part has."""
    seconds = {path.removeprefix("other."): value for path, value in timer.seconds.items()}
    parts = {name: sum(seconds.get(path, 0.0) for path in paths) for name, paths in STEP_PARTS.items()}
    parts["occupancy_refresh"] = sum(value for path, value in seconds.items() if path.split(".")[0] == "refresh")
    parts["other"] = sum(seconds.values()) - sum(parts.values())
    return {name: 1000 * value / steps for name, value in parts.items()}


def grouped(parts: dict[str, float]) -> dict[str, float]:
    """Add parts up to groups."""
    return {group: sum(parts[name] for name in names) for group, names in STEP_GROUPS.items()}
