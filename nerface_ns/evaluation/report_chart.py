"""Line charts as SVG text, without a plotting package."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 760, 220
"""Size of a chart in CSS pixels."""
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 28
"""Margins around the lines."""
COLOURS = ("#1b6ca8", "#c8452f", "#2f8f4e", "#8a5bb5", "#b07a18", "#3f7f8c", "#777777")
"""Of the lines, in their order."""
NUM_TICKS = 5
"""Lines of the vertical scale."""


def line_chart(lines: Mapping[str, Sequence[float | None]], unit: str) -> str:
    """Draw values over the frames' numbers, a line for each name; a value of None leaves a gap.

    Args:
        lines: Values by name, one per frame.
        unit: What they are, for the scale.

    Returns:
        An SVG element; empty without any value.
    """
    values = [value for line in lines.values() for value in line if value is not None]
    if not values:
        return ""
    low, high = min(values), max(values)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    count = max(len(line) for line in lines.values())

    def place(number: int, value: float) -> tuple[float, float]:
        """Return where a value is drawn."""
        x = LEFT + (WIDTH - LEFT - RIGHT) * number / max(count - 1, 1)
        return x, TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    for tick in range(NUM_TICKS):
        value = low + (high - low) * tick / (NUM_TICKS - 1)
        y = place(0, value)[1]
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">frame 0 to {count - 1}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">{html.escape(unit)}</text>')
    for number, line in enumerate(lines.values()):
        colour = COLOURS[number % len(COLOURS)]
        for run in _runs(line):
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(at, value) for at, value in run))
            parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}"/>')
    legend = "".join(
        f'<span><i style="background:{COLOURS[number % len(COLOURS)]}"></i>{html.escape(name)}</span>'
        for number, name in enumerate(lines)
    )
    return "".join(parts) + f'</svg><p class="legend">{legend}</p>'


def _runs(line: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Parts of a line without gaps."""
    runs: list[list[tuple[int, float]]] = [[]]
    for number, value in enumerate(line):
        if value is not None:
            runs[-1].append((number, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _short(value: float) -> str:
    digits = 1 if abs(value) >= 10 else max(1, 2 - math.floor(math.log10(abs(value)))) if value else 1
    return f"{value:.{min(digits, 6)}f}"
