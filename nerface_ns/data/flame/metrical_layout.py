"""metrical-tracker's own output (Zielonka et al., ECCV 2022): `checkpoint/*.frame` beside `input/*.png`.

Each .frame file is torch's: `flame` (`exp`, `jaw` and `eyes` as six-number rotations, `eyelids`), `opencv` (`R`, `t`,
`K` of an OpenCV world-to-camera), `img_size`. The head stands still and the camera moves, as in INSTA's layout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nerface_ns.data.face_frames import read_image_size
from nerface_ns.data.flame.flame_pose import rotation_of_6d, vector_of_rotation
from nerface_ns.data.flame.flame_recording import OPENCV_TO_OPENGL, FlameRecording

FRAME_PATTERN = "checkpoint/*.frame"


def read_metrical(root: Path) -> FlameRecording:
    """Read a folder that metrical-tracker wrote.

    Raises:
        FileNotFoundError: There is no .frame file, or an image is missing.
        ValueError: A file does not hold what the layout says.
    """
    paths = sorted(root.glob(FRAME_PATTERN))
    if not paths:
        raise FileNotFoundError(f"{root}: expected {FRAME_PATTERN}, found none")
    frames = [_load(path) for path in paths]
    images = [root / "input" / f"{path.stem}.png" for path in paths]

    def rows(group: str, key: str, *shape: int) -> np.ndarray:
        """Return a parameter of all frames."""
        return np.stack([_numbers(path, frame, group, key, shape) for path, frame in zip(paths, frames)])

    world_to_camera = np.tile(np.eye(4), (len(paths), 1, 1))
    world_to_camera[:, :3, :3] = rows("opencv", "R", 3, 3)
    world_to_camera[:, :3, 3] = rows("opencv", "t", 3)
    intrinsics = rows("opencv", "K", 3, 3)
    jaw = vector_of_rotation(rotation_of_6d(rows("flame", "jaw", 6)))
    eyes = vector_of_rotation(rotation_of_6d(rows("flame", "eyes", 12).reshape(-1, 2, 6)))
    return FlameRecording(
        source=root / "checkpoint",
        frame_names=[path.stem for path in paths],
        image_filenames=images,
        image_size=read_image_size(images[0]),
        camera_to_world=np.linalg.inv(world_to_camera) @ OPENCV_TO_OPENGL,
        intrinsics_px=intrinsics[:, [0, 1, 0, 1], [0, 1, 2, 2]],
        expression=rows("flame", "exp", -1),
        conditions={"jaw": jaw, "eyes": eyes.reshape(-1, 6), "eyelids": rows("flame", "eyelids", 2)},
    )


def _load(path: Path) -> dict[str, Any]:
    """One .frame file; only arrays, tensors and plain containers are unpickled."""
    import torch

    kinds = {type(np.dtype(code)) for code in ("f4", "f8", "i4", "i8")}
    reconstruct = np.zeros(0).__reduce__()[0]
    safe: list[Any] = [reconstruct, np.ndarray, np.dtype, *kinds]
    try:
        with torch.serialization.safe_globals(safe):
            frame = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file of anything can make torch's reader stumble in any way
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path}: expected metrical-tracker's arrays, got {reason}") from error
    if not isinstance(frame, dict):
        raise ValueError(f"{path}: expected a dictionary, got {type(frame).__name__}")
    return frame


def _numbers(path: Path, frame: dict[str, Any], group: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of a frame without its leading axis of one."""
    found = frame.get(group)
    value = found.get(key) if isinstance(found, dict) else None
    array = None if value is None else np.asarray(value, dtype=np.float64)
    size = int(np.prod(shape))
    if array is None or (size > 0 and array.size != size) or not np.isfinite(array).all():
        got = None if array is None else array.shape
        raise ValueError(f"{path}: '{group}.{key}' expected finite numbers of shape {shape}, got {got}")
    return array.reshape(shape)
