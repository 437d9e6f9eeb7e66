"""The browser's own camera, and how fine pictures are while something moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nerface_ns.viewer.panel_context import PanelContext


class ViewControls:
    """Takes a browser back to where its page opened, and trades rate for resolution.

    Args:
        context: The panel.
        first_rate: Pictures a second to start with.
        show_face: Puts a browser's camera before the face.
        set_rate: Sets the pictures a second that are aimed at while something moves.
    """

    def __init__(
        self,
        context: PanelContext,
        first_rate: int,
        show_face: Callable[[Any], None],
        set_rate: Callable[[float], None],
    ) -> None:
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
        context.when_used(opening, lambda event: show_face(event.client))
        context.when_used(rate, lambda _: set_rate(float(rate.value)))
