"""Resampling, smoothing, cutting and joining of tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from nerface_ns.tracks.expression_track import FRAME_TOLERANCE, ExpressionTrack, check_rate
from nerface_ns.tracks.name_matching import canonical_name, match_names
from nerface_ns.tracks.one_euro import OneEuroConfig, OneEuroFilter

SmoothingMethod = Literal["one-euro", "savitzky-golay"]


def resample(track: ExpressionTrack, frames_per_s: float) -> ExpressionTrack:
    """Return the track at another rate, as long as before to half a frame.

    Raises:
        ValueError: The rate is none.
    """
    rate = check_rate(track.source or "track", frames_per_s)
    count = max(1, round(track.duration_s * rate))
    return replace(track.at(np.arange(count) / rate), frames_per_s=rate)


def trim(track: ExpressionTrack, start_s: float = 0.0, end_s: float | None = None) -> ExpressionTrack:
    """Return the frames that start in [start_s, end_s), as they are.

    Raises:
        ValueError: The cut leaves the track or holds no frame.
    """
    where, duration = track.source or "track", track.duration_s
    end = duration if end_s is None else end_s
    tolerance = FRAME_TOLERANCE / track.frames_per_s
    if not (0 <= start_s < end <= duration + tolerance):
        raise ValueError(
            f"{where}: expected 0 <= start < end <= {duration:g} s, its length, got {start_s:g} to {end:g}"
        )
    first, behind = (int(np.ceil(time_s * track.frames_per_s - FRAME_TOLERANCE)) for time_s in (start_s, end))
    if first >= behind:
        raise ValueError(
            f"{where}: expected a cut that holds a frame, got {start_s:g} to {end:g} s between two frames of "
            f"{1 / track.frames_per_s:g} s"
        )
    cut = track.select(slice(first, behind))
    return replace(cut, video_start_s=track.video_start_s + first / track.frames_per_s)


def concatenate(tracks: Sequence[ExpressionTrack], by_names: bool = False) -> ExpressionTrack:
    """Join tracks one behind the other.

    Head poses, gaze and pictures stay where all tracks have them, the neutral expression where all have the same one;
    a video stays only for a single track.

    Args:
        tracks: At least one.
        by_names: Join tracks whose coefficients differ: keep those of the first track that all tracks have by name,
            in whatever spelling. Without it names must agree.

    Raises:
        ValueError: No tracks, unequal rates, or coefficients that do not agree.
    """
    if not tracks:
        raise ValueError("expected at least one track to join, got none")
    if len(tracks) == 1:
        return tracks[0]
    first = tracks[0]
    if by_names:
        tracks = _with_shared_names(tracks)
    for other in tracks[1:]:
        _check_joinable(tracks[0], other)

    def join(name: str) -> np.ndarray | None:
        """Join what all tracks have; None where one has nothing."""
        parts = [getattr(track, name) for track in tracks]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    neutral = tracks[0].neutral
    is_shared = neutral is not None and all(
        track.neutral is not None and np.array_equal(track.neutral, neutral) for track in tracks
    )
    files = [track.frame_files for track in tracks]
    return ExpressionTrack(
        frames_per_s=first.frames_per_s,
        names=tracks[0].names,
        expression=np.concatenate([track.expression for track in tracks]),
        camera_to_world=join("camera_to_world"),
        gaze=join("gaze"),
        neutral=neutral if is_shared else None,
        frame_files=None if None in files else tuple(path for part in files if part is not None for path in part),
        source=" + ".join(track.source or "track" for track in tracks),
    )


def _check_joinable(first: ExpressionTrack, other: ExpressionTrack) -> None:
    where, to = other.source or "track", first.source or "the first track"
    if other.frames_per_s != first.frames_per_s:
        raise ValueError(
            f"{where}: expected {first.frames_per_s:g} frames per second as in {to}, got {other.frames_per_s:g}; "
            "resample the tracks to one rate first"
        )
    length, got = first.expression.shape[1], other.expression.shape[1]
    if length != got:
        raise ValueError(f"{where}: expected {length} coefficients as in {to}, got {got}")
    for index, (name, expected) in enumerate(zip(other.names, first.names)):
        if name != expected:
            raise ValueError(f"{where}: expected coefficient {index} to be {expected!r} as in {to}, got {name!r}")
    if bool(first.names) != bool(other.names):
        raise ValueError(f"{where}: expected names of the coefficients in all tracks or in none")


def _with_shared_names(tracks: Sequence[ExpressionTrack]) -> list[ExpressionTrack]:
    """The coefficients of the first track that all have, under its names and in its order."""
    for track in tracks:
        if not track.names:
            raise ValueError(f"{track.source or 'track'}: expected names of the coefficients to join by, got none")
    names = tracks[0].names
    meanings = [{canonical_name(name) for name in track.names} for track in tracks]
    kept = [name for name in names if all(canonical_name(name) in known for known in meanings)]
    if not kept:
        raise ValueError(
            f"{tracks[-1].source or 'track'}: expected coefficients in common with the other tracks, got none"
        )
    joined = []
    for track in tracks:
        columns = match_names(track.names, kept)
        neutral = None if track.neutral is None else track.neutral[columns]
        joined.append(replace(track, names=tuple(kept), expression=track.expression[:, columns], neutral=neutral))
    return joined


def smooth(
    track: ExpressionTrack,
    method: SmoothingMethod = "one-euro",
    window_s: float = 0.3,
    polynomial_order: int = 2,
    one_euro: OneEuroConfig | None = None,
) -> ExpressionTrack:
    """Return a track with less jitter in coefficients, gaze and head pose; rotations stay rotations.

    Args:
        track: The track.
        method: "one-euro", which lags a little and keeps quick movements; or "savitzky-golay", which does not lag.
        window_s: Savitzky-Golay: length of the window, taken to the nearest odd number of frames above the order.
        polynomial_order: Savitzky-Golay: order of the polynomial fitted in each window.
        one_euro: One-Euro: its settings; the defaults without any.

    Raises:
        ValueError: The window or the order makes no sense for this track.
    """
    numbers = [track.expression]
    if track.gaze is not None:
        numbers.append(track.gaze)
    if track.camera_to_world is not None:
        numbers.append(track.camera_to_world.reshape(len(track), -1))
    joined = np.concatenate(numbers, axis=1)
    if method == "one-euro":
        one_by_one = OneEuroFilter(one_euro or OneEuroConfig())
        joined = np.stack([one_by_one(row, 1 / track.frames_per_s) for row in joined])
    elif method == "savitzky-golay":
        joined = _savitzky_golay(track, joined, window_s, polynomial_order)
    else:
        raise ValueError(f"expected smoothing 'one-euro' or 'savitzky-golay', got {method!r}")
    ends = np.cumsum([part.shape[1] for part in numbers])[:-1]
    parts = np.split(joined, ends, axis=1)[::-1]
    return replace(
        track,
        expression=parts.pop(),
        gaze=None if track.gaze is None else parts.pop(),
        camera_to_world=None if track.camera_to_world is None else _as_poses(parts.pop()),
    )


def _savitzky_golay(track: ExpressionTrack, numbers: np.ndarray, window_s: float, order: int) -> np.ndarray:
    where, count = track.source or "track", len(track)
    if order < 0 or not 0 < window_s < np.inf:
        raise ValueError(
            f"{where}: expected a smoothing window above 0 s and an order from 0, got {window_s} and {order}"
        )
    if count <= order:
        raise ValueError(f"{where}: expected more than {order} frames to smooth with order {order}, got {count}")
    from scipy.signal import savgol_filter

    half = max(round((window_s * track.frames_per_s - 1) / 2), (order + 1) // 2)
    # A short track gets the widest window that fits; its order is below the window's length all the same.
    window = min(2 * half + 1, count if count % 2 else count - 1)
    return np.asarray(savgol_filter(numbers, window, min(order, window - 1), axis=0, mode="interp"))


def _as_poses(numbers: np.ndarray) -> np.ndarray:
    """Poses (n, 3, 4) whose rotations are the nearest to the 3x3 matrices given."""
    poses = numbers.reshape(-1, 3, 4).copy()
    left, _, right = np.linalg.svd(poses[:, :, :3])
    left[:, :, 2] *= np.linalg.det(left @ right)[:, None]
    poses[:, :, :3] = left @ right
    return poses
