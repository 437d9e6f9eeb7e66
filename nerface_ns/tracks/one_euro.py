"""The One-Euro filter: a low-pass that lets quick movements through."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class OneEuroConfig:
    """Settings of a One-Euro filter (Casiez, Roussel, Vogel, CHI 2012)."""

    min_cutoff_hz: float = 1.5
    """Cutoff at rest; lower is steadier and slower."""
    beta: float = 1.0
    """Rise of the cutoff, in Hz, for a speed of one unit a second; higher follows quick movements more closely. A blink
    of an ARKit coefficient, 0 to 1 in 0.1 s, then passes at about 10 Hz."""
    derivative_cutoff_hz: float = 1.0
    """Cutoff of the speed itself (the paper's 1 Hz)."""

    def check(self) -> None:
        """Refuse settings that make no sense.

        Raises:
            ValueError: Names the field, what is expected and what it is.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            expected = "from 0" if field.name == "beta" else "above 0"
            if not (0 < value < math.inf or (value == 0 and field.name == "beta")):
                raise ValueError(f"One-Euro filter: expected {field.name} {expected} and finite, got {value}")


class OneEuroFilter:
    """Filters numbers as they come, each on its own.

    Args:
        config: Settings.
    """

    def __init__(self, config: OneEuroConfig = OneEuroConfig()) -> None:
        config.check()
        self.config = config
        self._values: np.ndarray | None = None
        self._speed: np.ndarray | None = None

    def __call__(self, values: Float[np.ndarray, " numbers"], step_s: float) -> Float[np.ndarray, " numbers"]:
        """Return the filtered numbers.

        Args:
            values: The next numbers.
            step_s: Seconds since the last ones, above 0; of no account at the first call.
        """
        if self._values is None or self._speed is None:
            self._values, self._speed = values.copy(), np.zeros_like(values)
            return values.copy()
        config = self.config
        share = _share(config.derivative_cutoff_hz, step_s)
        speed = share * (values - self._values) / step_s + (1 - share) * self._speed
        share = _share(config.min_cutoff_hz + config.beta * np.abs(speed), step_s)
        filtered = share * values + (1 - share) * self._values
        self._values, self._speed = filtered, speed
        return filtered.copy()


def _share(cutoff_hz: float | np.ndarray, step_s: float) -> float | np.ndarray:
    """Weight of a new number in exponential smoothing of that cutoff."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff_hz * step_s))
