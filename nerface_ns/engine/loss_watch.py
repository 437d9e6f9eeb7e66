"""Finds the training step at which the loss stopped being a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Dict, List, Optional

import torch
import torch.distributed
from torch import Tensor

STEPS_PER_CHECK = 10
"""Steps between two looks at losses on a GPU, where each look waits for all that is queued."""
NUM_NAMES = 8
"""Frames of a batch that a message names."""


@dataclass(frozen=True)
class BadLoss:
    """The first step whose loss is NaN or infinite."""

    step: int
    """The step."""
    frames: Sequence[str]
    """Names of the training frames in its batch."""
    terms: Mapping[str, float]
    """Those terms of the loss that are not finite."""

    def __str__(self) -> str:
        terms = ", ".join(f"{name} is {value}" for name, value in self.terms.items())
        more = len(self.frames) - NUM_NAMES
        frames = ", ".join(self.frames[:NUM_NAMES]) + (f" and {more} more" if more > 0 else "")
        return f"step {self.step}: expected a finite loss, got {terms or 'a sum that is not'} for the frames {frames}"


@dataclass(frozen=True)
class _Seen:
    step: int
    frames: Sequence[str]
    loss: Tensor
    terms: Dict[str, Tensor]


class LossWatch:
    """Keeps the losses of the last few steps until it looks at them: at each on a CPU, seldom on a GPU.

    Args:
        device: Where losses are.
    """

    def __init__(self, device: str) -> None:
        self._every = 1 if device == "cpu" else STEPS_PER_CHECK
        self._seen: List[_Seen] = []

    def note(self, step: int, frames: Sequence[str], loss: Tensor, terms: Mapping[str, Tensor]) -> None:
        """Remember a step's loss."""
        self._seen.append(_Seen(step, frames, loss.detach(), {name: term.detach() for name, term in terms.items()}))

    @property
    def is_due(self) -> bool:
        """Whether it is time to look."""
        return len(self._seen) >= self._every

    def look(self) -> Optional[BadLoss]:
        """Return the first bad step since the last look, of this process or, without names, of another.

        All processes of a training job have to look at the same step.
        """
        seen, self._seen = self._seen, []
        if not seen:
            return None
        is_finite = torch.stack([torch.isfinite(one.loss) for one in seen])
        bad = next((one for one, is_good in zip(seen, is_finite.tolist()) if not is_good), None)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            everywhere = is_finite.all().int()
            torch.distributed.all_reduce(everywhere, torch.distributed.ReduceOp.MIN)
            if bad is None and not bool(everywhere):
                return BadLoss(seen[-1].step, ["of another process"], {})
        if bad is None:
            return None
        values = {name: float(term) for name, term in bad.terms.items()}
        wrong = {name: value for name, value in values.items() if not abs(value) < float("inf")}
        return BadLoss(bad.step, list(bad.frames), wrong)
