"""Which sliders a face gets: one for each expression that moves in training, grouped by where it is on the face."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

GROUP_WORDS = {
    "Brows": ("brow",),
    "Eyes": ("eye", "blink", "squint", "lid", "gaze", "look"),
    "Jaw": ("jaw", "chin"),
    "Mouth": ("mouth", "lip", "smile", "frown", "pucker", "funnel", "dimple", "tongue", "viseme"),
}
"""Words that put a name into a group; the first group that has one of them wins ("eyebrow" is a brow)."""
OTHER = "Other"
"""Group of all other names."""
GROUPS = ("Jaw", "Mouth", "Eyes", "Brows", OTHER)
"""All groups, in the panel's order."""
LONGEST_LABEL_WORD = 10
"""Letters that fit beside a slider; longer labels may break before a capital."""


@dataclass(frozen=True)
class SliderSpec:
    """Slider of one coefficient."""

    index: int
    """Place in the expression vector."""
    name: str
    """The dataset's name."""
    group: str
    """One of `GROUPS`."""
    low: float
    """Lower end: what the model still tells apart."""
    high: float
    """Upper end."""
    step: float
    """Step of the slider, a power of ten."""
    spread: float
    """Standard deviation in training."""


def expression_group(name: str) -> str:
    """Return the group of an expression by its name."""
    lowered = name.lower()
    for group, words in GROUP_WORDS.items():
        if any(word in lowered for word in words):
            return group
    return OTHER


def slider_specs(
    names: Sequence[str], train_expression: Float[np.ndarray, "num_frames num_coefficients"], margin: float
) -> tuple[SliderSpec, ...]:
    """Return the sliders of a face, in the dataset's order.

    Args:
        names: Name of every coefficient.
        train_expression: Raw coefficients of the training frames.
        margin: Share of the trained range that a slider reaches beyond it at both ends.

    Returns:
        A slider for each coefficient that differs between training frames: the others move nothing.
    """
    low, high = train_expression.min(axis=0), train_expression.max(axis=0)
    spread, width = train_expression.std(axis=0), high - low
    return tuple(
        SliderSpec(
            index=index,
            name=name,
            group=expression_group(name),
            low=float(low[index] - margin * width[index]),
            high=float(high[index] + margin * width[index]),
            step=float(10.0 ** np.floor(np.log10(width[index] / 50))),
            spread=float(spread[index]),
        )
        for index, name in enumerate(names)
        if width[index] > 1e-9
    )


def shown_sliders(specs: Sequence[SliderSpec], search: str, num_most: int) -> set[int]:
    """Choose the sliders to show.

    Args:
        specs: All sliders.
        search: Part of a name, in any case, or several parts with spaces between; empty asks for none by name.
        num_most: Without a search, how many of those that vary most in training to show.

    Returns:
        Places in the expression vector.
    """
    words = search.lower().split()
    if words:
        return {spec.index for spec in specs if any(word in spec.name.lower() for word in words)}
    by_spread = sorted(specs, key=lambda spec: -spec.spread)
    return {spec.index for spec in by_spread[:num_most]}


def slider_label(name: str) -> str:
    """Let a long name break before its capitals and after underscores, by spaces of no width."""
    if len(name) <= LONGEST_LABEL_WORD:
        return name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=_)", "\u200b", name)
