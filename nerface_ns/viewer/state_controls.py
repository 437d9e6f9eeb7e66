"""Loads a state that `nerface-fit` wrote: expression, latent code, gaze, and where the camera stood."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import numpy as np
from jaxtyping import Float

from nerface_ns.model_components.run_fingerprint import run_fingerprint
from nerface_ns.tracks.fitted_state import FittedState, read_state
from nerface_ns.viewer.opening_view import FaceView, camera_view
from nerface_ns.viewer.panel_context import PanelContext


class StateControls:
    """A button for state files.

    Args:
        context: The panel.
        model: The avatar.
        center: Middle of the head.
        show: Puts a browser's camera to a view.
    """

    def __init__(
        self,
        context: PanelContext,
        model: Any,
        center: Float[np.ndarray, "3"],
        show: Callable[[Any, FaceView], None],
    ) -> None:
        self._context, self._model, self._center, self._show = context, model, center, show
        self._upload = context.gui.add_upload_button(
            "Load state", mime_type=".json", hint="What nerface-fit found in a photo: expression, code, gaze, camera"
        )
        context.when_used(self._upload, self._load)

    def _load(self, event: Any) -> None:
        uploaded = self._upload.value
        name = Path(uploaded.name).name
        with tempfile.TemporaryDirectory() as folder:
            received = Path(folder) / "state.json"
            received.write_bytes(uploaded.content)
            try:
                state = read_state(received)
                state.check_fits(tuple(self._model.expression_names), self._model.latent_codes.codes.shape[1])
            except ValueError as error:
                raise ValueError(str(error).replace(str(received), name)) from error
        shares = self._shares(state, name)
        self._context.driver.load_state(state.expression, state.latent_code, state.gaze, shares)
        if event.client is not None:
            self._show(event.client, state_view(state, self._center))
        words = f"Loaded {name}{f', fitted to {state.photo}' if state.photo else ''}."
        if state.run != run_fingerprint(self._model):
            words += " **It was fitted to another training**: its latent code may mean something else here."
        self._context.tell(words)

    def _shares(self, state: FittedState, name: str) -> Optional[tuple[float, ...]]:
        """A state's shares of the model's persons; None where it has none, or the model knows one person."""
        identities = self._model.identities
        if identities is None or not state.identity:
            return None
        unknown = [person for person in state.identity if person not in identities.names]
        if unknown:
            raise ValueError(f"{name}: expected persons among {', '.join(identities.names)}, got {unknown[0]}")
        return tuple(float(state.identity.get(person, 0.0)) for person in identities.names)


def state_view(state: FittedState, center: Float[np.ndarray, "3"]) -> FaceView:
    """Return the view of a state's camera.

    Args:
        state: The state.
        center: Middle of the head.
    """
    height, width = state.size
    return camera_view(state.camera_to_world, center, *state.focal_px, *state.center_px, float(width), float(height))
