"""Whom the face shows, where the model knows several persons: one of them, or a mixture of two."""

from __future__ import annotations

from typing import Optional

import numpy as np

from nerface_ns.viewer.panel_context import PanelContext, show_value

AS_RECORDED = "as recorded"
"""Whose recording it is at the time of the time slider."""


class IdentityControls:
    """A choice of two persons, and how far the face is from the first to the second.

    Args:
        context: The panel.
        names: The persons.
    """

    def __init__(self, context: PanelContext, names: tuple[str, ...]) -> None:
        self._context, self._names = context, names
        gui = context.gui
        self._person = gui.add_dropdown(
            "Person", options=(AS_RECORDED, *names), initial_value=AS_RECORDED, hint="As recorded: by the time slider"
        )
        self._other = gui.add_dropdown("Towards", options=names, initial_value=names[-1], visible=False)
        self._share = gui.add_slider("Morph", min=0.0, max=1.0, step=0.01, initial_value=0.0, marks=(), visible=False)
        for handle in (self._person, self._other, self._share):
            context.when_used(handle, lambda _: self._apply())

    def _apply(self) -> None:
        if self._person.value == AS_RECORDED:
            return self._context.driver.change(shares=None)
        shares = np.zeros(len(self._names))
        shares[self._names.index(self._person.value)] += 1 - float(self._share.value)
        shares[self._names.index(self._other.value)] += float(self._share.value)
        self._context.driver.change(shares=tuple(shares.tolist()))

    def refresh(self) -> None:
        """Let the widgets follow the state; a loaded frame or state is somebody's."""
        shares: Optional[tuple[float, ...]] = self._context.driver.state.shares
        self._other.visible = self._share.visible = shares is not None
        if shares is None:
            show_value(self._person, AS_RECORDED)
            return
        first = self._names.index(self._person.value) if self._person.value in self._names else -1
        second = self._names.index(self._other.value)
        shown = {person for person, share in enumerate(shares) if share > 0}
        if first >= 0 and shown <= {first, second}:
            show_value(self._share, 0.0 if first == second else shares[second], tolerance=0.005)
            return
        order = np.argsort(shares)[::-1]
        show_value(self._person, self._names[order[0]])
        show_value(self._other, self._names[order[1]])
        show_value(self._share, float(shares[order[1]]), tolerance=0.005)
