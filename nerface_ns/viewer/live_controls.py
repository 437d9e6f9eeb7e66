"""Shows a live source's state, and takes the driver's face at rest."""

from __future__ import annotations

from nerface_ns.viewer.live_drive import LiveDrive
from nerface_ns.viewer.panel_context import PanelContext


class LiveControls:
    """What came from the live source, and a button for the driver to press with a face at rest.

    Args:
        context: The panel.
        live: The source's way to the avatar.
    """

    def __init__(self, context: PanelContext, live: LiveDrive) -> None:
        self._live = live
        self._report = context.gui.add_markdown(live.report())
        self._neutral = context.gui.add_button("My face is at rest", hint="Takes the last second as neutral")
        context.when_used(self._neutral, lambda _: live.calibrate_neutral())

    def refresh(self) -> None:
        """Show what came so far."""
        text = f"{self._live.report()}  \n{self._live.message}"
        if text != self._report.content:
            self._report.content = text
