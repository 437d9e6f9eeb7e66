"""How a recording is cut into splits, and where each split's frames stand along it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

VAL_STRIDE = 70
"""Steps between the test frames on which NeRFBlendShape's code validates."""


def recorded_times(names: dict[str, list[str]], extra: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Positions of frames along the recorded track, in [0, 1].

    Frames are in order of the number their name ends in when those numbers tell all frames of all splits apart;
    otherwise the splits follow each other as given. A frame of an extra split, which is no part of the recording,
    stands where the frame of the same number does, or at its share of the extra split's length.

    Args:
        names: Frame names by split.
        extra: Splits that are no part of the recording.
    """
    track = [(split, index) for split, members in names.items() if split not in extra for index in range(len(members))]
    found = {(split, index): trailing_number(names[split][index]) for split, index in track}
    number = {key: value for key, value in found.items() if value is not None}
    is_numbered = len(set(number.values())) == len(track)
    if is_numbered:
        track.sort(key=number.__getitem__)
    last = max(len(track) - 1, 1)
    position = {key: rank / last for rank, key in enumerate(track)}
    at_number: dict[int | None, float] = {number[key]: position[key] for key in track} if is_numbered else {}
    times = {}
    for split, members in names.items():
        if split in extra:
            spread = np.linspace(0, 1, len(members))
            values = [at_number.get(trailing_number(name), float(share)) for name, share in zip(members, spread)]
        else:
            values = [position[split, index] for index in range(len(members))]
        times[split] = np.array(values, dtype=np.float64)
    return times


def trailing_number(name: str) -> int | None:
    """Return the whole number at the end of a name, before any suffix; None for a name without."""
    stem = Path(name).name.split(".")[0]
    digits = stem[len(stem.rstrip("0123456789")) :]
    return int(digits) if digits else None


def split_last(num_frames: int, num_test: int, num_val: int) -> dict[str, list[int]]:
    """Hold the last frames out for the test and a few, evenly spread over the rest, for validation.

    Raises:
        ValueError: A split would be empty.
    """
    if not (num_test >= 1 and num_val >= 1 and num_frames - num_test - num_val >= 1):
        raise ValueError(
            f"expected at least one frame in each split, got {num_frames} frames for {num_test} test and {num_val} "
            "validation frames"
        )
    rest = num_frames - num_test
    val = ((np.arange(num_val) + 0.5) * rest / num_val).astype(int).tolist()
    return {
        "train": sorted(set(range(rest)) - set(val)),
        "val": val,
        "test": list(range(rest, num_frames)),
    }


def split_last_only(num_frames: int, num_test: int) -> dict[str, list[int]]:
    """Hold the last frames out for the test; every `VAL_STRIDE`th of them makes the validation split too.

    Raises:
        ValueError: A split would be empty.
    """
    if not 1 <= num_test < num_frames:
        raise ValueError(
            f"expected at least one frame in each split, got {num_frames} frames for {num_test} test frames"
        )
    test = list(range(num_frames - num_test, num_frames))
    return {"train": list(range(test[0])), "val": test[::VAL_STRIDE], "test": test}


def first_share(times: Float[np.ndarray, " frames"], share: float) -> Int[np.ndarray, " kept"]:
    """Rows of the frames that come first in the recording, in the order in which they stand.

    Args:
        times: Places of the frames in the recording, any unit.
        share: Part of the frames to keep, cut down to whole frames, at least one.

    Raises:
        ValueError: The share is none in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"train_share: expected a number above 0 and at most 1, got {share}")
    # The slack keeps a share such as 0.29 of 100 from losing a frame to rounding.
    count = max(int(share * len(times) + 1e-9), 1)
    return np.sort(np.argsort(times, kind="stable")[:count])
