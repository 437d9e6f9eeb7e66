"""Settings of the fit, apart from what carries them out: a command's help shall not wait for torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LEAST = {"size": 16, "starts": 1, "expressions": 1, "pixels": 100, "iterations": 1}
"""Least value of each whole number."""


@dataclass(frozen=True)
class FitSettings:
    """How photographs are fitted."""

    size: int = 128
    """Shorter side, in pixels, at which a photo is compared; smaller photos stay as they are."""
    starts: int = 4
    """Training frames from which the fit is tried."""
    expressions: int = 20
    """Most directions in which the expression may change, the strongest of the training frames."""
    pixels: int = 2000
    """Pixels that the last rounds compare."""
    iterations: int = 6
    """Most steps of each of the four rounds in which everything is looked for."""
    photo_weight: float = 1e6
    """Weight of the mean squared colour error beside one squared standard deviation of expression, gaze or code."""
    background: Literal["auto", "recorded", "other"] = "auto"
    """What stands behind the person: the run's background; something else, so that only the head is compared; or look.
    A mask goes before it."""

    def check(self) -> None:
        """Refuse settings that make no fit.

        Raises:
            ValueError: One of them is out of its range.
        """
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(f"--fit.{name} {getattr(self, name)}: expected at least {least}")
        # NaN compares as false.
        if not 0 < self.photo_weight < float("inf"):
            raise ValueError(f"--fit.photo-weight {self.photo_weight}: expected a positive number")
