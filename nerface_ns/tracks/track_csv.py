"""Tracks as CSV: one row for every frame, columns in any order.

- `time_s` (seconds) or `frame` (0, 1, 2, ...; the rate is then given to whoever reads the file),
- one column for each coefficient, under its name; a track without names has `expression_00`, `expression_01`, ...,
- optionally `gaze_pitch`, `gaze_yaw` (radians), and `camera_to_world_00` ... `camera_to_world_23` (row and column of
  the 3x4 camera pose).

Neutral expression, pictures and video are left out; JSON keeps them. Frames that are not evenly spaced in time are
brought to an even step, see `evenly_timed`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerface_ns.tracks.even_timing import evenly_timed
from nerface_ns.tracks.expression_track import ExpressionTrack, check_rate
from nerface_ns.tracks.name_matching import are_placeholders, placeholder_names

TIME, FRAME = "time_s", "frame"
GAZE_COLUMNS = ("gaze_pitch", "gaze_yaw")
POSE_COLUMNS = tuple(f"camera_to_world_{row}{column}" for row in range(3) for column in range(4))


def read_table(path: Path, text: str) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a CSV text, empty lines left out.

    Raises:
        ValueError: It is no CSV, has no header or no rows, or two columns of one name.
    """
    try:
        lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text, newline=""))]
        lines = [line for line in lines if len(line) > 1 or any(line)]
    except csv.Error as error:
        raise ValueError(f"{path}: expected CSV, got text that does not parse: {error}") from error
    if not lines:
        raise ValueError(f"{path}: expected a header and rows, got an empty file")
    header, rows = lines[0], lines[1:]
    if len(set(header)) < len(header):
        name = next(name for name in header if header.count(name) > 1)
        raise ValueError(f"{path}: expected distinct columns, got {name!r} twice")
    if not rows:
        raise ValueError(f"{path}: expected at least one frame, got only a header")
    return header, rows


def read_numbers(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], frames: Sequence[int] | None = None
) -> Float[np.ndarray, "rows columns"]:
    """Convert the cells of a table to numbers.

    Args:
        path: The file, for messages.
        header: Names of the columns.
        rows: The cells.
        frames: Number of each row in the file, for messages; 0, 1, 2, ... without it.

    Raises:
        ValueError: A row of another length, or a cell that is no number.
    """
    values = np.empty((len(rows), len(header)))
    for index, row in enumerate(rows):
        frame = index if frames is None else frames[index]
        if len(row) != len(header):
            raise ValueError(f"{path}: frame {frame}: expected {len(header)} cells as in the header, got {len(row)}")
        for column, cell in enumerate(row):
            try:
                values[index, column] = float(cell)
            except ValueError as error:
                raise ValueError(
                    f"{path}: frame {frame}: expected a number in column {header[column]!r}, got {cell[:60]!r}"
                ) from error
    return values


def parse_csv(path: Path, text: str, frames_per_s: float | None = None) -> ExpressionTrack:
    """Read a track from the text of a CSV file.

    Args:
        path: The file, for messages.
        text: Its content.
        frames_per_s: Rate of a file that numbers its frames, or of a single frame.

    Raises:
        ValueError: It is no track.
    """
    header, rows = read_table(path, text)
    clock = next((name for name in (TIME, FRAME) if name in header), None)
    if clock is None:
        raise ValueError(f"{path}: expected a column {TIME!r} or {FRAME!r}, got {header[:8]}")
    values = dict(zip(header, read_numbers(path, header, rows).T))
    optional = {}
    for columns in (GAZE_COLUMNS, POSE_COLUMNS):
        found = [name for name in columns if name in header]
        if found and len(found) < len(columns):
            absent = next(name for name in columns if name not in header)
            raise ValueError(f"{path}: expected column {absent!r} beside {found[0]!r}, found none")
        optional[columns] = np.stack([values[name] for name in columns], axis=-1) if found else None
    names = [name for name in header if name not in (TIME, FRAME, *GAZE_COLUMNS, *POSE_COLUMNS)]
    if not names:
        raise ValueError(f"{path}: expected at least one column of coefficients, got only {header}")
    gaze, poses = optional[GAZE_COLUMNS], optional[POSE_COLUMNS]
    times_s = _frame_times(path, clock, values[clock], frames_per_s)
    expression = np.stack([values[name] for name in names], axis=-1)
    track = ExpressionTrack(
        frames_per_s=check_rate(str(path), frames_per_s) if times_s is None else 1.0,
        names=() if are_placeholders(names) else tuple(names),
        expression=expression,
        camera_to_world=None if poses is None else poses.reshape(-1, 3, 4),
        gaze=gaze,
        source=str(path),
    )
    return evenly_timed(track, times_s, path.name)


def _frame_times(path: Path, clock: str, values: np.ndarray, frames_per_s: float | None) -> np.ndarray | None:
    """Times of the frames in seconds, or None when the rate is given and the frames follow each other."""
    if clock == TIME and len(values) > 1:
        return values
    if clock == FRAME:
        for frame in np.flatnonzero(values - values[0] != np.arange(len(values)))[:1].tolist():
            raise ValueError(
                f"{path}: frame {frame}: expected frames numbered one by one, got {values[frame]:g} in column {FRAME!r}"
            )
    if frames_per_s is None:
        what = "frame numbers and no times" if clock == FRAME else "a single frame"
        raise ValueError(f"{path}: expected the frames per second to be given, as the file has {what}")
    return None


def format_number(value: float) -> str:
    """Return a number with nine significant digits, as JSON and CSV take it."""
    return f"{value + 0.0:.9g}"


def format_csv(track: ExpressionTrack) -> str:
    """Return a track as CSV."""
    columns = [track.times_s[:, None], track.expression]
    header = [TIME, *(track.names or placeholder_names(track.expression.shape[1]))]
    clash = {*GAZE_COLUMNS, *POSE_COLUMNS, TIME, FRAME} & set(header[1:])
    if clash:
        raise ValueError(f"{track.source or 'track'}: a coefficient named {min(clash)!r} cannot be told apart in CSV")
    if track.gaze is not None:
        header, columns = [*header, *GAZE_COLUMNS], [*columns, track.gaze]
    if track.camera_to_world is not None:
        header, columns = [*header, *POSE_COLUMNS], [*columns, track.camera_to_world.reshape(len(track), -1)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([format_number(value) for value in row] for row in np.concatenate(columns, axis=1).tolist())
    return text.getvalue()
