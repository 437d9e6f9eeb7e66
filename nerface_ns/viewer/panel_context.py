"""What the sections of the viewer's panel share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import viser

from nerface_ns.viewer.face_driver import FaceDriver


@runtime_checkable
class PanelSection(Protocol):
    """A part of the panel."""

    def refresh(self) -> None:
        """Let the widgets follow the driver's state."""
        ...


@dataclass
class PanelContext:
    """What the sections of the panel share."""

    gui: viser.GuiApi
    """Where widgets are made."""
    driver: FaceDriver
    """What the widgets change."""
    names: tuple[str, ...]
    """Names of the coefficients for track files; empty where the data have none."""
    folder: Path
    """The run's folder, for what is saved."""
    refresh: Callable[[], None]
    """Lets all widgets follow the driver's state."""
    rerender: Callable[[], None]
    """Asks for a new picture."""
    tell: Callable[[str], None]
    """Shows a line at the panel's top."""

    def when_used(self, handle: Any, action: Callable[[viser.GuiEvent], None]) -> None:
        """Run an action when somebody uses a widget, and show the new picture; errors of files and values are told.

        Args:
            handle: A viser widget. What code sets on it (an event without a client) runs nothing.
            action: Changes the driver.
        """

        def respond(event: viser.GuiEvent) -> None:
            """Do what was asked, and tell of what went wrong."""
            if event.client_id is None:
                return
            try:
                action(event)
            except (ValueError, OSError) as error:
                self.tell(f"**Error:** {error}")
            self.refresh()
            self.rerender()

        for kind in ("on_click", "on_upload", "on_update"):
            if hasattr(handle, kind):
                getattr(handle, kind)(respond)
                return


def show_value(handle: Any, value: Any, tolerance: float = 0.0) -> None:
    """Set a widget unless it shows the value already, so that nothing is sent in vain."""
    shown = handle.value
    is_same = abs(shown - value) <= tolerance if isinstance(value, (int, float)) else shown == value
    if not is_same:
        handle.value = value
