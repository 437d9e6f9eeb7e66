"""How the time of a training step of `nerface` grows: with frames, coefficients, resolution and rays.

    python benchmarks/scaling.py --json benchmarks/results/scaling.json --plot benchmarks/results/scaling.png

The embedded head's frames are repeated, enlarged, or given random expressions of another length. All trainings of a
sweep live in this process and take turns, after as many steps each. Expressions that mean nothing leave other
surfaces, hence other samples, so samples are reported, and the time of a step is also fitted per sample.
"""

from __future__ import annotations

import json as json_module
import os
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import tyro
from long_recording import make_recording
from power_law import fit_power_law, plot_power_laws
from stepped_training import SteppedTraining, stepped_config

from nerface_ns.evaluation.run_record import run_record, write_json
from nerface_ns.synthetic.demo_sequence import DemoSequenceConfig, write_demo_sequence


@dataclass
class Scaling:
    """Vary one thing at a time."""

    json: Path
    """File for the figures."""
    plot: Path | None = None
    """PNG file for a plot."""
    frames: tuple[int, ...] = (50, 200, 800, 3200)
    """Numbers of training frames."""
    coefficients: tuple[int, ...] = (12, 25, 50, 100, 200)
    """Lengths of the expression."""
    resolutions: tuple[int, ...] = (64, 128, 256, 512)
    """Heights of the images in pixels."""
    rays: tuple[int, ...] = (512, 1024, 2048, 4096, 8192)
    """Rays in a step."""
    base_frames: int = 50
    """Training frames where these are not varied."""
    base_resolution: int = 128
    """Height where it is not varied."""
    base_coefficients: int = 50
    """Length of the expression where that is not varied."""
    train_steps: int = 410
    """Steps before anything is timed: earlier ones refresh the whole occupancy grid."""
    block_steps: int = 50
    """Steps of a turn; 50, or a multiple, has its share of the occupancy grid's refreshes."""
    rounds: int = 2
    """Turns; medians count."""
    seed: int = 42
    """Seed of all trainings."""


@dataclass(frozen=True)
class Case:
    """What one training is made of; rays None for the method's own number."""

    frames: int
    coefficients: int
    resolution: int
    rays: int | None = None


def cases(command: Scaling) -> dict[str, dict[int, Case]]:
    """Return the trainings of each sweep by what is varied and its value."""
    frames, length, height = command.base_frames, command.base_coefficients, command.base_resolution
    return {
        "frames": {value: Case(value, length, height) for value in command.frames},
        "coefficients": {value: Case(frames, value, height) for value in command.coefficients},
        "resolution": {value: Case(frames, length, value) for value in command.resolutions},
        "rays": {value: Case(frames, length, height, value) for value in command.rays},
    }


def with_random_expressions(folder: Path, num_coefficients: int, seed: int) -> None:
    """Give all frames of a dataset in NerFace's format random expressions, smooth in time, of some length."""
    for path in sorted(folder.glob("transforms_*.json")):
        content = json_module.loads(path.read_text(encoding="utf-8"))
        count = len(content["frames"])
        random = np.random.default_rng(seed)
        phase, speed = random.uniform(0, 2 * np.pi, num_coefficients), random.uniform(0.02, 0.3, num_coefficients)
        expressions = 0.5 + 0.5 * np.sin(np.arange(count)[:, None] * speed + phase)
        for frame, expression in zip(content["frames"], expressions):
            frame["expression"] = expression.round(5).tolist()
        content["expression_names"] = [f"random{number}" for number in range(num_coefficients)]
        path.write_text(json_module.dumps(content), encoding="utf-8")


def make_dataset(head: Path, work: Path, case: Case, seed: int) -> Path:
    """Return the folder of a case's data, made when first asked for."""
    folder = work / f"data_{case.frames}_{case.coefficients}_{case.resolution}"
    if not folder.exists():
        make_recording(head, folder, case.frames, case.resolution)
        with_random_expressions(folder, case.coefficients, seed)
    return folder


def run_sweep(trainings: dict[int, Any], train_steps: int, block_steps: int, rounds: int) -> list[dict[str, float]]:
    """Time trainings in turns.

    Returns:
        A row for each, with the medians over its turns.
    """
    for training in trainings.values():
        training.run(steps=train_steps)
    turns: dict[int, list[tuple[float, float]]] = {value: [] for value in trainings}
    for number in range(rounds):
        order = list(trainings) if number % 2 == 0 else list(trainings)[::-1]
        for value in order:
            training = trainings[value]
            samples = training.samples
            seconds = training.run(steps=block_steps)
            turns[value].append((1000 * seconds / block_steps, (training.samples - samples) / block_steps))
    return [
        {
            "value": value,
            "step_ms": statistics.median(ms for ms, _ in timed),
            "samples_per_step": statistics.median(samples for _, samples in timed),
            "us_per_sample": statistics.median(1000 * ms / max(samples, 1) for ms, samples in timed),
        }
        for value, timed in turns.items()
    ]


def exponents(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return by which powers of the varied value a step's time and its time per sample grow."""
    values = [row["value"] for row in rows]
    return {
        name: fit_power_law(values, [row[name] for row in rows])["exponent"]
        for name in ("step_ms", "samples_per_step", "us_per_sample")
    }


def main(command: Scaling) -> None:
    """Measure, fit, draw, write."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, XDG_CACHE_HOME=f"{folder}/cache"):
        work = Path(folder)
        head = work / "head"
        write_demo_sequence(head, DemoSequenceConfig(command.base_resolution, command.base_frames, 2, 2, num_nvs=0))

        def train(case: Case) -> SteppedTraining:
            """Set a case's training up."""
            data = make_dataset(head, work, case, command.seed)
            config = stepped_config("nerface", work / "runs", data, None, command.seed)
            if case.rays is not None:
                config.pipeline.datamanager.train_num_rays_per_batch = case.rays
            return SteppedTraining(config)

        record = measure(command, train)
    sweeps = record["sweeps"]
    if command.plot is not None:
        points = {name: [(row["value"], row["step_ms"]) for row in sweep["rows"]] for name, sweep in sweeps.items()}
        slopes = {name: sweep["exponents"]["step_ms"] for name, sweep in sweeps.items()}
        plot_power_laws(command.plot, points, slopes, "step, ms")
    write_json(command.json, {**record, **run_record()})
    print({name: sweep["exponents"] for name, sweep in sweeps.items()})


def measure(command: Scaling, train: Callable[[Case], Any]) -> dict[str, Any]:
    """Return the figures of all sweeps."""
    sweeps = {}
    for name, varied in cases(command).items():
        trainings = {value: train(case) for value, case in varied.items()}
        rows = run_sweep(trainings, command.train_steps, command.block_steps, command.rounds)
        sweeps[name] = {"rows": rows, "exponents": exponents(rows)}
        print(name, *rows, sep="\n  ", flush=True)
    settings = {name: value for name, value in vars(command).items() if name not in ("json", "plot")}
    return {"sweeps": sweeps, "data": "embedded head, random expressions", "settings": settings}


if __name__ == "__main__":
    main(tyro.cli(Scaling))
