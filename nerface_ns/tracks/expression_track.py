"""A performance: expression coefficients and, where known, head poses and gaze at a fixed number of frames a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import numpy as np
from jaxtyping import Float, Int

MAX_FRAMES_PER_S = 1000.0
"""Faster than any camera for faces; beyond it a rate is a mistake."""
MAX_COEFFICIENT = 1e6
"""Largest coefficient that is taken for one."""
ROTATION_TOLERANCE = 1e-3
"""Largest entry of R @ R.T - I that still passes, as for the poses of a dataset."""
FRAME_TOLERANCE = 1e-6
"""Times this close to a frame, in frames, mean that frame."""


@dataclass(frozen=True, eq=False)
class ExpressionTrack:
    """Expressions of a driver over time, checked when it is made.

    Frame i is shown from i / frames_per_s until the next one.

    Raises:
        ValueError: A rate, a shape, a name or a number is not what it should be; the message names `source`, the
            frame, what was expected and what came.
    """

    frames_per_s: float
    """Frames a second, above 0."""
    names: tuple[str, ...]
    """Names of the coefficients; empty when the driver's tracker has none."""
    expression: np.ndarray
    """(n, K) coefficients, float64."""
    camera_to_world: Optional[np.ndarray] = None
    """(n, 3, 4) OpenGL camera in the head's frame, the head at the origin, as in this project's datasets."""
    gaze: Optional[np.ndarray] = None
    """(n, 2) pitch up and yaw towards +x (the driver's left), radians, head frame."""
    neutral: Optional[np.ndarray] = None
    """(K,) the driver's neutral expression, when it is known."""
    frame_files: Optional[tuple[Path, ...]] = None
    """Pictures of the driver, one for each frame."""
    video: Optional[Path] = None
    """Video of the driver."""
    video_start_s: float = 0.0
    """Place in the video of this track's time 0."""
    source: str = ""
    """Where it came from, for messages."""

    def __post_init__(self) -> None:
        where = self.source or "track"
        expression = as_numbers(where, "expressions", self.expression, (None, None))
        count, length = expression.shape
        if count == 0 or length == 0:
            raise ValueError(f"{where}: expected at least one frame of one coefficient, got {count} of {length}")
        names = check_names(where, self.names, length)
        _check_rows(where, "expression", expression, names, MAX_COEFFICIENT)
        values: dict[str, Any] = {
            "frames_per_s": check_rate(where, self.frames_per_s),
            "names": names,
            "expression": expression,
            "video_start_s": float(as_numbers(where, "video_start_s", self.video_start_s, ())),
        }
        if self.camera_to_world is not None:
            values["camera_to_world"] = _check_poses(where, self.camera_to_world, count)
        if self.gaze is not None:
            values["gaze"] = as_numbers(where, "gaze", self.gaze, (count, 2))
            _check_rows(where, "gaze", values["gaze"], ("pitch", "yaw"), 2 * np.pi)
        if self.neutral is not None:
            values["neutral"] = as_numbers(where, "neutral", self.neutral, (length,))
            _check_rows(where, "neutral expression", values["neutral"][None], names, MAX_COEFFICIENT)
        if self.frame_files is not None:
            values["frame_files"] = tuple(Path(path) for path in self.frame_files)
            if len(values["frame_files"]) != count:
                got = len(values["frame_files"])
                raise ValueError(f"{where}: expected {count} frame files, one for each frame, got {got}")
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.expression)

    @property
    def duration_s(self) -> float:
        """Seconds from the start of the first frame to the end of the last."""
        return len(self) / self.frames_per_s

    @property
    def times_s(self) -> Float[np.ndarray, " num_frames"]:
        """Start of every frame."""
        return np.arange(len(self)) / self.frames_per_s

    def select(self, rows: Int[np.ndarray, " rows"] | slice) -> ExpressionTrack:
        """Return some frames, as they are; the caller sees to `video_start_s`."""
        files = None if self.frame_files is None else np.array(self.frame_files, dtype=object)[rows]
        return replace(
            self,
            expression=self.expression[rows],
            camera_to_world=None if self.camera_to_world is None else self.camera_to_world[rows],
            gaze=None if self.gaze is None else self.gaze[rows],
            frame_files=None if files is None else tuple(files),
        )

    def at(self, time_s: Float[np.ndarray, " num_times"]) -> ExpressionTrack:
        """Return the performance at given times.

        Coefficients, gaze and camera positions follow straight lines between frames, camera rotations the shortest
        turn (Slerp); pictures are those of the nearest frame. Before the first frame and behind the last, all stands
        still. The result's time 0 is the first time given; its rate stays this track's, so set another where the times
        are a different step apart.

        Raises:
            ValueError: No times, or one that is no finite number.
        """
        time_s = np.asarray(time_s, dtype=np.float64)
        if time_s.size == 0 or not np.isfinite(time_s).all():
            raise ValueError(f"{self.source or 'track'}: expected finite times, at least one, got {time_s.tolist()}")
        last = len(self) - 1
        position = (time_s * self.frames_per_s).clip(0, last)
        nearest = position.round()
        position = np.where(np.abs(position - nearest) < FRAME_TOLERANCE, nearest, position)
        low = position.astype(np.int64)
        high, share = (low + 1).clip(max=last), (position - low)[:, None]

        def between(rows: np.ndarray) -> np.ndarray:
            """Interpolate rows."""
            return rows[low] * (1 - share) + rows[high] * share

        poses = self.camera_to_world
        return replace(
            self.select(nearest.astype(np.int64)),
            expression=between(self.expression),
            camera_to_world=None if poses is None else _poses_between(poses[low], poses[high], share[:, 0]),
            gaze=None if self.gaze is None else between(self.gaze),
            video_start_s=self.video_start_s + float(position[0] / self.frames_per_s),
        )


def as_numbers(where: str, what: str, value: Any, shape: Sequence[int | None]) -> np.ndarray:
    """Convert to a float64 array of the shape given, None for any length.

    Raises:
        ValueError: Something other than numbers, ragged lists, or another shape.
    """
    wanted = " x ".join("n" if size is None else str(size) for size in shape)
    wanted = f"{wanted} numbers" if shape else "one number"
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{where}: expected {what} of {wanted}, got lists of unequal lengths") from error
    if array.dtype.kind not in "iuf" and array.size > 0:
        raise ValueError(f"{where}: expected {what} of {wanted}, got {str(value)[:60]!r}")
    if array.ndim != len(shape) or any(size not in (None, got) for size, got in zip(shape, array.shape)):
        got = " x ".join(map(str, array.shape)) or "one number"
        raise ValueError(f"{where}: expected {what} of {wanted}, got {got}")
    return array.astype(np.float64)


def check_rate(where: str, frames_per_s: Any) -> float:
    """Return a rate of frames as a float.

    Raises:
        ValueError: It is no number, or none that a recording can have.
    """
    rate = float(as_numbers(where, "frames per second", frames_per_s, ()))
    if not 0 < rate <= MAX_FRAMES_PER_S:
        raise ValueError(f"{where}: expected frames per second above 0, up to {MAX_FRAMES_PER_S:g}, got {rate:g}")
    return rate


def check_names(where: str, names: Sequence[Any], length: int) -> tuple[str, ...]:
    """Return names as a tuple.

    Raises:
        ValueError: There are some, but not one for each coefficient, or one that is no text, or one twice.
    """
    names = tuple(names)
    if names and len(names) != length:
        raise ValueError(f"{where}: expected {length} names, one for each coefficient, got {len(names)}")
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"{where}: expected a text for name {index}, got {name!r}")
        if name in seen:
            raise ValueError(f"{where}: expected distinct names, got {name!r} twice")
        seen.add(name)
    return names


def _check_rows(where: str, what: str, rows: np.ndarray, names: Sequence[str], limit: float) -> None:
    """Refuse NaN, infinity and numbers beyond +-`limit`."""
    bad = ~(np.abs(rows) <= limit)
    for frame, column in np.argwhere(bad)[:1].tolist():
        label = f" ({names[column]})" if names else ""
        where = f"{where}: frame {frame}" if what != "neutral expression" else where
        raise ValueError(
            f"{where}: expected a finite {what} within +-{limit:g}, "
            f"got {rows[frame, column]} at position {column}{label}"
        )


def _check_poses(where: str, value: Any, count: int) -> np.ndarray:
    """Camera poses (n, 3, 4) from (n, 3, 4) or (n, 4, 4), proper rotations all."""
    rows = 4 if np.ndim(value) == 3 and np.shape(value)[1] == 4 else 3
    poses = as_numbers(where, "camera_to_world", value, (count, rows, 4))
    _check_rows(where, "camera_to_world", poses.reshape(count, -1), (), MAX_COEFFICIENT)
    poses = poses[:, :3]
    rotation = poses[:, :, :3]
    error = np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
    determinant = np.linalg.det(rotation)
    for frame in np.flatnonzero((error > ROTATION_TOLERANCE) | (determinant < 0))[:1].tolist():
        raise ValueError(
            f"{where}: frame {frame}: expected a proper rotation in camera_to_world, got determinant "
            f"{determinant[frame]:.4f}, R @ R.T off the identity by {error[frame]:.2g}"
        )
    return poses


def _poses_between(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Poses between two others each; where the share is 0 the first as it is."""
    poses = low * (1 - share[:, None, None]) + high * share[:, None, None]
    moving = np.flatnonzero(share > 0)
    if len(moving):
        from scipy.spatial.transform import Rotation

        start = Rotation.from_matrix(low[moving, :, :3])
        turn = (start.inv() * Rotation.from_matrix(high[moving, :, :3])).as_rotvec()
        poses[moving, :, :3] = (start * Rotation.from_rotvec(turn * share[moving, None])).as_matrix()
    return poses
