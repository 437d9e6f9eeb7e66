"""From frames at any times to a fixed number of frames a second."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import numpy as np
from jaxtyping import Float

from nerface_ns.tracks.expression_track import MAX_FRAMES_PER_S, ExpressionTrack

JITTER = 0.25
"""Share of a step by which frames may be late or early and still count as evenly spaced."""
SNAP = 0.005
"""A rate this close to a whole number, relatively, is that number."""
MAX_FILL = 20
"""Most frames that gaps may be filled with, for every frame that is there."""
MAX_TIME_S = 1e9
"""Largest time that is taken for one: thirty years."""


def evenly_timed(
    track: ExpressionTrack, times_s: Optional[Float[np.ndarray, " num_frames"]], source: str
) -> ExpressionTrack:
    """Give a track whose frames lie at `times_s` an even step, the median of its steps.

    Where all frames are about whole steps apart they stay as they are and gaps between them are filled by
    interpolation; otherwise every frame is interpolated.

    Args:
        track: The frames, under any rate; its source names them in errors.
        times_s: Time of each frame in seconds, rising; None leaves the track as it is.
        source: Source of the result.

    Raises:
        ValueError: Times that do not rise or are too far apart.
    """
    where = track.source
    if times_s is None or len(times_s) == 1:
        return replace(track, source=source)
    for frame in np.flatnonzero(~(np.abs(times_s) <= MAX_TIME_S))[:1].tolist():
        raise ValueError(f"{where}: frame {frame}: expected a finite time in seconds, got {times_s[frame]:g}")
    steps = np.diff(times_s)
    for frame in np.flatnonzero(steps <= 0)[:1].tolist():
        raise ValueError(
            f"{where}: frame {frame + 1}: expected a time after that of the frame before, {times_s[frame]:g} s, "
            f"got {times_s[frame + 1]:g} s"
        )
    step = float(np.median(steps))
    rate = 1 / step
    if not rate <= MAX_FRAMES_PER_S * (1 + SNAP):
        raise ValueError(f"{where}: expected at most {MAX_FRAMES_PER_S:g} frames per second, got {rate:g}")
    counts = (steps / step).round()
    are_whole = bool((counts >= 1).all() and (np.abs(steps / step - counts) < JITTER).all())
    positions = np.concatenate([[0.0], np.cumsum(counts if are_whole else steps / step)])
    if not positions[-1] <= MAX_FILL * len(track):
        frame = int(steps.argmax())
        raise ValueError(
            f"{where}: frame {frame + 1}: expected frames about {step:g} s apart, got {steps[frame]:g} s "
            "after the frame before; trim the file to one take"
        )
    if are_whole:
        rate = float(positions[-1] / (times_s[-1] - times_s[0]))
    rate = float(round(rate)) if round(rate) >= 1 and abs(rate / round(rate) - 1) < SNAP else rate
    # Row numbers at even times; between two frames they grow evenly, as time does.
    rows = np.interp(np.arange(int(positions[-1] + JITTER) + 1), positions, np.arange(len(track)))
    return replace(track.at(rows / track.frames_per_s), frames_per_s=rate, video_start_s=0.0, source=source)
