"""Where the numbers of one of NerFace's parameters lie among this package's, and the way back; both are exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True)
class Part:
    """What one of this package's parameters holds of one of NerFace's."""

    name: str
    """The parameter's name in the model."""
    columns: Int[Tensor, "num_columns"] | None = None
    """NerFace's columns in this package's order; None for the whole tensor."""
    flipped: Bool[Tensor, "num_columns"] | None = None
    """Columns whose sign differs because their feature is odd in a mirrored coordinate; None for none."""

    def take(self, values: Tensor, is_square: bool) -> Tensor:
        """Return this part of NerFace's tensor."""
        if self.columns is None:
            return values.clone()
        return self._flip(values[:, self.columns], is_square)

    def put(self, values: Tensor, part: Tensor, is_square: bool) -> None:
        """Write this part into NerFace's tensor."""
        if self.columns is None:
            values.copy_(part)
        else:
            values[:, self.columns] = self._flip(part, is_square)

    def _flip(self, values: Tensor, is_square: bool) -> Tensor:
        """A change of sign is exact, and squares have none."""
        if is_square or self.flipped is None:
            return values.clone()
        return torch.where(self.flipped, -values, values)


@dataclass(frozen=True)
class OriginalParameter:
    """One of NerFace's parameters."""

    name: str
    """Its name in NerFace's network, or of its entry in the checkpoint."""
    shape: tuple[int, ...]
    """Its shape there."""
    parts: tuple[Part, ...]
    """This package's parameters that hold it."""

    def split(self, values: Tensor, is_square: bool = False) -> dict[str, Tensor]:
        """Return this package's tensors for NerFace's tensor.

        Args:
            values: The parameter, its gradient or a running mean of that.
            is_square: Whether they are squares, as in Adam's second moment.
        """
        return {part.name: part.take(values, is_square).contiguous() for part in self.parts}

    def join(self, tensors: Mapping[str, Tensor], is_square: bool = False) -> Tensor:
        """Return NerFace's tensor for this package's; the inverse of `split`."""
        first = tensors[self.parts[0].name]
        values = first.new_empty(self.shape)
        for part in self.parts:
            part.put(values, tensors[part.name], is_square)
        return values


@dataclass(frozen=True)
class OriginalImage(OriginalParameter):
    """NerFace's background: rows, columns, colours; here colours first, with a batch of one."""

    def split(self, values: Tensor, is_square: bool = False) -> dict[str, Tensor]:
        """Return this package's image."""
        return {self.parts[0].name: values.permute(2, 0, 1)[None].contiguous()}

    def join(self, tensors: Mapping[str, Tensor], is_square: bool = False) -> Tensor:
        """Return NerFace's image."""
        return tensors[self.parts[0].name][0].permute(1, 2, 0).contiguous()
