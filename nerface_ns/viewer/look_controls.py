"""Latent code, background, and the file of one expression."""

from __future__ import annotations

from typing import get_args

from nerface_ns.viewer.expression_recorder import free_path, save_expression
from nerface_ns.viewer.face_driver import CodeKind
from nerface_ns.viewer.panel_context import PanelContext, show_value

RECORDED, COLOUR = "recorded", "colour"


class LookControls:
    """What else the pictures depend on, and how to keep an expression.

    Args:
        context: The panel.
        code_length: Length of a latent code; the choice of codes is left out for 0.
        code_protocol: The model's own rule for frames it was not trained on.
    """

    def __init__(self, context: PanelContext, code_length: int, code_protocol: str) -> None:
        self._context = context
        gui = context.gui
        self._code = gui.add_dropdown(
            "Latent code",
            options=get_args(CodeKind),
            initial_value="as evaluated",
            visible=code_length > 0,
            hint=f"'as evaluated' is the model's rule for new frames: {code_protocol}",
        )
        self._background = gui.add_dropdown("Background", options=(RECORDED, COLOUR), initial_value=RECORDED)
        self._colour = gui.add_rgb("Colour", initial_value=(255, 255, 255), visible=False)
        self._save = gui.add_button("Save expression")
        context.when_used(self._code, lambda _: context.driver.change(code=self._code.value))
        context.when_used(self._background, lambda _: self._choose_background())
        context.when_used(self._colour, lambda _: self._choose_background())
        context.when_used(self._save, lambda _: self._save_expression())

    def _choose_background(self) -> None:
        is_colour = self._background.value == COLOUR
        self._colour.visible = is_colour
        red, green, blue = (channel / 255 for channel in self._colour.value)
        self._context.driver.change(background=(red, green, blue) if is_colour else None)

    def _save_expression(self) -> None:
        path = free_path(self._context.folder / "expressions", "expression")
        driver = self._context.driver
        save_expression(path, self._context.names, driver.shown_expression, driver.shown_gaze)
        self._context.tell(f"Saved {path}")

    def refresh(self) -> None:
        """Let the widgets follow the state; loading a frame changes the code."""
        show_value(self._code, self._context.driver.state.code)
