"""From an expression to the weights of fewer bases than it has coefficients."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

BasisMapKind = Literal["linear", "monotone"]
"""How coefficients become weights of bases; see `LinearBasisMap` and `MonotoneBasisMap`."""
MONOTONE_WIDTH = 32
"""Hidden units of the monotone map."""


class LinearBasisMap(nn.Module):
    """Learned directions of the expression space, orthogonal at the start.

    Args:
        num_coefficients: Length of the expression.
        num_bases: Number of weights; no more than there are coefficients.
    """

    def __init__(self, num_coefficients: int, num_bases: int) -> None:
        super().__init__()
        self.directions = nn.Parameter(nn.init.orthogonal_(torch.empty(num_coefficients, num_bases)))

    def forward(
        self, expression: Float[Tensor, "num_frames num_coefficients"]
    ) -> Float[Tensor, "num_frames num_bases"]:
        """Return the bases' weights."""
        return expression @ self.directions


class MonotoneBasisMap(nn.Module):
    """Weights that never fall while a coefficient rises, so a slider's way never turns back.

    Two layers with matrices of positive numbers (Sill 1998) round a hyperbolic tangent; a weight is zero where the
    expression is.

    Args:
        num_coefficients: Length of the expression.
        num_bases: Number of weights.
    """

    def __init__(self, num_coefficients: int, num_bases: int) -> None:
        super().__init__()
        # After the softplus most of a column is small and some of it is not, so that the bases differ from the start.
        self.first = nn.Parameter(torch.randn(num_coefficients, MONOTONE_WIDTH) * 2 - 3)
        self.shift = nn.Parameter(torch.randn(MONOTONE_WIDTH) * 0.5)
        self.second = nn.Parameter(torch.randn(MONOTONE_WIDTH, num_bases) * 2 - 3)

    def forward(
        self, expression: Float[Tensor, "num_frames num_coefficients"]
    ) -> Float[Tensor, "num_frames num_bases"]:
        """Return the bases' weights."""
        raised = torch.tanh(expression @ nn.functional.softplus(self.first) + self.shift)
        return (raised - torch.tanh(self.shift)) @ nn.functional.softplus(self.second)


def make_basis_map(kind: BasisMapKind, num_coefficients: int, num_bases: int) -> nn.Module:
    """Build the map of that kind."""
    return {"linear": LinearBasisMap, "monotone": MonotoneBasisMap}[kind](num_coefficients, num_bases)
