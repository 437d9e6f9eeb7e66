"""Carries a live driver's expressions over to the avatar."""

from __future__ import annotations

from collections import deque
from typing import Optional

import numpy as np

from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.retargeting import Retargeter, RetargetingConfig, RetargetingTarget
from nerface_ns.viewer.face_driver import FaceDriver
from nerface_ns.viewer.live_source import LiveFrame, LiveSource

NEUTRAL_FRAMES = 30
"""Last frames whose mean becomes the driver's face at rest."""


class LiveDrive:
    """Retargets every frame of a source, by names where both sides have them.

    Args:
        driver: What shows the result.
        source: Where frames come from.
        target: The avatar.
        config: How to carry over. Both people's ranges are scaled where the driver's is known, as a track's is.
    """

    def __init__(
        self, driver: FaceDriver, source: LiveSource, target: RetargetingTarget, config: RetargetingConfig
    ) -> None:
        self._driver, self._source, self._target, self._config = driver, source, target, config
        self._retargeter: Optional[Retargeter] = None
        self._names: Optional[tuple[str, ...]] = None
        self._recent: deque[np.ndarray] = deque(maxlen=NEUTRAL_FRAMES)
        self.message = ""
        """What is wrong with the frames or worth knowing; empty if nothing."""
        self._has_news = False

    def start(self) -> None:
        """Let the source begin.

        Raises:
            ValueError: It cannot.
        """
        self._source.start(self.receive)

    def take_news(self) -> bool:
        """Tell whether a frame came since the last call."""
        had_news, self._has_news = self._has_news, False
        return had_news

    def report(self) -> str:
        """Return a line on the source."""
        return self._source.report()

    def receive(self, frame: LiveFrame) -> None:
        """Show a frame; one that cannot be carried over is left out, and `message` says why."""
        try:
            if self._retargeter is None or frame.names != self._names:
                self._recent.clear()
                self._names = frame.names
                self._calibrate(np.zeros_like(frame.expression))
            assert self._retargeter is not None
            result = self._retargeter(frame.expression[None])
        except ValueError as error:
            self.message = str(error)
            return
        self._recent.append(frame.expression)
        self._driver.live_expression, self._driver.live_gaze = result.expression[0], frame.gaze
        self.message = " ".join(self._retargeter.warnings)
        self._has_news = True

    def calibrate_neutral(self) -> None:
        """Take the mean of the last frames for the driver's face at rest.

        Raises:
            ValueError: No frame has come yet.
        """
        if not self._recent:
            raise ValueError("live: expected a frame before the face at rest can be taken, got none yet")
        self._calibrate(np.mean(list(self._recent), axis=0))

    def _calibrate(self, neutral: np.ndarray) -> None:
        """Carry over from now on by this face at rest; a driver known beforehand keeps its own until it is asked."""
        known, names = self._source.calibration, self._names or ()
        if known is not None and not self._recent:
            self._retargeter = Retargeter(known, self._target, self._config)
        else:
            expression = neutral[None] if known is None else known.expression
            track = ExpressionTrack(
                frames_per_s=1.0, names=names, expression=expression, neutral=neutral, source="live"
            )
            self._retargeter = Retargeter(track, self._target, self._config)
