"""How much sooner `nerface` reaches a quality on unseen frames than `nerface-paper`, NerFace's own recipe.

    python benchmarks/versus_paper.py --data DATA/head_a --resolution 128 --json benchmarks/results/NAME.json

Both train in this process and take turns. What counts is the time in training steps, from the first one on, with the
carving of the occupancy grid; set-up is not counted. The clocks stop at growing intervals to score a few frames of the
test split, on some of their pixels, because the recipe is slow to render. Between two points a curve is straight.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from fixed_pixels import FixedPixels
from stepped_training import SteppedTraining, stepped_config
from training_curve import TrainingCurve

from nerface_ns.evaluation.run_record import run_record, write_json

METHOD, RECIPE = "nerface", "nerface-paper"
WARM_STEPS = {METHOD: 25, RECIPE: 1}
"""Steps of a training that is thrown away, so that compiling and loading kernels is in nobody's time."""


@dataclass
class VersusPaper:
    """Train both until they are good enough."""

    json: Path
    """File for the figures."""
    data: Path | None = None
    """A dataset in NerFace's format; the embedded head without it."""
    resolution: int | None = None
    """Image height in pixels; as stored without it."""
    thresholds: tuple[float, ...] = (25.0, 30.0) if torch.cuda.is_available() else (25.0,)
    """Qualities that both have to reach, in dB, the least first."""
    further_thresholds: tuple[float, ...] = (28.0, 30.0, 32.0)
    """Qualities that only `nerface` has to reach, in dB."""
    max_minutes: float = 30.0
    """Training time after which a method is given up."""
    paper_rays: int = 2048
    """Rays in a step of the recipe; its own number is 2048."""
    rounds: int = 3
    """How often `nerface` is trained, each time with another seed; its times' median counts."""
    frames: int = 8
    """Test frames to score, evenly spread."""
    pixels: int = 512
    """Pixels of each to score; 0 for all."""
    growth: float = 1.2
    """Training time at a pause over that at the one before. A pause also comes only after as much training as the last
    scoring took."""
    first_pause_s: float = 1.0
    """Training time before the first pause."""
    seed: int = 42
    """Seed of the recipe and of the first round."""
    method_overrides: tuple[str, ...] = ()
    """Options of `nerface`, as `ns-train` takes them."""
    paper_overrides: tuple[str, ...] = ()
    """Further options of the recipe."""


class Contender:
    """A training that is scored at growing intervals.

    Args:
        training: Has `run(until_s=...)`, `seconds` and `steps`.
        score: Returns the training's PSNR, and how many seconds that took.
        goal: PSNR at which it ends.
        limit_s: Training time at which it ends.
        growth, first_pause_s: When to score.
    """

    def __init__(
        self,
        training: Any,
        score: Callable[[Any], tuple[float, float]],
        goal: float,
        limit_s: float,
        growth: float,
        first_pause_s: float,
    ) -> None:
        self.training, self.score = training, score
        self.goal, self.limit_s, self.growth, self.first_pause_s = goal, limit_s, growth, first_pause_s
        self.curve = TrainingCurve()
        self.last_score_s = 0.0

    @property
    def is_done(self) -> bool:
        """Whether it is good enough or out of time."""
        if not self.curve.psnr:
            return False
        return max(self.curve.psnr) >= self.goal or self.curve.seconds[-1] >= self.limit_s

    def advance(self) -> None:
        """Train to the next pause and score; the first point is the start."""
        if self.curve.psnr:
            seconds = self.training.seconds
            pause = max(self.growth * seconds, seconds + self.last_score_s, self.first_pause_s)
            self.training.run(until_s=min(pause, self.limit_s))
        psnr, self.last_score_s = self.score(self.training)
        self.curve.add(self.training.seconds, self.training.steps, psnr)


def take_turns(
    rounds: Sequence[Callable[[], Contender]], other: Contender, tell: Callable[[str], None]
) -> list[TrainingCurve]:
    """Advance contenders made one after the other, and the other one, in turns until all are done.

    Returns:
        The curves of the first, in their order.
    """
    curves: list[TrainingCurve] = []
    waiting, current = list(rounds), None
    while waiting or current is not None or not other.is_done:
        if current is None and waiting:
            current = waiting.pop(0)()
        if current is not None:
            current.advance()
            tell(_line(METHOD, current.curve))
            if current.is_done:
                curves.append(current.curve)
                current = None
        if not other.is_done:
            other.advance()
            tell(_line(RECIPE, other.curve))
    return curves


def _line(name: str, curve: TrainingCurve) -> str:
    return f"{name}: {curve.seconds[-1]:.1f} s, {curve.steps[-1]} steps, {curve.psnr[-1]:.2f} dB"


def own_times(rounds: Sequence[TrainingCurve], threshold: float) -> tuple[float | None, list[float | None]]:
    """Return the rounds' median time to a threshold, None where one never got there, and the times."""
    times = [curve.seconds_to(threshold) for curve in rounds]
    reached = [seconds for seconds in times if seconds is not None]
    return (statistics.median(reached) if len(reached) == len(times) else None), times


def comparison(rounds: Sequence[TrainingCurve], recipe: TrainingCurve, thresholds: Sequence[float]) -> dict[str, Any]:
    """Return by how much the rounds' median time to each threshold is shorter than the recipe's.

    None where a round never got there, or was there before its first step. Where the recipe never got there,
    `speedup_at_least` says it for the least such threshold, from its last point.
    """
    record: dict[str, Any] = {}
    for threshold in sorted(thresholds):
        name = f"{threshold:g}db"
        own, times = own_times(rounds, threshold)
        other = recipe.seconds_to(threshold)
        record[f"seconds_to_{name}"] = {METHOD: own, f"{METHOD}_rounds": times, RECIPE: other}
        record[f"speedup_to_{name}"] = other / own if own and other is not None else None
        if own and other is None and "speedup_at_least" not in record:
            record["speedup_at_least"] = recipe.seconds[-1] / own
            record["speedup_at_least_to_db"] = threshold
    return record


def main(command: VersusPaper) -> None:
    """Train, compare, write."""
    with tempfile.TemporaryDirectory() as work:
        record = measure(command, Path(work))
    write_json(command.json, {**record, **run_record()})
    print({name: value for name, value in record.items() if name.startswith("speedup")})


def measure(command: VersusPaper, work: Path) -> dict[str, Any]:
    """Return the figures."""
    recipe_options = ("--pipeline.datamanager.train-num-rays-per-batch", str(command.paper_rays))
    overrides = {METHOD: command.method_overrides, RECIPE: (*recipe_options, *command.paper_overrides)}

    def train(method: str, seed: int) -> SteppedTraining:
        """Set a training up."""
        return SteppedTraining(stepped_config(method, work, command.data, command.resolution, seed, overrides[method]))

    pixels: FixedPixels | None = None
    for method, steps in WARM_STEPS.items():
        thrown_away = train(method, command.seed)
        pixels = pixels or FixedPixels(thrown_away.pipeline, "test", command.frames, command.pixels)
        thrown_away.run(steps=steps)
        _timed_score(pixels, thrown_away)
    del thrown_away

    goals = {
        METHOD: max((*command.thresholds, *command.further_thresholds)),
        RECIPE: max(command.thresholds),
    }

    def contender(method: str, seed: int) -> Contender:
        """Set a contender up."""
        return Contender(
            train(method, seed),
            lambda training: _timed_score(pixels, training),
            goals[method],
            60 * command.max_minutes,
            command.growth,
            command.first_pause_s,
        )

    rounds = [lambda number=number: contender(METHOD, command.seed + number) for number in range(command.rounds)]
    recipe = contender(RECIPE, command.seed)
    curves = take_turns(rounds, recipe, lambda line: print(line, flush=True))
    return {
        **comparison(curves, recipe.curve, command.thresholds),
        **{f"{METHOD}_seconds_to_{goal:g}db": own_times(curves, goal)[0] for goal in command.further_thresholds},
        "curves": {METHOD: [curve.as_json() for curve in curves], RECIPE: recipe.curve.as_json()},
        "scoring": {"split": "test", "psnr": "mean over frames", **pixels.as_json()},
        "settings": {
            "data": "demo" if command.data is None else command.data.resolve().name,
            "resolution": command.resolution,
            "max_minutes": command.max_minutes,
            "paper_rays": command.paper_rays,
            "warm_up": "kernels compiled and loaded before the first counted step",
            "overrides": {method: list(options) for method, options in overrides.items()},
        },
    }


def _timed_score(pixels: FixedPixels, training: SteppedTraining) -> tuple[float, float]:
    start = time.perf_counter()
    psnr = pixels.psnr(training.model)
    return psnr, time.perf_counter() - start


if __name__ == "__main__":
    main(tyro.cli(VersusPaper))
