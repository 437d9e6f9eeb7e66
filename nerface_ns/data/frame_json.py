"""NerFace's frame files (`transforms_*.json`): read and write, with numpy and the standard library only.

The format's world is mirrored in x: `intrinsics[0]` (fx) is negative and the ray of pixel (column i, row j) of a W x H
image is `R @ [(i - W * cx) / fx, -(j - H * cy) / fy, -1]` from the translation, without a half-pixel offset (Gafni et
al., CVPR 2021). Conjugating each pose with diag(-1, 1, 1, 1) and taking |fx| gives ordinary OpenGL cameras that see
the same pixels. A file with positive fx describes an unmirrored world already, so its poses are taken as they stand.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MIRROR_X = np.array([-1.0, 1.0, 1.0, 1.0])
"""Diagonal of the conjugation between NerFace's mirrored world and the ordinary one."""

MAX_NAME_BYTES = 240
"""Longest name of a file or folder, with room for a suffix: file systems take 255."""

REGION_KEYS = {"mouth": "mouth_box", "eyes": "eyes_box"}
"""Region name to the JSON key that holds its box."""


@dataclass
class FrameRecord:
    """One frame of a frame file, in an ordinary (unmirrored) world."""

    file_path: str
    """Image path as stored: relative to the file's folder, usually without extension."""
    camera_to_world: np.ndarray
    """(4, 4) float64 OpenGL camera: x right, y up, looks along -z."""
    expression: np.ndarray
    """(K,) float32 tracked coefficients."""
    face_box: np.ndarray | None = None
    """(4,) y0, y1, x0, x1 as fractions of the image, y down."""
    region_boxes: dict[str, np.ndarray] = field(default_factory=dict)
    """Boxes like `face_box` under "mouth" and "eyes" (JSON: mouth_box, eyes_box)."""
    gaze: np.ndarray | None = None
    """(2,) radians in the head's frame: pitch up, yaw towards +x of the unmirrored world (the subject's left)."""


@dataclass
class FrameFile:
    """The content of one frame file."""

    fx_px: float
    """Horizontal focal length, positive, pixels at the stored resolution."""
    fy_px: float
    """Vertical focal length, positive, pixels at the stored resolution."""
    cx_fraction: float
    """Principal point as a fraction of the width: the pixel index where the ray's x is 0, divided by the width."""
    cy_fraction: float
    """Principal point as a fraction of the height."""
    expression_names: tuple[str, ...] | None
    """Names of the coefficients, where the file has them."""
    frames: list[FrameRecord]
    """Frames in file order."""
    camera_angle_x: float | None = None
    """Horizontal field of view in radians, which the released loader wants to see; redundant beside `fx_px`."""


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file whose top level is an object.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: The file is no JSON, or its top level is no object.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a frame file here, found none")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON, got text that does not parse: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object at the top level, got {type(content).__name__}")
    return content


def require_key(where: str, record: dict[str, Any], key: str, expected: str) -> Any:
    """Value of a key that must be there; `expected` says in words what it should hold."""
    if key not in record:
        raise ValueError(f"{where}: expected key '{key}' ({expected}), got only {sorted(record)}")
    return record[key]


def check_stored_path(where: str, key: str, value: Any) -> str:
    """Return a path as a file of parameters names it: relative, inside the dataset's folder or one beside it.

    GaussianAvatars' unions name pictures of the folders beside them; nothing farther away is a dataset's business.

    Raises:
        ValueError: It is no such path.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where}: '{key}' expected a path, got {str(value)[:60]!r}")
    parts = os.path.normpath(value).split("/")
    is_outside = value.startswith("/") or parts[:2] == ["..", ".."] or parts == [".."]
    if is_outside or "\0" in value or max(len(part.encode("utf-8", "replace")) for part in parts) > MAX_NAME_BYTES:
        raise ValueError(f"{where}: '{key}' expected a relative path of a file in this folder, got {value[:60]!r}")
    return value


def as_numbers(where: str, key: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """Convert nested lists of JSON numbers to a float64 array of the shape given, None for any length.

    Raises:
        ValueError: Something other than numbers, ragged lists, or another shape.
    """
    wanted = "x".join("n" if size is None else str(size) for size in shape) or "one number"
    try:
        array = np.array(value)
    except ValueError as error:
        raise ValueError(f"{where}: '{key}' expected numbers of shape {wanted}, got ragged lists") from error
    if array.dtype.kind not in "iuf" and array.size > 0:
        raise ValueError(f"{where}: '{key}' expected numbers of shape {wanted}, got {str(value)[:80]}")
    if array.ndim != len(shape) or any(size not in (None, got) for size, got in zip(shape, array.shape)):
        raise ValueError(f"{where}: '{key}' expected numbers of shape {wanted}, got shape {array.shape}")
    return array.astype(np.float64)


def require_frames(where: str, content: dict[str, Any]) -> list[dict[str, Any]]:
    """The list under "frames", each entry checked to be an object; the list may be empty."""
    frames = require_key(where, content, "frames", "list of frames")
    if not isinstance(frames, list):
        raise ValueError(f"{where}: 'frames' expected a list, got {type(frames).__name__}")
    for index, frame in enumerate(frames):
        if not isinstance(frame, dict):
            raise ValueError(f"{where}: frame {index}: expected an object, got {type(frame).__name__}")
    return frames


def mirror_pose(camera_to_world: np.ndarray) -> np.ndarray:
    """Conjugate a (..., 4, 4) pose with diag(-1, 1, 1, 1); exact, and its own inverse."""
    return camera_to_world * MIRROR_X[:, None] * MIRROR_X


def read_frame_file(path: Path) -> FrameFile:
    """Read one frame file and bring it into an ordinary world.

    Checks keys, types and shapes; whether poses, expressions and boxes make sense is `FaceFrames`' business.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: The file is no JSON object, or a key is missing or holds something else than the format says.
    """
    path = Path(path)
    content = read_json_object(path)
    fx_px, fy_px, cx_fraction, cy_fraction = _read_intrinsics(path, content)
    names = content.get("expression_names")
    if names is not None:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{path}: 'expression_names' expected a list of strings, got {str(names)[:80]}")
        if len(set(names)) != len(names):
            raise ValueError(f"{path}: 'expression_names' expected distinct names, got {str(names)[:80]}")
    is_mirrored = fx_px < 0
    frames = [
        _read_frame(f"{path}: frame {index}", frame, is_mirrored)
        for index, frame in enumerate(require_frames(str(path), content))
    ]
    angle = content.get("camera_angle_x")
    return FrameFile(
        fx_px=abs(fx_px),
        fy_px=fy_px,
        cx_fraction=cx_fraction,
        cy_fraction=cy_fraction,
        expression_names=None if names is None else tuple(names),
        frames=frames,
        camera_angle_x=None if angle is None else float(as_numbers(str(path), "camera_angle_x", angle, ())),
    )


def is_mirrored(path: Path) -> bool:
    """Return whether a frame file describes a world that is mirrored in x, as NerFace's own do."""
    return _read_intrinsics(path, read_json_object(path))[0] < 0


def write_frame_file(path: Path, frame_file: FrameFile) -> None:
    """Write a frame file in NerFace's mirrored world; reading it back gives the same values exactly."""
    content: dict[str, Any] = {}
    if frame_file.camera_angle_x is not None:
        content["camera_angle_x"] = float(frame_file.camera_angle_x)
    content["intrinsics"] = [
        -float(frame_file.fx_px),
        float(frame_file.fy_px),
        float(frame_file.cx_fraction),
        float(frame_file.cy_fraction),
    ]
    if frame_file.expression_names is not None:
        content["expression_names"] = list(frame_file.expression_names)
    content["frames"] = [_frame_to_json(frame) for frame in frame_file.frames]
    Path(path).write_text(json.dumps(content), encoding="utf-8")


def _read_intrinsics(path: Path, content: dict[str, Any]) -> tuple[float, float, float, float]:
    """Stored fx (negative when the world is mirrored), fy, cx, cy."""
    value = require_key(str(path), content, "intrinsics", "[fx, fy, cx, cy]")
    intrinsics = as_numbers(str(path), "intrinsics", value, (4,))
    fx_px, fy_px, cx_fraction, cy_fraction = (float(number) for number in intrinsics)
    if not np.isfinite(intrinsics).all() or fx_px == 0 or fy_px <= 0:
        raise ValueError(f"{path}: 'intrinsics' expected finite [fx, fy, cx, cy], fx not 0, fy > 0, got {value}")
    if not (0 <= cx_fraction <= 1 and 0 <= cy_fraction <= 1):
        raise ValueError(f"{path}: 'intrinsics' expected cx, cy as fractions of the image in [0, 1], got {value}")
    return fx_px, fy_px, cx_fraction, cy_fraction


def _read_frame(where: str, frame: dict[str, Any], is_mirrored: bool) -> FrameRecord:
    """One entry of "frames"."""
    file_path = require_key(where, frame, "file_path", "image path")
    if not isinstance(file_path, str) or not file_path:
        raise ValueError(f"{where}: 'file_path' expected text, got {file_path!r}")
    check_stored_path(where, "file_path", file_path)
    where = f"{where} ({file_path})"
    pose = require_key(where, frame, "transform_matrix", "4x4 camera-to-world")
    pose = as_numbers(where, "transform_matrix", pose, (4, 4))
    expression = require_key(where, frame, "expression", "list of coefficients")
    boxes = {name: as_numbers(where, key, frame[key], (4,)) for name, key in REGION_KEYS.items() if key in frame}
    gaze = as_numbers(where, "gaze", frame["gaze"], (2,)) if "gaze" in frame else None
    return FrameRecord(
        file_path=file_path,
        camera_to_world=mirror_pose(pose) if is_mirrored else pose,
        expression=as_numbers(where, "expression", expression, (None,)).astype(np.float32),
        face_box=as_numbers(where, "bbox", frame["bbox"], (4,)) if "bbox" in frame else None,
        region_boxes=boxes,
        gaze=gaze,
    )


def _frame_to_json(frame: FrameRecord) -> dict[str, Any]:
    """One entry of "frames"."""
    entry: dict[str, Any] = {
        "file_path": frame.file_path,
        "transform_matrix": mirror_pose(np.asarray(frame.camera_to_world, dtype=np.float64)).tolist(),
        "expression": np.asarray(frame.expression, dtype=np.float32).astype(np.float64).tolist(),
    }
    if frame.face_box is not None:
        entry["bbox"] = np.asarray(frame.face_box, dtype=np.float64).tolist()
    for name, box in frame.region_boxes.items():
        entry[REGION_KEYS[name]] = np.asarray(box, dtype=np.float64).tolist()
    if frame.gaze is not None:
        entry["gaze"] = np.asarray(frame.gaze, dtype=np.float64).tolist()
    return entry
