"""Data for avatars whose eyes follow gaze: gaze has to be there, and the expression may not say it a second time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
from jaxtyping import Int

from nerface_ns.data.face_frames import FaceFrames, FaceSequence
from nerface_ns.tracks.name_matching import canonical_name

GAZE_COEFFICIENTS = ("eyeLook*",)
"""ARKit's coefficients that gaze stands for, as trackers and ICT-FaceKit name them."""


def with_gaze_control(sequence: FaceSequence, patterns: Sequence[str]) -> FaceSequence:
    """Return a recording without the coefficients that gaze stands for.

    Args:
        sequence: The recording.
        patterns: Of these coefficients' names; names that are not known match none.

    Raises:
        ValueError: A split has no gaze, or no coefficient is left.
    """
    for frames in sequence.splits.values():
        if frames.gaze is None:
            raise ValueError(
                f"{frames.source}: expected a gaze (pitch, yaw in radians) in each frame, because this method's eyes "
                "follow it, found none; train another method, such as nerface, or track the video with nerface-track"
            )
    names = sequence.expression_names
    if names is None:
        return sequence
    kept = _kept_columns(names, patterns)
    if len(kept) == 0:
        raise ValueError(f"{sequence.root}: gaze_coefficients {list(patterns)}: expected to leave a coefficient, got 0")
    splits = {split: _with_columns(frames, kept) for split, frames in sequence.splits.items()}
    return replace(sequence, splits=splits, expression_names=tuple(names[column] for column in kept))


def _kept_columns(names: Sequence[str], patterns: Sequence[str]) -> Int[np.ndarray, " kept"]:
    lowered = [pattern.lower() for pattern in patterns]

    def is_kept(name: str) -> bool:
        """Whether a coefficient is not left to gaze."""
        spellings = name.lower(), canonical_name(name)
        return not any(fnmatchcase(spelling, pattern) for spelling in spellings for pattern in lowered)

    return np.array([column for column, name in enumerate(names) if is_kept(name)], dtype=np.int64)


def _with_columns(frames: FaceFrames, columns: Int[np.ndarray, " kept"]) -> FaceFrames:
    return replace(frames, expression=np.ascontiguousarray(frames.expression[:, columns]))
