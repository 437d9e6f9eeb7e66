"""Where live expressions come from: the protocol, and a track file that plays as if it were live."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from nerface_ns.tracks.expression_track import ExpressionTrack


@dataclass(frozen=True)
class LiveFrame:
    """One frame of a driver."""

    names: tuple[str, ...]
    """Names of the coefficients; empty where the driver's tracker has none."""
    expression: Float[np.ndarray, "num_coefficients"]
    """Raw coefficients."""
    gaze: Optional[Float[np.ndarray, "2"]] = None
    """Pitch and yaw in radians, where the driver's tracker knows them."""


@runtime_checkable
class LiveSource(Protocol):
    """Gives frames on a thread of its own."""

    calibration: Optional[ExpressionTrack]
    """What is known of the driver beforehand; None starts from a face at rest at zero."""

    def start(self, receive: Callable[[LiveFrame], None]) -> None:
        """Begin to give frames.

        Raises:
            ValueError: It cannot.
        """
        ...

    def stop(self) -> None:
        """Give no more frames."""
        ...

    def report(self) -> str:
        """Return a line on what came so far."""
        ...


class TrackSource:
    """Plays a track over and over.

    Args:
        track: What to play.
        speed: Seconds of the track per second.
    """

    def __init__(self, track: ExpressionTrack, speed: float = 1.0) -> None:
        self.calibration: Optional[ExpressionTrack] = track
        self._track, self._speed = track, speed
        self._stopped = threading.Event()
        self._num_given = 0

    def start(self, receive: Callable[[LiveFrame], None]) -> None:
        """Begin to play."""
        threading.Thread(target=self._play, args=(receive,), daemon=True).start()

    def stop(self) -> None:
        """End the playing."""
        self._stopped.set()

    def report(self) -> str:
        """Return how many frames were played."""
        return f"{self._track.source or 'track'}: {self._num_given} frames"

    def _play(self, receive: Callable[[LiveFrame], None]) -> None:
        frames_per_s = self._track.frames_per_s * self._speed
        start_s = time.monotonic()
        while not self._stopped.is_set():
            index = int((time.monotonic() - start_s) * frames_per_s)
            row, gaze = index % len(self._track), self._track.gaze
            receive(LiveFrame(self._track.names, self._track.expression[row], None if gaze is None else gaze[row]))
            self._num_given += 1
            self._stopped.wait(max(start_s + (index + 1) / frames_per_s - time.monotonic(), 0))
