"""Plays a track of expressions: where it is now, and what the face shows there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class PlayedTrack:
    """Expressions along time, as the avatar takes them."""

    name: str
    """What the panel calls it."""
    times_s: Float[np.ndarray, "num_frames"]
    """Rising, from 0."""
    expression: Float[np.ndarray, "num_frames num_coefficients"]
    """Raw coefficients."""
    gaze: Optional[Float[np.ndarray, "num_frames 2"]] = None
    """Pitch and yaw in radians, where the track has them."""

    @property
    def duration_s(self) -> float:
        """Time of the last frame."""
        return float(self.times_s[-1])

    def at(self, time_s: float) -> Float[np.ndarray, "num_coefficients"]:
        """Return the expression at a time, linear between frames, still before the first and after the last."""
        return self._between(self.expression, time_s)

    def gaze_at(self, time_s: float) -> Optional[Float[np.ndarray, "2"]]:
        """Return the gaze at a time likewise; None where the track has none."""
        return None if self.gaze is None else self._between(self.gaze, time_s)

    def _between(self, rows: np.ndarray, time_s: float) -> np.ndarray:
        after = int(np.clip(np.searchsorted(self.times_s, time_s), 1, max(len(self.times_s) - 1, 1)))
        if len(self.times_s) == 1:
            return rows[0]
        before = after - 1
        share = (time_s - self.times_s[before]) / max(self.times_s[after] - self.times_s[before], 1e-12)
        share = float(np.clip(share, 0, 1))
        return (1 - share) * rows[before] + share * rows[after]


class TrackPlayer:
    """A tape deck: play, pause, speed, seek; it starts over at the end.

    Args:
        track: What to play at first.
        clock: Gives seconds that never fall.
    """

    def __init__(self, track: PlayedTrack, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._track = track
        self._speed = 1.0
        # Where the tape was when the clock showed so much; None stands still. Replaced whole, so that the render
        # thread never sees half a change.
        self._started: tuple[float, float | None] = (0.0, None)

    @property
    def track(self) -> PlayedTrack:
        """What is in the deck."""
        return self._track

    @property
    def is_playing(self) -> bool:
        """Whether the tape moves."""
        return self._started[1] is not None

    @property
    def speed(self) -> float:
        """Seconds of the track per second of the clock."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        """Change the speed; the position stays."""
        position_s = self.position_s
        self._speed = speed
        self.seek(position_s)

    @property
    def position_s(self) -> float:
        """Place on the track."""
        position_s, since = self._started
        if since is None:
            return position_s
        position_s += self._speed * (self._clock() - since)
        duration_s = self._track.duration_s
        return position_s % duration_s if duration_s > 0 else 0.0

    @property
    def expression(self) -> Float[np.ndarray, "num_coefficients"]:
        """What the track shows now."""
        return self._track.at(self.position_s)

    @property
    def gaze(self) -> Optional[Float[np.ndarray, "2"]]:
        """Where the track looks now; None where it does not say."""
        return self._track.gaze_at(self.position_s)

    def play(self) -> None:
        """Go on from where it stands."""
        self._started = (self.position_s, self._clock())

    def pause(self) -> None:
        """Stop here."""
        self._started = (self.position_s, None)

    def seek(self, position_s: float) -> None:
        """Go to a place on the track, playing on if it played."""
        position_s = min(max(position_s, 0.0), self._track.duration_s)
        self._started = (position_s, self._clock() if self.is_playing else None)

    def load(self, track: PlayedTrack) -> None:
        """Put in another track, at its start; it plays on if it played."""
        was_playing = self.is_playing
        self._started = (0.0, None)
        self._track = track
        if was_playing:
            self.play()
