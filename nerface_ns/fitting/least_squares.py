"""Levenberg and Marquardt's method for several pictures that share some of their numbers.

Derivatives are differences of renders: any model of this package can be asked for a picture, few for the derivative of
every pixel by every number, and a face has only some dozens of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Residual = Callable[[Tensor, Tensor], Tensor]
"""Given a picture's own numbers and the shared ones, returns how far the render is off, (num_values,), weighted."""


@dataclass(frozen=True)
class Numbers:
    """What is known of some unknowns beforehand."""

    steps: Float[Tensor, " count"]
    """Change of each for the difference of two renders."""
    precision: Float[Tensor, " count"]
    """One over the variance of each about zero; 0 for what may be anything."""
    is_free: Bool[Tensor, " count"]
    """Which of them are looked for; the others stay."""


@dataclass(frozen=True)
class LeastSquares:
    """How the numbers are looked for."""

    iterations: int
    """Steps, each with new derivatives."""
    huber_delta: float
    """Residual from which on the cost grows linearly."""
    weight: float
    """Factor on the mean cost of a picture's residuals beside the squares of what is known beforehand."""
    damping: float = 1e-2
    """Marquardt's factor at the start."""
    tries: int = 4
    """Damping is raised so often when a step does not lower the cost."""
    least_gain: float = 2e-3
    """Share of the cost by which a step has to lower it for another one to be made."""

    def minimise(
        self,
        residuals: Sequence[Residual],
        own: Sequence[Float[Tensor, " num_own"]],
        shared: Float[Tensor, " num_shared"],
        own_numbers: Numbers,
        shared_numbers: Numbers,
    ) -> tuple[list[Tensor], Tensor, float]:
        """Return the numbers of every picture, the shared ones, and the cost.

        Args:
            residuals: One function for each picture.
            own: Start of each picture's own numbers.
            shared: Start of the shared ones.
            own_numbers: What is known of a picture's own numbers.
            shared_numbers: What is known of the shared ones.
        """
        num_own, count = len(own_numbers.steps), len(residuals)
        precision = torch.cat([*[own_numbers.precision] * count, shared_numbers.precision]).double()
        free = torch.cat([*[own_numbers.is_free] * count, shared_numbers.is_free])
        place = torch.cat([*own, shared]).double()

        def split(place: Tensor) -> tuple[list[Tensor], Tensor]:
            """Return every residual's own numbers, and those that all share."""
            parts = place.float()
            return list(parts[: num_own * count].split(num_own)), parts[num_own * count :]

        def values(place: Tensor) -> list[Tensor]:
            """Return all residuals at a place."""
            each, common = split(place)
            return [residual(numbers, common) for residual, numbers in zip(residuals, each)]

        now = values(place)
        cost, damping = self._cost(now, place, precision), self.damping
        for _ in range(self.iterations):
            each, common = split(place)
            matrix, slope = torch.diag(precision), precision * place
            for index, residual in enumerate(residuals):
                columns = _derivatives(residual, each[index], common, now[index], own_numbers, shared_numbers)
                rows = torch.cat([torch.arange(num_own) + index * num_own, torch.arange(len(common)) + num_own * count])
                self._add(matrix, slope, rows, columns.double(), now[index].double())
            before = cost
            for _ in range(self.tries):
                step = _damped_step(matrix, slope, damping, free)
                tried = values(place + step)
                tried_cost = self._cost(tried, place + step, precision)
                if tried_cost < cost:
                    place, now, cost, damping = place + step, tried, tried_cost, damping / 5
                    break
                damping *= 6
            if before - cost < self.least_gain * before:
                break
        return *split(place), cost

    def _cost(self, values: list[Tensor], place: Tensor, precision: Tensor) -> float:
        delta = self.huber_delta
        zero = torch.zeros(())
        costs = [torch.nn.functional.huber_loss(value, zero.expand_as(value), delta=delta) for value in values]
        return self.weight * float(sum(costs)) + float((precision * place.square()).sum()) / 2

    def _add(self, matrix: Tensor, slope: Tensor, rows: Tensor, columns: Tensor, value: Tensor) -> None:
        """Add a picture's part to the normal equations."""
        trust = (self.huber_delta / value.abs().clamp(min=1e-9)).clamp(max=1) * (self.weight / len(value))
        weighted = columns * trust
        matrix[rows[:, None], rows[None, :]] += weighted @ columns.T
        slope[rows] += weighted @ value


def _derivatives(
    residual: Residual, own: Tensor, shared: Tensor, value: Tensor, own_numbers: Numbers, shared_numbers: Numbers
) -> Float[Tensor, "num_numbers num_values"]:
    """Rows of change per unit of each number; zero for those that are held."""
    steps = torch.cat([own_numbers.steps, shared_numbers.steps])
    free = torch.cat([own_numbers.is_free, shared_numbers.is_free])
    columns = torch.zeros(len(steps), len(value))
    both = torch.cat([own, shared])
    for index in free.nonzero()[:, 0].tolist():
        moved = both.clone()
        # Towards the mean, where what lies beyond the trained range cannot hide the change.
        change = float(steps[index]) if both[index] <= 0 else -float(steps[index])
        moved[index] += change
        columns[index] = (residual(moved[: len(own)], moved[len(own) :]) - value) / change
    return columns


def _damped_step(matrix: Tensor, slope: Tensor, damping: float, free: Tensor) -> Tensor:
    """Marquardt's step of the free numbers."""
    rows = free.nonzero()[:, 0]
    part = matrix[rows[:, None], rows[None, :]]
    diagonal = part.diagonal()
    # A number without effect, such as that of a muscle at the back of the head, has no scale of its own.
    floor = 1e-6 * diagonal.max().clamp(min=1e-12)
    damped = part + torch.diag(damping * diagonal + floor)
    step = torch.zeros_like(slope)
    step[rows] = -torch.linalg.solve(damped, slope[rows])
    return step
