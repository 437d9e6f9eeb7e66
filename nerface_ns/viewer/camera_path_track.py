"""Gives a camera path that nerfstudio's render panel saved a track of expressions to show along it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TRACK_KEY = "expression_track"
"""Key of the camera path's JSON that holds the track's file, absolute or relative to the path's folder. nerfstudio
ignores it; `nerface-render path` follows it when no other track is named."""


def newest_camera_path(data_folder: Path) -> Path:
    """Return the camera path that nerfstudio's render panel saved last.

    Args:
        data_folder: The viewer's data path; nerfstudio saves into its folder `camera_paths`.

    Raises:
        FileNotFoundError: None was saved.
    """
    folder = data_folder / "camera_paths"
    paths = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    if not paths:
        raise FileNotFoundError(
            f"{folder}: expected a camera path, found none; make one in the Render tab with 'Generate Command'"
        )
    return paths[-1]


def attach_track(path: Path, track_file: Path) -> None:
    """Name a track in a camera path; `nerface-render path` shows it along the path.

    Raises:
        ValueError: The file is no camera path.
    """
    content = _read_camera_path(path)
    content[TRACK_KEY] = str(track_file.resolve())
    _write(path, content)


def attach_recording(path: Path, start: float, end: float, length_s: float) -> None:
    """Let the training recording run along a camera path, over and again, by frames' `render_time`.

    This is nerfstudio's own key: `ns-render camera-path` follows it as well.

    Args:
        path: The camera path.
        start, end: First and last training frame on the recording, within [0, 1].
        length_s: Length of the whole recording, from 0 to 1.

    Raises:
        ValueError: The file is no camera path, or the recording has no length.
    """
    span_s = (end - start) * length_s
    if not span_s > 0:
        raise ValueError(f"recording: expected a positive length, got {span_s} s")
    content = _read_camera_path(path)
    content.pop(TRACK_KEY, None)
    for index, frame in enumerate(content["camera_path"]):
        frame["render_time"] = start + (index / content["fps"] % span_s) / length_s
    _write(path, content)


def _read_camera_path(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected a camera path in JSON, got an unreadable file: {error}") from error
    frames = content.get("camera_path") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise ValueError(f"{path}: expected the key 'camera_path' with a list of frames, got none")
    fps = content.get("fps")
    if not isinstance(fps, (int, float)) or not fps > 0:
        raise ValueError(f"{path}: expected a positive number under 'fps', got {fps!r}")
    return content


def _write(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)
