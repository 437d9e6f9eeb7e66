"""Takes a training whose loss is no number back to its last good state, once."""

from __future__ import annotations

from typing import Any, Dict, Optional

from nerfstudio.engine.trainer import Trainer

from nerface_ns.engine.training_state import copied, go_back, lower_rates, not_finite, training_state

STEPS_PER_COPY = 500
"""Steps between two copies of the state in memory."""
RATE_FACTOR = 0.5
"""Factor on all learning rates after going back."""


class LossNotFiniteError(ValueError):
    """Loss or parameters are NaN or infinite, and going back has not helped or is not possible."""


class Rollback:
    """Keeps a copy of the last good state.

    Attributes:
        count: How often the training went back; a resumed one goes on counting.
    """

    def __init__(self) -> None:
        self.count = 0
        self.good: Optional[Dict[str, Any]] = None

    @property
    def good_step(self) -> int:
        """The last step in the good state; -1 before the first."""
        return -1 if self.good is None else self.good["step"]

    def is_due(self, step: int) -> bool:
        """Whether the copy is old enough for a new one."""
        return self.good is not None and step - self.good_step >= STEPS_PER_COPY

    def keep(self, trainer: Trainer, step: int) -> Optional[str]:
        """Copy the state after a step if it is good, else go back; returns what was done in that case."""
        done = self.check(trainer, step)
        self.good = copied(training_state(trainer, step, self.count))
        return done

    def check(self, trainer: Trainer, step: int) -> Optional[str]:
        """Go back where parameters are not finite; returns what was done then.

        Raises:
            LossNotFiniteError: It is the second time, or there is nothing to go back to.
        """
        wrong = not_finite(trainer)
        if not wrong:
            return None
        return self.go_back(trainer, f"step {step}: expected finite parameters, got others in {', '.join(wrong)}")

    def go_back(self, trainer: Trainer, reason: str) -> str:
        """Go back to the good state and lower the rates; returns what was done, for the user.

        Args:
            trainer: Whose state it is.
            reason: What is wrong.

        Raises:
            LossNotFiniteError: It is the second time, or there is nothing to go back to.
        """
        if self.good is None:
            raise LossNotFiniteError(reason)
        go_back(trainer, self.good)
        if self.count > 0:
            raise LossNotFiniteError(f"{reason}; the learning rates were lowered for this before")
        self.count += 1
        lower_rates(trainer, RATE_FACTOR)
        when = f"after step {self.good_step}" if self.good_step >= 0 else "before the first step"
        return f"{reason}; going on with the state {when} and {RATE_FACTOR:g} of the learning rates"
