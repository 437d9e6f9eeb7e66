"""Writes down what the viewer shows: one expression, or a track of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np
from jaxtyping import Float

from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.track_file import write_track

RECORDING_FRAMES_PER_S = 25.0
"""Frame rate of what is recorded in the viewer."""


class ExpressionRecorder:
    """Collects what is shown on an even grid of times.

    Args:
        names: Name of every coefficient.
        frames_per_s: Frame rate of the grid.
    """

    def __init__(self, names: Sequence[str], frames_per_s: float = RECORDING_FRAMES_PER_S) -> None:
        self._names = tuple(names)
        self._frames_per_s = frames_per_s
        self._start_s: Optional[float] = None
        self._expressions: list[np.ndarray] = []
        self._poses: list[np.ndarray] = []
        self._gazes: list[np.ndarray] = []

    @property
    def is_recording(self) -> bool:
        """Whether it runs."""
        return self._start_s is not None

    def start(self, now_s: float) -> None:
        """Begin a recording."""
        self._expressions, self._poses, self._gazes, self._start_s = [], [], [], now_s

    def sample(
        self,
        now_s: float,
        expression: Float[np.ndarray, "num_coefficients"],
        camera_to_world: Float[np.ndarray, "3 4"],
        gaze: Optional[Float[np.ndarray, "2"]] = None,
    ) -> None:
        """Tell what is shown now; frames of the grid since the last call show it too.

        Args:
            now_s: The clock that `start` was given.
            expression: Raw coefficients.
            camera_to_world: The browser's camera in the head's frame.
            gaze: Pitch and yaw in radians, of an avatar whose eyes follow them.
        """
        if self._start_s is None:
            return
        due = int((now_s - self._start_s) * self._frames_per_s) + 1
        for _ in range(due - len(self._expressions)):
            self._expressions.append(expression)
            self._poses.append(camera_to_world)
            if gaze is not None:
                self._gazes.append(gaze)

    def stop(self) -> ExpressionTrack:
        """End the recording and return it.

        Raises:
            ValueError: Nothing was shown meanwhile.
        """
        self._start_s = None
        if not self._expressions:
            raise ValueError("recording: expected at least one frame, got none")
        return ExpressionTrack(
            frames_per_s=self._frames_per_s,
            names=self._names,
            expression=np.stack(self._expressions),
            camera_to_world=np.stack(self._poses),
            gaze=np.stack(self._gazes) if self._gazes else None,
            source="viewer",
        )


def save_expression(
    path: Path,
    names: Sequence[str],
    expression: Float[np.ndarray, "num_coefficients"],
    gaze: Optional[Float[np.ndarray, "2"]] = None,
) -> None:
    """Write one expression as a track of one frame, which every command that takes a track can read."""
    track = ExpressionTrack(
        frames_per_s=RECORDING_FRAMES_PER_S,
        names=tuple(names),
        expression=expression[None],
        gaze=None if gaze is None else gaze[None],
        source="viewer",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_track(path, track)


def free_path(folder: Path, stem: str, suffix: str = ".json") -> Path:
    """Return the first path "stem_001", "stem_002", ... in a folder that is not taken."""
    number = 1
    while (path := folder / f"{stem}_{number:03d}{suffix}").exists():
        number += 1
    return path
