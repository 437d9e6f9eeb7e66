"""The neutral record that every FLAME layout fills, in its tracker's own world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np

from nerface_ns.data.derived_masks import MaskRule
from nerface_ns.data.frame_json import check_stored_path
from nerface_ns.tracks.array_file import read_archive_file

AXES = ("x", "y", "z")

CONDITION_NAMES = {
    "jaw": tuple(f"jaw_{axis}" for axis in AXES),
    "eyes": tuple(f"eye_{side}_{axis}" for side in ("first", "second") for axis in AXES),
    "neck": tuple(f"neck_{axis}" for axis in AXES),
    "eyelids": ("eyelid_first", "eyelid_second"),
}
"""Names of the conditions beside the expression; the two eyes stand in the tracker's order, which trackers choose
differently."""

OPENCV_TO_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
"""Right factor that turns an OpenCV camera (y down, z forward) into an OpenGL one (y up, z back)."""

PYTORCH3D_TO_OPENGL = np.diag([-1.0, 1.0, -1.0, 1.0])
"""Right factor that turns a PyTorch3D camera (x left, y up, z forward) into an OpenGL one."""


@dataclass
class FlameRecording:
    """All frames of a recording, in order."""

    source: Path
    """File that lists the frames; errors name it."""
    frame_names: list[str]
    """One name per frame."""
    image_filenames: list[Path]
    """Colour images."""
    image_size: tuple[int, int]
    """Height and width in pixels."""
    camera_to_world: np.ndarray
    """(n, 4, 4) OpenGL cameras in the tracker's world."""
    intrinsics_px: np.ndarray
    """(n, 4) fx, fy, cx, cy; pixel (i, j) is seen along (i + 0.5, j + 0.5)."""
    expression: np.ndarray
    """(n, E) expression coefficients."""
    conditions: dict[str, np.ndarray] = field(default_factory=dict)
    """"jaw" (n, 3), "eyes" (n, 6), "neck" (n, 3) axis-angle in radians, "eyelids" (n, 2), as far as the layout has
    them."""
    rotation: Optional[np.ndarray] = None
    """(n, 3) axis-angle about the root joint; None where the head stands still and the camera moves."""
    translation: Optional[np.ndarray] = None
    """(n, 3) shift after the rotation."""
    is_root_centred: bool = False
    """Whether the tracker's world has its origin, before the translation, in the root joint."""
    split: Optional[np.ndarray] = None
    """(n,) "train", "test" or "nvs" (a camera kept apart), where the layout says so."""
    order: Optional[np.ndarray] = None
    """(n,) place in the recording, where frames of several cameras share one; the row without it."""
    mask_sources: Optional[list[Path]] = None
    """Files that mattes come from."""
    mask_rule: Optional[MaskRule] = None
    """How; None when the files are mattes."""
    face_boxes: Optional[np.ndarray] = None
    """(n, 4) y0, y1, x0, x1 as fractions of the image."""
    landmarks_px: Optional[np.ndarray] = None
    """(n, L, 2) x and y of landmarks."""

    def __len__(self) -> int:
        return len(self.frame_names)

    def describe(self, row: int) -> str:
        """Words that name a frame in an error."""
        return f"{self.source}: frame {row} ({self.frame_names[row]})"


def read_arrays(path: Path, keys: Sequence[str], optional: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Number arrays of an .npz file; nothing is unpickled.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no .npz, a key is missing, or an array holds something else than finite numbers.
    """
    try:
        arrays = read_archive_file(path, (*keys, *optional))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected FLAME's parameters here, found none") from error
    missing = [key for key in keys if key not in arrays]
    if missing:
        raise ValueError(f"{path}: expected the array '{missing[0]}', got only {sorted(arrays)}")
    for key, array in arrays.items():
        if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise ValueError(f"{path}: '{key}' expected finite numbers, got {array.dtype} of shape {array.shape}")
    return arrays


def rows_of(path: Path, key: str, array: np.ndarray, width: int | None = None) -> np.ndarray:
    """An array as float64 (n, width), with a check of its width.

    Raises:
        ValueError: It has another shape.
    """
    if array.ndim != 2 or (width is not None and array.shape[1] != width):
        raise ValueError(f"{path}: '{key}' expected numbers of shape nx{width or 'n'}, got {array.shape}")
    return array.astype(np.float64)


def required_path(where: str, frame: dict[str, Any], key: str) -> str:
    """Text under a key that names a file."""
    return check_stored_path(where, key, frame.get(key))
