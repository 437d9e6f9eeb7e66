"""Sliders of the expressions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import viser

from nerface_ns.tracks.name_matching import are_placeholders
from nerface_ns.viewer.panel_context import PanelContext, show_value
from nerface_ns.viewer.slider_specs import GROUPS, SliderSpec, shown_sliders, slider_label

MANY_SLIDERS = 64
"""From so many sliders on, or where they have no names, only those that vary most are shown at first."""
FIRST_SHOWN = 16
"""How many those are."""


class ExpressionControls:
    """A slider for each expression, in groups, with a search.

    Args:
        context: The panel.
        specs: The sliders.
        num_coefficients: Length of the expression vector.
    """

    def __init__(self, context: PanelContext, specs: Sequence[SliderSpec], num_coefficients: int) -> None:
        self._context, self._specs = context, specs
        gui = context.gui
        is_unnamed = are_placeholders([spec.name for spec in specs])
        num_first = FIRST_SHOWN if is_unnamed or len(specs) > MANY_SLIDERS else len(specs)
        self._find = gui.add_text("Find", "", hint="Parts of names, with spaces between; empty shows the usual ones")
        self._num_most = gui.add_slider(
            "How many",
            min=1,
            max=max(len(specs), 2),
            step=1,
            initial_value=max(min(num_first, len(specs)), 1),
            marks=(),
            visible=num_first < len(specs),
            hint="Shows those that vary most in training",
        )
        context.when_used(self._find, lambda _: self._filter())
        context.when_used(self._num_most, lambda _: self._filter())
        self._sliders: dict[int, Any] = {}
        for group in GROUPS:
            members = [spec for spec in specs if spec.group == group]
            if members:
                with nullcontext() if is_unnamed else gui.add_folder(group):
                    self._sliders.update({spec.index: self._add_slider(spec) for spec in members})
        if num_coefficients > len(specs):
            gui.add_markdown(f"{num_coefficients - len(specs)} expressions never move in training and have no slider.")
        self._filter()
        self.refresh()

    def _add_slider(self, spec: SliderSpec) -> Any:
        slider = self._context.gui.add_slider(
            slider_label(spec.name),
            min=spec.low,
            max=spec.high,
            step=spec.step,
            initial_value=self._in_range(spec, 0.0),
            marks=(),
        )
        self._context.when_used(slider, partial(self._move, spec.index))
        return slider

    def _move(self, index: int, _: viser.GuiEvent) -> None:
        self._context.driver.set_coefficient(index, float(self._sliders[index].value))

    def _filter(self) -> None:
        shown = shown_sliders(self._specs, self._find.value, int(self._num_most.value))
        for index, slider in self._sliders.items():
            slider.visible = index in shown

    @staticmethod
    def _in_range(spec: SliderSpec, value: float) -> float:
        return min(max(round(value / spec.step) * spec.step, spec.low), spec.high)

    def refresh(self) -> None:
        """Let the sliders follow what the face shows."""
        expression = self._context.driver.shown_expression
        for spec in self._specs:
            value = self._in_range(spec, float(expression[spec.index]))
            show_value(self._sliders[spec.index], value, tolerance=spec.step / 2)
