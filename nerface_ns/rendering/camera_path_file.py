"""Reads a camera path as nerfstudio's viewer saves it, and says what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, TypeGuard

from nerface_ns.rendering.backdrop import Backdrop
from nerface_ns.viewer.camera_path_track import TRACK_KEY

MAX_SIDE_PX = 1 << 14
"""Largest height and width."""
MAX_NUMBER = 1e9
"""Largest coordinate, angle or rate, far above any that means something."""
TWO_EYES = ("omnidirectional", "vr180")
"""Camera types that are two pictures each."""


@dataclass
class CameraPath:
    """A camera path."""

    cameras: Any
    """`Cameras`; `times` only where every frame has its `render_time`."""
    frames_per_s: float
    """Playback rate."""
    crop: Any = None
    """`OrientedBox` outside of which nothing is drawn."""
    backdrop: Optional[Backdrop] = None
    """Colour around the crop."""
    track_file: Optional[Path] = None
    """Track that the viewer's panel attached."""


def read_camera_path(path: Path) -> CameraPath:
    """Read a camera path.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no camera path, or a frame of it is malformed.
    """
    content = _read_json(path)
    _check_head(path, content)
    frames = content["camera_path"]
    timed = [index for index, frame in enumerate(frames) if isinstance(frame, dict) and "render_time" in frame]
    for index, frame in enumerate(frames):
        _check_frame(f"{path}: camera_path frame {index}", frame)
    if 0 < len(timed) < len(frames):
        untimed = next(index for index in range(len(frames)) if index not in timed)
        raise ValueError(f"{path}: camera_path frame {untimed}: expected a render_time as other frames have theirs")
    from nerfstudio.cameras.camera_paths import get_path_from_json

    # JSON writers drop the point of whole numbers, and a path of whole numbers only would become integers.
    as_floats = [
        {**frame, "camera_to_world": [float(value) for value in frame["camera_to_world"]], "fov": float(frame["fov"])}
        for frame in frames
    ]
    cameras = get_path_from_json({**content, "camera_path": as_floats})
    crop, backdrop = _read_crop(path, content)
    return CameraPath(
        _with_floats(cameras), _frames_per_s(path, content), crop, backdrop, _attached_track(path, content)
    )


def _read_json(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such camera path")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected a camera path in JSON as nerfstudio's viewer saves it: {error}") from error


def _check_head(path: Path, content: Any) -> None:
    if not isinstance(content, dict) or not isinstance(content.get("camera_path"), list):
        raise ValueError(f"{path}: expected a camera path with a list under camera_path, found none")
    if not content["camera_path"]:
        raise ValueError(f"{path}: camera_path: expected at least one frame, got none")
    for name in ("render_height", "render_width"):
        size = content.get(name)
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= MAX_SIDE_PX:
            got = repr(size)[:40]
            raise ValueError(f"{path}: {name}: expected a number of pixels, got {got}; the most is {MAX_SIDE_PX}")
    kind = content.get("camera_type", "perspective")
    if not isinstance(kind, str):
        raise ValueError(f"{path}: camera_type: expected a name, got {kind!r}")
    if kind.lower() in TWO_EYES:
        raise ValueError(f"{path}: camera_type {kind}: expected one picture a frame; ns-render camera-path renders it")


def _check_frame(where: str, frame: Any) -> None:
    if not isinstance(frame, dict):
        raise ValueError(f"{where}: expected camera_to_world and fov, got {frame!r}")
    matrix = frame.get("camera_to_world")
    if not isinstance(matrix, list) or len(matrix) != 16 or not all(map(_is_finite, matrix)):
        raise ValueError(f"{where}: camera_to_world: expected 16 finite numbers, got {matrix!r}")
    fov = frame.get("fov")
    if not _is_finite(fov) or not 0 < fov < 180:
        raise ValueError(f"{where}: fov: expected degrees between 0 and 180, got {fov!r}")
    if "render_time" in frame and not _is_finite(frame["render_time"]):
        raise ValueError(f"{where}: render_time: expected a finite number, got {frame['render_time']!r}")


def _is_finite(value: Any) -> TypeGuard[float]:
    """Whether a value of JSON is a number that can mean something."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Comparing does what math.isfinite cannot do: it takes whole numbers beyond all floats.
    return is_number and abs(value) <= MAX_NUMBER


def _frames_per_s(path: Path, content: dict[str, Any]) -> float:
    """Return the frames over their duration, as ns-render plays them, or the rate that is named."""
    seconds, named = content.get("seconds"), content.get("fps")
    rate = named
    if seconds is not None:
        if not _is_finite(seconds) or seconds <= 0:
            raise ValueError(f"{path}: seconds: expected a positive duration, got {seconds!r}")
        rate = len(content["camera_path"]) / seconds
    if not _is_finite(rate) or rate <= 0:
        raise ValueError(f"{path}: fps: expected a positive rate, or seconds, got {named!r}")
    return float(rate)


def _read_crop(path: Path, content: dict[str, Any]) -> tuple[Any, Optional[Backdrop]]:
    crop = content.get("crop")
    if crop is None:
        return None, None
    from nerfstudio.data.scene_box import OrientedBox

    wanted = "expected crop_center, crop_scale, crop_rot of three numbers each, and crop_bg_color of r, g, b up to 255"
    try:
        center, scale = crop["crop_center"], crop["crop_scale"]
        turn = crop.get("crop_rot", [0.0, 0.0, 0.0])
        colour = [crop["crop_bg_color"][name] for name in "rgb"]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: crop: {wanted}, got {crop!r}") from error
    for vector in (center, scale, turn, colour):
        if not isinstance(vector, list) or len(vector) != 3 or not all(map(_is_finite, vector)):
            raise ValueError(f"{path}: crop: {wanted}, got {vector!r}")
    # Whole numbers would become integers, with which no box can be turned.
    box = OrientedBox.from_params(*(_three_floats(vector) for vector in (center, turn, scale)))
    red, green, blue = (value / 255 for value in colour)
    return box, Backdrop((red, green, blue))


def _three_floats(vector: list[Any]) -> tuple[float, float, float]:
    """A checked list as floats."""
    x, y, z = map(float, vector)
    return x, y, z


def _attached_track(path: Path, content: dict[str, Any]) -> Optional[Path]:
    named = content.get(TRACK_KEY)
    if named is not None and not isinstance(named, str):
        raise ValueError(f"{path}: {TRACK_KEY}: expected a file name, got {named!r}")
    return None if named is None else path.parent / named


def _with_floats(cameras: Any) -> Any:
    """Intrinsics as float32: nerfstudio makes some of them from double precision numbers."""
    for name in ("fx", "fy", "cx", "cy"):
        setattr(cameras, name, getattr(cameras, name).float())
    if cameras.times is not None:
        cameras.times = cameras.times.float()
    return cameras
