"""The gaze at which something fits best: a grid, then damped Gauss-Newton steps from its best places, all at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

GRID_DEG = 5.0
"""Step of the gazes that are tried first."""
STARTS = 3
"""Best gazes of the grid from which steps are taken."""
STEPS = 25
"""Steps at most."""
PROBE_RAD = 1e-4
"""Turn that gives the derivatives."""
FINISHED_RAD = 1e-5
"""Step after which the search ends."""


def refined_gaze(
    missing: Callable[[np.ndarray], np.ndarray], low: Float[np.ndarray, "2"], high: Float[np.ndarray, "2"]
) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, " pixels"], Float[np.ndarray, "2 pixels"]]:
    """Find the gaze between bounds with the least sum of sqrt(1 + error^2) - 1.

    Args:
        missing: Gives the errors (..., pixels) at gazes (..., 2), 1 where they begin to count less.
        low, high: Bounds of pitch and yaw, radians.

    Returns:
        The gaze, its errors, and their derivatives by pitch and yaw.
    """
    probes = PROBE_RAD * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])[:, None]
    grid = _grid(low, high)
    gaze = grid[np.argsort(_cost(missing(grid)))[:STARTS]]
    damping = np.full(len(gaze), 1e-3)
    values = missing(gaze + probes)
    cost = _cost(values[0])
    for _ in range(STEPS):
        error, slopes = values[0], (values[1:] - values[0]) / PROBE_RAD
        weight = 1 / np.sqrt(1 + error**2)
        matrix = np.einsum("asp,bsp,sp->sab", slopes, slopes, weight)
        pull = np.einsum("asp,sp,sp->sa", slopes, error, weight)
        ridge = damping * np.trace(matrix, axis1=1, axis2=2) + 1e-9
        step = -np.linalg.solve(matrix + ridge[:, None, None] * np.eye(2), pull[..., None])[..., 0]
        tried = (gaze + step).clip(low, high)
        tried_values = missing(tried + probes)
        tried_cost = _cost(tried_values[0])
        is_better = tried_cost < cost
        moved = np.abs(tried - gaze).max()
        gaze = np.where(is_better[:, None], tried, gaze)
        values = np.where(is_better[:, None], tried_values, values)
        cost = np.where(is_better, tried_cost, cost)
        damping = (damping * np.where(is_better, 0.2, 5.0)).clip(1e-6, 1e4)
        if moved < FINISHED_RAD:
            break
    best = int(cost.argmin())
    return gaze[best], values[0, best], (values[1:, best] - values[0, best]) / PROBE_RAD


def _cost(error: np.ndarray) -> np.ndarray:
    return (np.sqrt(1 + error**2) - 1).sum(axis=-1)


def _grid(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(n, 2) gazes between bounds."""
    steps = np.ceil(np.rad2deg(high - low) / GRID_DEG).astype(int) + 1
    axes = [np.linspace(least, most, count + 2)[1:-1] for least, most, count in zip(low, high, steps)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
