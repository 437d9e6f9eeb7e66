"""Weights of loss terms: constants of the settings, or piecewise-linear schedules over training steps."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Dict, List, Optional, Set, Tuple

SUFFIX = "_weight"
"""What the settings that weigh a loss end in; the rest is the loss's name."""
NO_LOSSES = ("skipping_lost_weight",)
"""Settings that end so and weigh no loss."""
REGION = "region."
"""Beginning of the names of what weighs the colours of one region's pixels: region.mouth; 1 where nothing says so."""


@dataclass(frozen=True)
class WeightSchedule:
    """A weight that runs straight from one (step, value) to the next, and stays before the first and after the last."""

    points: Tuple[Tuple[int, float], ...]
    """Steps, counted from 0 and growing, with the weight at each."""

    def at(self, step: int) -> float:
        """Return the weight of a training step."""
        steps = [point[0] for point in self.points]
        after = bisect_right(steps, step)
        if after == 0 or after == len(steps):
            return self.points[max(after - 1, 0)][1]
        (first, low), (last, high) = self.points[after - 1], self.points[after]
        return low + (high - low) * (step - first) / (last - first)


def parse_weight(where: str, text: str) -> WeightSchedule:
    """Read a weight, `0.05`, or a schedule of STEP:VALUE with commas between, `0:0.5,4000:0.05`.

    Args:
        where: Names the setting in messages.
        text: What was given.

    Raises:
        ValueError: It is neither, a weight is negative, or the steps do not grow.
    """
    points: List[Tuple[int, float]] = []
    pairs = text.split(",") if ":" in text else [f"0:{text}"]
    for pair in pairs:
        step, _, value = pair.partition(":")
        try:
            points.append((int(step), float(value)))
        except ValueError as error:
            raise ValueError(
                f"{where}: expected a number or STEP:VALUE with commas between, such as 0:0.5,4000:0.05, got {text!r}"
            ) from error
    if not all(math.isfinite(value) and value >= 0 for _, value in points):
        raise ValueError(f"{where}: expected finite weights of at least 0, got {text!r}")
    steps = [step for step, _ in points]
    if steps[0] < 0 or sorted(set(steps)) != steps:
        raise ValueError(f"{where}: expected steps of at least 0 that grow from each to the next, got {steps}")
    return WeightSchedule(tuple(points))


def parse_weights(where: str, texts: Sequence[str]) -> Dict[str, WeightSchedule]:
    """Read `NAME=WEIGHT` of several losses.

    Raises:
        ValueError: One is no such text, or a loss is named twice.
    """
    weights: Dict[str, WeightSchedule] = {}
    for text in texts:
        name, equals, weight = text.partition("=")
        if not name or not equals:
            raise ValueError(f"{where}: expected NAME=WEIGHT, such as matte=0.1, got {text!r}")
        if name in weights:
            raise ValueError(f"{where}: expected each loss once, got {name} twice")
        weights[name] = parse_weight(f"{where} {name}", weight)
    return weights


class LossWeights:
    """The weights of a training step by the losses' names.

    A constant is read of the settings whenever it is asked for; a schedule goes before it, and the schedule of the
    training's stage before that.

    Args:
        configs: Settings with fields `NAME_weight`; of equal names the first counts.
        schedules: Weights by name that go before those of the settings in all stages.
        factors: Names of further weights, which are 1 where nothing says so.

    Raises:
        ValueError: A name is no loss of these settings and no region.
    """

    def __init__(
        self,
        *configs: Any,
        schedules: Optional[Mapping[str, WeightSchedule]] = None,
        factors: Sequence[str] = (),
    ) -> None:
        self._owners: Dict[str, Any] = dict.fromkeys(factors)
        for config in configs:
            for field in fields(config):
                if field.name.endswith(SUFFIX) and field.name not in NO_LOSSES:
                    self._owners.setdefault(field.name[: -len(SUFFIX)], config)
        self._schedules = dict(schedules or {})
        self.step = 0
        self._stage: Mapping[str, WeightSchedule] = {}
        self.check("stages.weights", self._schedules)

    def check(self, where: str, names: Iterable[str]) -> None:
        """Refuse names of no loss.

        Raises:
            ValueError: One is unknown.
        """
        for name in names:
            if name not in self._owners and not (name.startswith(REGION) and name != REGION):
                raise ValueError(
                    f"{where}: expected losses among {', '.join(sorted(self._owners))}, or {REGION}NAME of a region, "
                    f"got {name!r}"
                )

    def follow(self, step: int, stage: Mapping[str, WeightSchedule]) -> None:
        """Say which step is made, and what its stage weighs otherwise."""
        self.step, self._stage = step, stage

    def __getitem__(self, name: str) -> float:
        schedule = self._stage.get(name) or self._schedules.get(name)
        if schedule is not None:
            return schedule.at(self.step)
        owner = None if name.startswith(REGION) else self._owners[name]
        return 1.0 if owner is None else float(getattr(owner, name + SUFFIX))

    def now(self) -> Dict[str, float]:
        """Return all weights of the step, those of regions only where something says so."""
        named: Set[str] = {*self._owners, *self._schedules, *self._stage}
        return {name: self[name] for name in sorted(named)}
