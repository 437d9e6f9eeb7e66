"""Sliders of the gaze, and eyes that follow the viewer."""

from __future__ import annotations

import math
from typing import Any

from nerface_ns.viewer.gaze_source import GazeSource
from nerface_ns.viewer.panel_context import PanelContext, show_value

STEP_DEG = 0.5
"""Step of the sliders."""


class GazeControls:
    """Two sliders in degrees, and a box to tick.

    Args:
        context: The panel.
        gaze: The avatar's.
    """

    def __init__(self, context: PanelContext, gaze: GazeSource) -> None:
        self._context = context
        self._ends = [_slider_ends(float(low), float(high)) for low, high in zip(*gaze.range_deg)]
        with context.gui.add_folder("Gaze"):
            self._sliders = [self._add_slider(*named) for named in zip(("Up (deg)", "Aside (deg)"), self._ends)]
            self._follow = context.gui.add_checkbox(
                "Eyes follow the viewer", False, hint="They look at the camera, as far as was trained"
            )
        context.when_used(self._follow, lambda _: context.driver.change(eyes_follow=bool(self._follow.value)))
        self.refresh()

    def _add_slider(self, label: str, ends: tuple[float, float]) -> Any:
        start = min(max(0.0, ends[0]), ends[1])
        slider = self._context.gui.add_slider(
            label, min=ends[0], max=ends[1], step=STEP_DEG, initial_value=start, marks=()
        )
        self._context.when_used(slider, lambda _: self._look())
        return slider

    def _look(self) -> None:
        pitch, yaw = (math.radians(slider.value) for slider in self._sliders)
        self._context.driver.set_gaze(pitch, yaw)

    def refresh(self) -> None:
        """Let the sliders follow where the face looks."""
        driver = self._context.driver
        shown = driver.shown_gaze
        assert shown is not None
        for slider, (low, high), angle in zip(self._sliders, self._ends, shown):
            value = min(max(round(math.degrees(angle) / STEP_DEG) * STEP_DEG, low), high)
            show_value(slider, value, tolerance=STEP_DEG / 2)
        show_value(self._follow, driver.state.eyes_follow)


def _slider_ends(low: float, high: float) -> tuple[float, float]:
    """Return whole steps round a range, at least two apart."""
    low, high = math.floor(low / STEP_DEG) * STEP_DEG, math.ceil(high / STEP_DEG) * STEP_DEG
    return (low, high) if low < high else (low - STEP_DEG, high + STEP_DEG)
