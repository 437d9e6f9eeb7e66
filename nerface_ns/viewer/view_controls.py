"""The browser's own camera, and how fine pictures are where and while something moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nerface_ns.model_components.foveation import FoveationConfig
from nerface_ns.viewer.panel_context import PanelContext

MOST_SHARP = 0.5
"""End of the slider of the sharp part's radius, in lengths of the scene box: from there on all is sharp."""


class ViewControls:
    """Takes a browser back to where its page opened, and trades rate for resolution.

    Args:
        context: The panel.
        first_rate: Pictures a second to start with.
        show_face: Puts a browser's camera before the face.
        set_rate: Sets the pictures a second that are aimed at while something moves.
        foveation: The model's, to change.
    """

    def __init__(
        self,
        context: PanelContext,
        first_rate: int,
        show_face: Callable[[Any], None],
        set_rate: Callable[[float], None],
        foveation: FoveationConfig,
    ) -> None:
        self._foveation = foveation
        opening = context.gui.add_button("Opening view", hint="Back before the face, as the page opened")
        rate = context.gui.add_slider(
            "Picture rate",
            min=1,
            max=30,
            step=1,
            initial_value=first_rate,
            marks=(),
            hint="Pictures a second while something moves: fewer are finer",
        )
        self._sharp = context.gui.add_slider(
            "Sharp radius",
            min=0.05,
            max=MOST_SHARP,
            step=0.05,
            initial_value=min(foveation.radius, MOST_SHARP) if foveation.radius > 0 else MOST_SHARP,
            marks=(),
            hint="Only so much round the face is rendered pixel by pixel, which is quicker; at the right end all is",
        )
        context.when_used(self._sharp, lambda _: self._set_sharp())
        context.when_used(opening, lambda event: show_face(event.client))
        context.when_used(rate, lambda _: set_rate(float(rate.value)))

    def _set_sharp(self) -> None:
        radius = float(self._sharp.value)
        self._foveation.radius = radius if radius < MOST_SHARP else 0.0
