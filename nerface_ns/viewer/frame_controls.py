"""Loads training frames, and blends two of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import viser

from nerface_ns.viewer.panel_context import PanelContext, show_value


class FrameControls:
    """Shows a training frame's expression with its latent code, and on request from its camera.

    Args:
        context: The panel.
        num_frames: Number of training frames.
        show_camera: Puts a browser's camera where a training camera stood.
    """

    def __init__(self, context: PanelContext, num_frames: int, show_camera: Callable[[Any, int], None]) -> None:
        self._context, self._show_camera = context, show_camera
        gui, last = context.gui, max(num_frames - 1, 1)
        self._frame = gui.add_slider(
            "Frame", min=0, max=last, step=1, initial_value=0, marks=(), hint="A training frame: expression and code"
        )
        self._other_frame = gui.add_slider("Blend with", min=0, max=last, step=1, initial_value=0, marks=())
        self._share = gui.add_slider("Share", min=0.0, max=1.0, step=0.01, initial_value=0.0, marks=())
        self._with_camera = gui.add_checkbox("Camera too", False, hint="Also go where the frame's camera stood")
        self._load = gui.add_button("Load frame")
        for handle in (self._frame, self._other_frame, self._share, self._load):
            context.when_used(handle, self._apply)

    def _apply(self, event: viser.GuiEvent) -> None:
        frame = int(self._frame.value)
        self._context.driver.load_frame(frame, int(self._other_frame.value), float(self._share.value))
        if self._with_camera.value and event.client is not None:
            self._show_camera(event.client, frame)

    def refresh(self) -> None:
        """Let the widgets follow the frames loaded last."""
        state = self._context.driver.state
        show_value(self._frame, state.frame)
        show_value(self._other_frame, state.other_frame)
        show_value(self._share, state.share, tolerance=0.005)
