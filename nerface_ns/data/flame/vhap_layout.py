"""VHAP's export (Qian 2024) and GaussianAvatars' data: `transforms*.json` and a FLAME .npz for each moment.

Facts of the released code: `transform_matrix` is an OpenGL camera, one or several cameras stand still while FLAME
moves; `cx`, `cy` put pixel centres at halves. Each .npz has `expr`, `rotation`, `neck_pose`, `jaw_pose`, `eyes_pose`
and `translation` with one row, axis-angle; FLAME turns about its root joint and is not centred in it. Val files hold
another camera at moments of the training, or nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np

from nerface_ns.data.face_frames import read_image_size
from nerface_ns.data.flame.flame_recording import FlameRecording, read_arrays, required_path, rows_of
from nerface_ns.data.frame_json import as_numbers, read_json_object, require_frames, require_key

PARAMETERS = {"expr": None, "rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6, "translation": 3}
"""Arrays of a moment's file, and their widths."""

SPLIT_FILES = {
    "train": "transforms_train.json",
    "nvs": "transforms_val.json",
    "test": "transforms_test.json",
}
"""Our split by the layout's file; val is the novel view."""


def read_vhap(root: Path) -> FlameRecording:
    """Read a folder that VHAP exported.

    Raises:
        FileNotFoundError: A file that the frames name is missing.
        ValueError: A file does not hold what the layout says.
    """
    listed, split = _list_frames(root)
    listed = [listed[row] for row in np.argsort([moment for _, _, moment in listed], kind="stable")]
    places, records = [where for where, _, _ in listed], [frame for _, frame, _ in listed]
    images = [_image_of(root, where, frame) for where, frame in zip(places, records)]
    moments = _read_moments(root, places, records)
    masked = [item for item in zip(places, records) if "fg_mask_path" in records[0]]
    masks = [root / required_path(where, frame, "fg_mask_path") for where, frame in masked]
    return FlameRecording(
        source=root / "transforms.json" if (root / "transforms.json").is_file() else root,
        frame_names=[image.stem for image in images],
        image_filenames=images,
        image_size=read_image_size(images[0]),
        camera_to_world=np.stack([_numbers(*item, "transform_matrix", (4, 4)) for item in zip(places, records)]),
        intrinsics_px=np.stack([_read_intrinsics(*item) for item in zip(places, records)]),
        expression=moments["expr"],
        conditions={"neck": moments["neck_pose"], "jaw": moments["jaw_pose"], "eyes": moments["eyes_pose"]},
        rotation=moments["rotation"],
        translation=moments["translation"],
        split=None if split is None else np.array([split[str(frame["file_path"])] for frame in records]),
        order=np.array([moment for _, _, moment in listed], dtype=np.float64),
        mask_sources=masks if masks and masks[0].is_file() else None,
    )


def _image_of(root: Path, where: str, frame: dict[str, Any]) -> Path:
    """Image of a frame; some exports leave the suffix out, and mean .png (GaussianAvatars' loader)."""
    image = root / required_path(where, frame, "file_path")
    return image if image.suffix else image.with_suffix(".png")


def _list_frames(root: Path) -> tuple[list[tuple[str, dict[str, Any], int]], Optional[dict[str, str]]]:
    """Frames with their moments, each once, and the split of each image where the layout has files for splits."""
    split: dict[str, str] = {}
    frames: dict[str, tuple[str, dict[str, Any], int]] = {}
    for name in ("transforms.json", *SPLIT_FILES.values()):
        path = root / name
        if not path.is_file():
            continue
        for row, frame in enumerate(require_frames(str(path), read_json_object(path))):
            where = f"{path}: frame {row}"
            image = required_path(where, frame, "file_path")
            moment = require_key(where, frame, "timestep_index", "number of the moment")
            frames.setdefault(image, (where, frame, int(as_numbers(where, "timestep_index", moment, ()))))
            for part, file_name in SPLIT_FILES.items():
                # A frame of several files trains, else tests: val may repeat the training's.
                if file_name == name and split.get(image) in (None, "nvs"):
                    split[image] = part
    if not frames:
        raise ValueError(f"{root}: expected frames in transforms.json or transforms_train.json, got none")
    for image in frames.keys() - split.keys():
        split[image] = "train"
    return list(frames.values()), split if "test" in split.values() else None


def _read_moments(root: Path, places: list[str], records: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """(n, ...) parameters of every frame; cameras share a moment's file."""
    cache: dict[str, dict[str, np.ndarray]] = {}
    rows: dict[str, list[np.ndarray]] = {key: [] for key in PARAMETERS}
    for where, frame in zip(places, records):
        name = required_path(where, frame, "flame_param_path")
        if name not in cache:
            arrays = read_arrays(root / name, tuple(PARAMETERS))
            cache[name] = {
                key: rows_of(root / name, key, np.atleast_2d(arrays[key]), width)[0]
                for key, width in PARAMETERS.items()
            }
        for key in PARAMETERS:
            rows[key].append(cache[name][key])
    lengths = {len(row) for row in rows["expr"]}
    if len(lengths) > 1:
        raise ValueError(f"{root}: 'expr' expected the same length in all files, got {sorted(lengths)}")
    return {key: np.stack(values) for key, values in rows.items()}


def _numbers(where: str, frame: dict[str, Any], key: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Numbers under a key that every frame has."""
    return as_numbers(where, key, require_key(where, frame, key, "numbers"), shape)


def _read_intrinsics(where: str, frame: dict[str, Any]) -> np.ndarray:
    """fx, fy, cx, cy in pixels."""
    found = np.array([float(_numbers(where, frame, key, ())) for key in ("fl_x", "fl_y", "cx", "cy")])
    if not np.isfinite(found).all() or (found[:2] <= 0).any():
        raise ValueError(f"{where}: expected fl_x, fl_y > 0 and finite cx, cy, got {found.tolist()}")
    return found
