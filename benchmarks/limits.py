"""How far a training step and a picture of `nerface` are from what the machine can do.

    python benchmarks/limits.py --data DATA/head_a --resolution 128 --json benchmarks/results/NAME.json

The least time of a piece of work is the greater of its operations over the fastest product of matrices, and its bytes
over the fastest copy, both measured here. Bytes count what cannot stay in a cache: inputs, answers, tables. Networks
and grids are asked again, alone, what they were asked in one step and one picture; and the networks' products of
matrices are made again with nothing between them, because thin matrices are slower than the square ones of the peak.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from field_calls import (
    FieldCall,
    FieldCalls,
    adam_bytes,
    count_flops,
    grid_bytes,
    grid_flops,
    recorded_calls,
    recorded_products,
)
from fixed_pixels import FixedPixels
from machine_peaks import copy_bandwidth, fastest, matmul_peak
from stepped_training import SteppedTraining, stepped_config

from nerface_ns.evaluation.run_record import run_record, write_json


@dataclass
class Limits:
    """Train, record, ask again."""

    json: Path
    """File for the figures."""
    data: Path | None = None
    """A dataset in NerFace's format; the embedded head without it."""
    resolution: int | None = None
    """Image height in pixels, also of the picture; as stored without it."""
    train_steps: int = 500
    """Steps before anything is measured."""
    repeats: int = 5
    """How often each measurement is made; the fastest counts, of whole steps the median."""
    seed: int = 42
    """Seed of the training."""


@dataclass(frozen=True)
class Work:
    """Operations and bytes."""

    flops: int
    moved: int

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.moved + other.moved)

    def floor_s(self, peak: float, bandwidth: float) -> float:
        """Return the least seconds."""
        return max(self.flops / peak, self.moved / bandwidth)

    def row(self, measured_s: float, peak: float, bandwidth: float) -> dict[str, Any]:
        """Return figures for the JSON."""
        floor_s = self.floor_s(peak, bandwidth)
        return {
            "flops": self.flops,
            "bytes": self.moved,
            "floor_ms": 1000 * floor_s,
            "bound_by": "matmul" if self.flops / peak >= self.moved / bandwidth else "copy",
            "measured_ms": 1000 * measured_s,
            "measured_over_floor": measured_s / floor_s,
        }


def network_work(calls: Sequence[FieldCall]) -> Work:
    """Return what networks have to do."""
    return Work(
        count_flops(lambda: [call.ask() for call in calls]),
        sum(call.network_bytes() for call in calls),
    )


def grid_work(calls: Sequence[FieldCall]) -> Work:
    """Return what grids have to do."""
    total = Work(0, 0)
    for call in calls:
        grid, points = call.asked, call.arguments[0]
        channels = grid.table.shape[1]
        gradients = call.with_gradient, points.requires_grad
        total += Work(
            grid_flops(len(points), len(grid.resolutions), channels, *gradients),
            grid_bytes(len(points), grid.resolutions, channels, *gradients),
        )
    return total


def main(command: Limits) -> None:
    """Measure and write."""
    with tempfile.TemporaryDirectory() as work:
        record = measure(command, Path(work))
    write_json(command.json, {**record, **run_record()})
    for name in ("step", "frame"):
        print(name, {part: round(row["measured_over_floor"], 2) for part, row in record[name].items()})


def measure(command: Limits, work: Path) -> dict[str, Any]:
    """Return the figures."""
    config = stepped_config("nerface", work, command.data, command.resolution, command.seed)
    training = SteppedTraining(config)
    training.run(steps=command.train_steps)
    device = training.trainer.device.split(":")[0]
    peak, bandwidth = matmul_peak(device), copy_bandwidth(device)
    radiance_field = training.model.field

    while training.model.occupancy.is_refresh_step(training.steps):
        training.step()  # a refresh asks for all cells, once in `refresh_steps`
    with recorded_calls(radiance_field) as step_calls:
        training.step()
    step_s = statistics.median(training.run(steps=1) for _ in range(4 * command.repeats))
    parameters = [p for p in training.model.parameters() if p.requires_grad]
    optimizer = Work(0, adam_bytes(sum(p.numel() for p in parameters)))
    optimizers, scaler = training.trainer.optimizers, training.trainer.grad_scaler

    camera = FixedPixels(training.pipeline, "test", 1, 0).cameras[0].to(training.model.device)
    training.pipeline.eval()
    with recorded_calls(radiance_field) as frame_calls:
        training.model.get_outputs_for_camera(camera)
    frame_s = fastest(lambda: training.model.get_outputs_for_camera(camera), command.repeats)
    # Last, because it moves the parameters by gradients that are not theirs any more.
    optimizer_s = fastest(lambda: optimizers.optimizer_scaler_step_some(scaler, list(optimizers.parameters)), 3)

    def rows(calls: FieldCalls, whole_s: float, extra: Work, extra_s: float | None) -> dict[str, Any]:
        """Return the figures of networks, grids, optimizer and all."""
        networks, grids = network_work(calls.networks), grid_work(calls.grids)
        products_s = _products_alone_s(calls.networks, command.repeats)
        made = {
            "networks": {
                **networks.row(_fastest_of(calls.networks, command.repeats), peak, bandwidth),
                "products_alone_ms": 1000 * products_s,
                "products_alone_over_floor": products_s / networks.floor_s(peak, bandwidth),
            },
            "grids": grids.row(_fastest_of(calls.grids, command.repeats), peak, bandwidth),
        }
        if extra_s is not None:
            made["optimizer"] = extra.row(extra_s, peak, bandwidth)
        return {**made, "whole": (networks + grids + extra).row(whole_s, peak, bandwidth)}

    return {
        "matmul_gflops": peak / 1e9,
        "matmul_precision": torch.get_float32_matmul_precision(),
        "copy_gb_per_s": bandwidth / 1e9,
        "step": rows(step_calls, step_s, optimizer, optimizer_s),
        "frame": rows(frame_calls, frame_s, Work(0, 0), None),
        "points_asked": {
            "step": _points(step_calls, radiance_field.grid),
            "frame": _points(frame_calls, radiance_field.grid),
        },
        "settings": {
            "data": "demo" if command.data is None else command.data.resolve().name,
            "resolution": command.resolution,
            "frame_height_width": [int(camera.height[0]), int(camera.width[0])],
            "train_steps": command.train_steps,
        },
    }


@torch.no_grad()
def _products_alone_s(calls: Sequence[FieldCall], repeats: int) -> float:
    """Return the least seconds of the products of matrices that all calls make, with nothing between them."""
    products = recorded_products(lambda: [call.ask() for call in calls])
    return fastest(products.repeat, repeats)


def _fastest_of(calls: Sequence[FieldCall], repeats: int) -> float:
    """Return the least seconds of asking all again, from no gradients on, as in a step."""

    def ask_all() -> None:
        """Ask once."""
        for call in calls:
            for parameter in call.parameters:
                parameter.grad = None
        for call in calls:
            call.ask()

    return fastest(ask_all, repeats)


def _points(calls: FieldCalls, grid: Any) -> dict[str, int]:
    """Return how many points the field was asked for, with gradients and without: those that its grid was."""
    asked = [(len(call.inputs[0]), call.with_gradient) for call in calls.grids if call.asked is grid]
    return {
        "with_gradient": sum(count for count, has in asked if has),
        "without": sum(count for count, has in asked if not has),
    }


if __name__ == "__main__":
    main(tyro.cli(Limits))
