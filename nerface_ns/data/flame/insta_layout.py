"""INSTA's layout (Zielonka et al., CVPR 2023), which its scripts make of metrical-tracker's output.

`transforms.json` (also `_train`, `_val`, `_test`) lists frames with `transform_matrix`, `file_path` and `exp_path`. The
pose is the inverse of PyTorch3D's `opencv_from_cameras_projection`: an OpenCV camera about a head that stands still, so
the tracker's rotation is in the camera and there is no neck. `flame/exp/*.txt` hold a number a line; INSTA's scripts
can write `flame/jaw`, `flame/eyes` and `flame/eyelids` too, joints as PyTorch3D's six-number rotations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np
from PIL import Image

from nerface_ns.data.face_frames import read_image_size
from nerface_ns.data.flame.flame_pose import rotation_of_6d, vector_of_rotation
from nerface_ns.data.flame.flame_recording import OPENCV_TO_OPENGL, FlameRecording, required_path
from nerface_ns.data.frame_json import as_numbers, read_json_object, require_frames, require_key
from nerface_ns.data.image_file import DAMAGED

JOINT_FOLDERS = {"jaw": 1, "eyes": 2}
"""Folders under `flame/` with rotations, and number of joints in each file."""


def read_insta(root: Path) -> FlameRecording:
    """Read a folder in INSTA's layout.

    Raises:
        FileNotFoundError: A file that the frames name is missing.
        ValueError: A file does not hold what the layout says.
    """
    path = root / "transforms.json"
    if not path.is_file():
        path = root / "transforms_train.json"
    content = read_json_object(path)
    frames = require_frames(str(path), content)
    if path.name != "transforms.json" and (root / "transforms_test.json").is_file():
        frames = frames + require_frames(str(root), read_json_object(root / "transforms_test.json"))
    if not frames:
        raise ValueError(f"{path}: expected at least one frame, got none")
    # The tracker's frames are handed out to several processes and stored as they come back.
    listed = sorted(((f"{path}: frame {row}", frame) for row, frame in enumerate(frames)), key=_file_path)
    places, records = [where for where, _ in listed], [frame for _, frame in listed]
    images = [root / required_path(where, frame, "file_path") for where, frame in listed]
    poses = [as_numbers(*_pose_of(where, frame), (4, 4)) for where, frame in listed]
    expression_files = [root / required_path(where, frame, "exp_path") for where, frame in listed]
    return FlameRecording(
        source=path,
        frame_names=[image.stem for image in images],
        image_filenames=images,
        image_size=read_image_size(images[0]),
        camera_to_world=np.stack(poses) @ OPENCV_TO_OPENGL,
        intrinsics_px=np.tile(_read_intrinsics(path, content), (len(images), 1)),
        expression=_read_columns(expression_files, places),
        conditions=_read_joints(root, images, places),
        split=_read_split(root, records),
        mask_sources=images if _has_alpha(images[0]) else None,
        mask_rule="alpha",
    )


def _file_path(item: tuple[str, dict[str, Any]]) -> str:
    """Key of the order of frames."""
    return required_path(*item, "file_path")


def _pose_of(where: str, frame: dict[str, Any]) -> tuple[str, str, Any]:
    """Arguments of `as_numbers` for a frame's pose."""
    return where, "transform_matrix", require_key(where, frame, "transform_matrix", "4x4 camera-to-world")


def _read_intrinsics(path: Path, content: dict[str, Any]) -> np.ndarray:
    """fx, fy, cx, cy in pixels; pixel centres are at halves, as in instant-ngp."""
    keys = ("fl_x", "fl_y", "cx", "cy")
    found = [float(as_numbers(str(path), key, require_key(str(path), content, key, "pixels"), ())) for key in keys]
    if not np.isfinite(found).all() or min(found[:2]) <= 0:
        raise ValueError(f"{path}: expected fl_x, fl_y > 0 and finite cx, cy, got {found}")
    return np.array(found)


def _read_columns(paths: list[Path], places: list[str]) -> np.ndarray:
    """(n, k) numbers, one text file a frame."""
    rows = []
    for path, where in zip(paths, places):
        try:
            rows.append(np.array(path.read_text().split(), dtype=np.float64))
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{where}: expected coefficients {path}, found none") from error
        except (ValueError, UnicodeDecodeError) as error:
            raise ValueError(f"{where}: expected one number a line in {path}, got {error}") from error
        if len(rows[-1]) != len(rows[0]):
            raise ValueError(f"{where}: expected {len(rows[0])} numbers as in the first frame, got {len(rows[-1])}")
    return np.stack(rows)


def _read_joints(root: Path, images: list[Path], places: list[str]) -> dict[str, np.ndarray]:
    """Conditions that stand in further folders under `flame/`."""
    found: dict[str, np.ndarray] = {}
    for name in (*JOINT_FOLDERS, "eyelids"):
        paths = [root / "flame" / name / f"{image.stem}.txt" for image in images]
        if not paths[0].is_file():
            continue
        values = _read_columns(paths, places)
        num_joints = JOINT_FOLDERS.get(name)
        width = 2 if num_joints is None else 6 * num_joints
        if values.shape[1] != width:
            raise ValueError(f"{paths[0]}: expected {width} numbers, got {values.shape[1]}")
        if num_joints is not None:
            rotation = rotation_of_6d(values.reshape(len(values), num_joints, 6))
            values = vector_of_rotation(rotation).reshape(len(values), 3 * num_joints)
        found[name] = values
    return found


def _read_split(root: Path, records: list[dict[str, Any]]) -> Optional[np.ndarray]:
    """Which frames `transforms_test.json` lists; INSTA's val file repeats some of those."""
    path = root / "transforms_test.json"
    if not path.is_file():
        return None
    test = {frame.get("file_path") for frame in require_frames(str(path), read_json_object(path))}
    return np.array(["test" if frame["file_path"] in test else "train" for frame in records])


def _has_alpha(path: Path) -> bool:
    """Whether an image has an alpha channel, as those that INSTA's scripts matted."""
    try:
        with Image.open(path) as image:
            return "A" in image.getbands()
    except DAMAGED as error:
        raise ValueError(f"{path}: expected a readable image, got {error}") from error
