"""What a model has seen of each coefficient, and how far an expression is outside."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def soft_clamp(
    expression: Float[np.ndarray, "num_frames num_coefficients"],
    low: Float[np.ndarray, " num_coefficients"],
    high: Float[np.ndarray, " num_coefficients"],
    margin: float = 0.1,
) -> Float[np.ndarray, "num_frames num_coefficients"]:
    """Bring coefficients into [low - m, high + m], where m is `margin` times the range's width.

    Inside [low, high] they stay as they are. A coefficient that is d beyond an end comes to m tanh(d / m) beyond it: a
    rising function with a slope of 1 at the end of the range, which it so leaves without a kink.
    """
    limit = margin * (high - low)
    # With no margin, or for a coefficient that never moved, nothing beyond the range is left.
    unit = np.where(limit > 0, limit, 1.0)
    over, under = (expression - high).clip(min=0), (low - expression).clip(min=0)
    beyond = np.where(limit > 0, limit * np.tanh(over / unit) - limit * np.tanh(under / unit), 0.0)
    return (expression.clip(low, high) + beyond).clip(low - limit, high + limit)


def extrapolation(
    expression: Float[np.ndarray, "num_frames num_coefficients"],
    low: Float[np.ndarray, " num_coefficients"],
    high: Float[np.ndarray, " num_coefficients"],
) -> Float[np.ndarray, "num_frames num_coefficients"]:
    """Return how far coefficients are outside [low, high], as a share of that range's width; 0 inside.

    A coefficient that never moved in training has no width of its own; it is measured by the average of the others, or
    where none moved by 1.
    """
    width = high - low
    moved = width > 0
    usual = float(width[moved].mean()) if moved.any() else 1.0
    outside = np.maximum(expression - high, low - expression).clip(min=0)
    return outside / np.where(moved, width, usual)
