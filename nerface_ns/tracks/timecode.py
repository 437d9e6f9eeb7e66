"""Seconds from timecodes of hours, minutes, seconds and frames."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

TIMECODE_RATES = (60, 30, 24, 25, 48, 50, 120)
"""Frames that a second of timecode may have; where several fit equally well, the first (the app's default is 60)."""
_TIMECODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:\.\d{1,9})?)", re.ASCII)
DAY_S = 86400.0


def timecode_seconds(where: str, timecodes: Sequence[str]) -> Float[np.ndarray, " num_frames"]:
    """Convert timecodes HH:MM:SS:FF or HH:MM:SS:FF.fraction to seconds since midnight; they may run past it once.

    How many frames a second of timecode has is not written down. It is the rate that leaves the frames most evenly
    spaced over the turns of the seconds.

    Raises:
        ValueError: Something else than a timecode.
    """
    fields = np.empty((len(timecodes), 4))
    for frame, text in enumerate(timecodes):
        found = _TIMECODE.fullmatch(text)
        if found is None or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3]) > 59:
            raise ValueError(f"{where}: frame {frame}: expected a timecode like 13:05:59:29.97, got {text[:60]!r}")
        fields[frame] = [float(part) for part in found.groups()]
    seconds = fields[:, :3] @ np.array([3600.0, 60.0, 1.0])
    possible = [rate for rate in TIMECODE_RATES if fields[:, 3].max() < rate]
    if not possible:
        frame = int(fields[:, 3].argmax())
        raise ValueError(
            f"{where}: frame {frame}: expected frames below {max(TIMECODE_RATES)} in the timecode, "
            f"got {timecodes[frame]!r}"
        )
    candidates = [_unwrapped(seconds + fields[:, 3] / rate) for rate in possible]
    return min(candidates, key=_unevenness)


def _unwrapped(seconds: np.ndarray) -> np.ndarray:
    """Times that go on rising past midnight."""
    back = np.diff(seconds, prepend=seconds[0]) < -DAY_S / 2
    return seconds + DAY_S * np.cumsum(back)


def _unevenness(seconds: np.ndarray) -> float:
    """How far steps are from their median, relative to it; rounded, so that equally good ones tie."""
    steps = np.diff(seconds)
    if len(steps) == 0:
        return 0.0
    step = max(float(np.median(np.abs(steps))), 1e-6)
    return round(float(np.abs(steps / step - 1).mean()), 6)
