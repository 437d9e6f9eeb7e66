"""What a field said of samples while rays were sampled, kept for those that turn out to be seen."""

from __future__ import annotations

from typing import Any, Callable, List, Tuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

AskField = Callable[[Tensor, Tensor, Tensor], Tuple[Tensor, Any]]
"""Density of samples given their t_starts, t_ends and ray_indices, and what the field goes on from: tensors with one
row for each sample, or tuples of such."""


class KeptAnswers:
    """Asks a field for densities and keeps its answers for visible samples, so that none is asked for twice.

    Sampling asks for the samples in portions, each of which has some of every ray's. The answers stay in that order,
    in which colours can be made of them too; `places` says where they belong.

    Args:
        ask: The field.
    """

    def __init__(self, ask: AskField) -> None:
        self.ask = ask
        self._last: Any = ()
        self._numbers: List[Tensor] = []
        self._kept: List[Any] = []

    def __call__(self, t_starts: Tensor, t_ends: Tensor, ray_indices: Tensor) -> Tensor:
        """Return the density of samples."""
        densities, lean = self.ask(t_starts, t_ends, ray_indices)
        self._last = (ray_indices, densities, lean)
        return densities

    def keep(self, numbers: Int[Tensor, "num_asked"], is_seen: Bool[Tensor, "num_asked"]) -> None:
        """Keep some of the last answer.

        Args:
            numbers: Of the samples that were asked for, counted along all rays.
            is_seen: Which of them to keep.
        """
        self._numbers.append(numbers[is_seen])
        self._kept.append(_rows(self._last, is_seen))
        self._last = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was kept: nothing is seen, or nobody called `keep`."""
        return sum(map(len, self._numbers)) == 0

    def kept(self) -> Tuple[Int[Tensor, "num_kept"], Float[Tensor, "num_kept"], Any]:
        """Return ray indices, densities and what the field goes on from, in the order in which they were kept."""
        return _joined(self._kept)

    def places(self) -> Int[Tensor, "num_kept"]:
        """Return, of each seen sample, ordered by ray and along each ray, the row of its answer."""
        numbers = torch.cat(self._numbers)
        rows = torch.full((int(numbers.max()) + 1,), -1, device=numbers.device)
        rows[numbers] = torch.arange(len(numbers), device=numbers.device)
        return rows[rows >= 0]


def _rows(answer: Any, is_kept: Tensor) -> Any:
    """Return some rows of every tensor in nested tuples."""
    if isinstance(answer, Tensor):
        return answer[is_kept]
    return tuple(_rows(part, is_kept) for part in answer)


def _joined(answers: List[Any]) -> Any:
    """Join nested tuples of tensors, row after row."""
    if isinstance(answers[0], Tensor):
        return torch.cat(answers)
    return tuple(_joined(list(parts)) for parts in zip(*answers))
