"""Where the time of a training step of `nerface` goes, beside steps of static methods.

    python benchmarks/step_breakdown.py --data DATA/head_a --resolution 128 --json benchmarks/results/NAME.json

Everything runs in this process, in turns. The parts are timed in steps of their own, because on a GPU each reading of
the clock waits for what is queued. Yardsticks draw their rays from the same frames and know nothing of expressions.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from part_timer import PartTimer, grouped, step_parts_ms, timed_step
from static_yardsticks import (
    INSTANT_NGP,
    NERFACTO,
    STAND_IN,
    build_yardsticks,
    fixed_samples_per_ray,
    implementation,
)
from stepped_training import SteppedTraining, peak_memory_mb, set_rays, stepped_config

from nerface_ns.evaluation.run_record import run_record, write_json


@dataclass
class StepBreakdown:
    """Train, then time."""

    json: Path
    """File for the figures."""
    data: Path | None = None
    """A dataset in NerFace's format; the embedded head without it."""
    resolution: int | None = None
    """Image height in pixels; as stored without it."""
    train_steps: int = 500
    """Steps before anything is timed, of `nerface` and of the yardsticks whose samples training makes fewer. The first
    400 refresh the whole occupancy grid."""
    block_steps: int = 50
    """Steps of a turn; 50, or a multiple, has its share of the occupancy grid's refreshes."""
    stock_steps: int = 2
    """Steps of a turn of a stock method on a CPU, where it is slow; on a GPU it makes `block_steps`."""
    rounds: int = 3
    """Turns of each; medians count."""
    yardsticks: tuple[str, ...] = (STAND_IN, NERFACTO, INSTANT_NGP)
    """Static methods beside it."""
    seed: int = 42
    """Seed of all trainings."""


@dataclass
class Turn:
    """Some steps that were timed together."""

    seconds: float
    steps: int
    rays: int
    samples: float


def take_turn(training: SteppedTraining, steps: int) -> Turn:
    """Make steps and count."""
    rays, samples = training.rays, training.samples
    seconds = training.run(steps=steps)
    rays, samples = training.rays - rays, training.samples - samples
    fixed = fixed_samples_per_ray(training)
    return Turn(seconds, steps, rays, samples if fixed is None else float(rays * fixed))


def turns_summary(turns: list[Turn]) -> dict[str, float]:
    """Return medians over turns."""

    def median(values: list[float]) -> float:
        """Return the middle one."""
        return statistics.median(values)

    return {
        "step_ms": median([1000 * turn.seconds / turn.steps for turn in turns]),
        "rays_per_step": median([turn.rays / turn.steps for turn in turns]),
        "samples_per_ray": median([turn.samples / turn.rays for turn in turns]),
        "samples_per_step": median([turn.samples / turn.steps for turn in turns]),
        "rays_per_s": median([turn.rays / turn.seconds for turn in turns]),
        "us_per_sample": median([1e6 * turn.seconds / max(turn.samples, 1) for turn in turns]),
    }


def equal_rays(samples_per_step: float, samples_per_ray: float) -> int:
    """Return how many rays give so many samples a step."""
    return max(round(samples_per_step / samples_per_ray), 1)


def main(command: StepBreakdown) -> None:
    """Measure and write."""
    with tempfile.TemporaryDirectory() as work:
        record = measure(command, Path(work))
    write_json(command.json, {**record, **run_record()})
    print(record["nerface"], record["yardsticks"], record["not_run"], sep="\n")


def measure(command: StepBreakdown, work: Path) -> dict[str, Any]:
    """Return the figures."""
    config = stepped_config("nerface", work, command.data, command.resolution, command.seed)
    own = SteppedTraining(config)
    own.run(steps=command.train_steps)
    peak_mb = peak_memory_mb()
    timer = PartTimer()
    with timed_step(own, timer):
        own.run(steps=command.block_steps)
    parts = step_parts_ms(timer, command.block_steps)
    asked = timer.points["other.render.sampling.networks"] / command.block_steps
    before = take_turn(own, command.block_steps)

    others, not_run = build_yardsticks(command.yardsticks, work, command.data, command.resolution, command.seed)
    steps = {name: _block_steps(command, training) for name, training in others.items()}
    for training in others.values():
        per_ray = fixed_samples_per_ray(training)
        if per_ray is None:
            training.run(steps=command.train_steps)
            probe = take_turn(training, min(command.block_steps, 10))
            per_ray = probe.samples / probe.rays
        set_rays(training, equal_rays(before.samples / before.steps, per_ray))
        training.run(steps=1)
    turns: dict[str, list[Turn]] = {name: [] for name in ("nerface", *others)}
    for _ in range(command.rounds):
        turns["nerface"].append(take_turn(own, command.block_steps))
        for name, training in others.items():
            turns[name].append(take_turn(training, steps[name]))
    rows = {name: turns_summary(turns[name]) for name in turns}
    mine = rows.pop("nerface")
    return {
        "nerface": {**mine, "queries_per_ray_while_sampling": asked / mine["rays_per_step"], "peak_memory_mb": peak_mb},
        "parts_ms": parts,
        "groups_ms": grouped(parts),
        "timed_step_ms": sum(parts.values()),
        "yardsticks": {
            name: {
                **row,
                "computed_by": implementation(others[name]),
                "nerface_over_it_per_sample": mine["us_per_sample"] / row["us_per_sample"],
            }
            for name, row in rows.items()
        },
        "not_run": not_run,
        "settings": {
            "data": "demo" if command.data is None else command.data.resolve().name,
            "resolution": command.resolution,
            "train_steps": command.train_steps,
            "block_steps": steps | {"nerface": command.block_steps},
            "rounds": command.rounds,
            "equal_samples": "yardsticks draw as many rays as make about the samples of a step of nerface",
            "samples_of_nerfacto": "those of its main field; its proposal networks ask for more",
        },
    }


def _block_steps(command: StepBreakdown, training: SteppedTraining) -> int:
    is_slow = training.trainer.device == "cpu" and not hasattr(training.model, "occupancy")
    return command.stock_steps if is_slow else command.block_steps


if __name__ == "__main__":
    main(tyro.cli(StepBreakdown))
