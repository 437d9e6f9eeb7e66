"""Track files: a performance as JSON or CSV.

JSON (`.json`), version 1. Keys with a question mark may be left out, those of a frame in all frames or in none:

    {
      "schema": "nerface-track",
      "version": 1,
      "fps": 25,                       frames a second
      "source": "my_video.mp4",        ? where it came from
      "names": ["jawOpen", ...],       ? names of the coefficients; left out or [] when the tracker has none
      "neutral": [0.02, ...],          ? the driver's neutral expression
      "video": "my_video.mp4",         ? relative to this file, or absolute
      "video_start_s": 0,              ? place in the video of the first frame, seconds
      "frames": [
        {"expression": [0.1, ...],     as many coefficients in every frame
         "camera_to_world": [[...], [...], [...]],   ? 3x4 or 4x4 OpenGL camera in the head's frame, head at the origin
         "gaze": [0.1, -0.2],          ? pitch up, yaw to the driver's left, radians, head frame
         "file": "frames/0000.png"},   ? picture of the driver
        ...
      ]
    }

CSV (`.csv`): see `nerface_ns.tracks.track_csv`. A CSV file of Epic's Live Link Face app is told by its header and read
by `nerface_ns.tracks.live_link`. Numbers are written with nine significant digits, which tell all float32 apart.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nerface_ns.tracks.expression_track import ExpressionTrack, as_numbers, check_names, check_rate
from nerface_ns.tracks.json_file import check_keys, parse_file
from nerface_ns.tracks.live_link import is_live_link_header, parse_live_link_csv
from nerface_ns.tracks.track_csv import format_csv, format_number, parse_csv
from nerface_ns.tracks.whole_file import read_whole, write_whole

SCHEMA, VERSION = "nerface-track", 1
FRAME_SHAPES: dict[str, tuple[int | None, ...]] = {"expression": (None,), "camera_to_world": (None, 4), "gaze": (2,)}
"""Numbers of a frame by key."""
FILE_KEYS = ("schema", "version", "fps", "source", "names", "neutral", "video", "video_start_s", "frames")
FRAME_KEYS = (*FRAME_SHAPES, "file")


def read_track(path: Path, frames_per_s: float | None = None) -> ExpressionTrack:
    """Read a track from JSON, from CSV, or from a recording of the Live Link Face app.

    Args:
        path: The file.
        frames_per_s: Rate of a CSV that numbers its frames instead of timing them.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no track; the message names the file, the frame, what was expected and what came.
    """
    path = Path(path)
    text = read_whole(path, "a track file")
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _parse_json(path, text)
    if suffix != ".csv":
        raise ValueError(f"{path}: expected a track file ending in .json or .csv, got {suffix or 'no ending'!r}")
    if is_live_link_header(text.split("\n", 1)[0]):
        return parse_live_link_csv(path, text)
    return parse_csv(path, text, frames_per_s)


def write_track(path: Path, track: ExpressionTrack) -> None:
    """Write a track as JSON or, which leaves some of it out, as CSV; the file is there whole or not at all.

    Raises:
        ValueError: The file's ending is another one, or nothing can be written there.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".json", ".csv"):
        raise ValueError(f"{path}: expected a track file ending in .json or .csv, got {suffix or 'no ending'!r}")
    write_whole(path, _format_json(path, track) if suffix == ".json" else format_csv(track))


def _parse_json(path: Path, text: str) -> ExpressionTrack:
    content = parse_file(path, text, SCHEMA, VERSION, "a JSON object with fps and frames")
    check_keys(str(path), content, FILE_KEYS, ("fps", "frames"))
    for key, kind, expected in (("source", str, "a text"), ("video", str, "a path"), ("names", list, "a list")):
        if key in content and not (isinstance(content[key], kind) and (content[key] or kind is list)):
            raise ValueError(f"{path}: '{key}' expected {expected}, got {str(content[key])[:60]!r}")
    frames = content["frames"]
    if not isinstance(frames, list) or not frames:
        got = "an empty list" if frames == [] else f"{str(frames)[:60]!r}"
        raise ValueError(f"{path}: 'frames' expected a list of at least one frame, got {got}")
    columns = _stack_frames(path, frames)
    length = columns["expression"].shape[1]
    files, video, neutral = columns.pop("file", None), content.get("video"), content.get("neutral")
    track = ExpressionTrack(
        frames_per_s=check_rate(str(path), content["fps"]),
        names=check_names(str(path), content.get("names", ()), length),
        neutral=None if neutral is None else as_numbers(str(path), "neutral", neutral, (length,)),
        frame_files=None if files is None else tuple(path.parent / file for file in files),
        video=None if video is None else path.parent / video,
        video_start_s=float(as_numbers(str(path), "video_start_s", content.get("video_start_s", 0.0), ())),
        source=str(path),
        **columns,
    )
    return replace(track, source=content.get("source") or path.name)


def _stack_frames(path: Path, frames: list[Any]) -> dict[str, Any]:
    """Numbers and files of all frames by key, every frame checked against the first."""
    rows: list[dict[str, Any]] = []
    for index, frame in enumerate(frames):
        where = f"{path}: frame {index}"
        if not isinstance(frame, dict):
            raise ValueError(f"{where}: expected an object with 'expression', got {str(frame)[:60]!r}")
        check_keys(where, frame, FRAME_KEYS, ("expression",))
        row = {key: as_numbers(where, key, frame[key], FRAME_SHAPES[key]) for key in FRAME_SHAPES if key in frame}
        if "file" in frame:
            row["file"] = frame["file"]
            if not isinstance(frame["file"], str):
                raise ValueError(f"{where}: 'file' expected a text, got {str(frame['file'])[:60]!r}")
        rows.append(row)
        if row.keys() != rows[0].keys():
            odd = sorted(row.keys() ^ rows[0].keys())[0]
            has = ("has it", "lacks it") if odd in row else ("lacks it", "has it")
            raise ValueError(
                f"{where}: expected '{odd}' in all frames or in none, but it {has[0]} and frame 0 {has[1]}"
            )
        for key in FRAME_SHAPES.keys() & row.keys():
            if row[key].shape != rows[0][key].shape:
                expected = (
                    f"{len(rows[0][key])} numbers as in frame 0" if key == "expression" else "the shape of frame 0"
                )
                raise ValueError(f"{where}: '{key}' expected {expected}, got {len(row[key])}")
    return {
        key: [row[key] for row in rows] if key == "file" else np.stack([row[key] for row in rows]) for key in rows[0]
    }


def _format_json(path: Path, track: ExpressionTrack) -> str:
    """One line for every key and every frame."""
    head = [("schema", json.dumps(SCHEMA)), ("version", str(VERSION)), ("fps", format_number(track.frames_per_s))]
    if track.source:
        head.append(("source", json.dumps(track.source)))
    if track.names:
        head.append(("names", json.dumps(track.names)))
    if track.neutral is not None:
        head.append(("neutral", _format_list(track.neutral)))
    if track.video is not None:
        head.append(("video", json.dumps(_relative(path, track.video))))
        head.append(("video_start_s", format_number(track.video_start_s)))
    frames = ",\n".join(f"    {_format_frame(path, track, row)}" for row in range(len(track)))
    lines = [f'  "{key}": {value},' for key, value in head]
    return "\n".join(["{", *lines, '  "frames": [', frames, "  ]", "}", ""])


def _format_frame(path: Path, track: ExpressionTrack, row: int) -> str:
    entry = [("expression", _format_list(track.expression[row]))]
    if track.camera_to_world is not None:
        lines = ", ".join(_format_list(line) for line in track.camera_to_world[row])
        entry.append(("camera_to_world", f"[{lines}]"))
    if track.gaze is not None:
        entry.append(("gaze", _format_list(track.gaze[row])))
    if track.frame_files is not None:
        entry.append(("file", json.dumps(_relative(path, track.frame_files[row]))))
    return "{" + ", ".join(f'"{key}": {value}' for key, value in entry) + "}"


def _format_list(values: np.ndarray) -> str:
    return "[" + ", ".join(map(format_number, values.tolist())) + "]"


def _relative(path: Path, file: Path) -> str:
    """A file's path as it is stored: relative where it lies beside the track or below, else absolute."""
    folder, file = path.absolute().parent, file.absolute()
    return (file.relative_to(folder) if file.is_relative_to(folder) else file).as_posix()
