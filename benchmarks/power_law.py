"""How something grows: the exponent of a power law, and a picture of the points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np


def fit_power_law(values: Sequence[float], results: Sequence[float]) -> dict[str, float]:
    """Fit results = factor * values ** exponent by least squares of the logarithms.

    Raises:
        ValueError: There are fewer than two different values, or something is not positive.
    """
    if len(set(values)) < 2 or min(*values, *results) <= 0:
        raise ValueError(f"power law: expected positive numbers at two values or more, got {values} and {results}")
    exponent, intercept = np.polyfit(np.log(values), np.log(results), 1)
    return {"exponent": float(exponent), "factor": float(np.exp(intercept))}


def plot_power_laws(
    path: Path, sweeps: Mapping[str, Sequence[tuple[float, float]]], exponents: Mapping[str, float], label: str
) -> None:
    """Draw a panel for each sweep, both axes logarithmic.

    Args:
        path: PNG file.
        sweeps: Pairs of value and result by the name of what is varied.
        exponents: Of the fits.
        label: Of the results.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(sweeps), figsize=(3.2 * len(sweeps), 3), squeeze=False)
    for panel, (name, points) in zip(panels[0], sweeps.items()):
        values, results = zip(*points)
        panel.loglog(values, results, "o-")
        panel.set_ylim(0.4 * min(results), 2.5 * max(results))
        panel.set_xticks(values, [f"{value:g}" for value in values])
        panel.set_xticks([], minor=True)
        panel.set_xlabel(name)
        panel.set_title(f"exponent {exponents[name]:.2f}", fontsize=10)
    panels[0][0].set_ylabel(label)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
