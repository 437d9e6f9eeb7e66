"""Neural Head Avatars' layout (Grassal et al., CVPR 2022): `frame_NNNN/` folders and `tracked_flame_params.npz`.

Facts of the released code and of its video-head-tracker: PyTorch3D cameras (x left, y up, z forward) with `RT`, the
identity unless calibrated; FLAME with its root joint at the origin, turned by `rotation`, moved by `translation`.
`K` is [f, cx, cy], f as a share of the longer side, cx and cy as shares of width and height, or a 3x3 matrix in pixels.
Neck, jaw and eyes are stored before a limiter: the angle is low + (tanh(stored) + 1) / 2 (high - low).
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np

from nerface_ns.data.face_frames import read_image_size
from nerface_ns.data.flame.flame_recording import PYTORCH3D_TO_OPENGL, FlameRecording, read_arrays, rows_of
from nerface_ns.data.frame_json import as_numbers, read_json_object
from nerface_ns.data.landmark_boxes import face_boxes_of

LIMITS_DEG = {
    "neck": ((-90, 90), (-60, 60), (-80, 80)),
    "jaw": ((-5, 60), (-0.1, 0.1), (-0.1, 0.1)),
    "eyes": ((-50, 50), (-50, 50), (-0.1, 0.1), (-50, 50), (-50, 50), (-0.1, 0.1)),
}
"""Ranges of the limiter, degrees."""

IMAGE_FILE, SEGMENTATION_FILE, LANDMARK_FILE = "image_0000.png", "seg_0000.png", "keypoints_static_0000.json"


def head_avatars_file(root: Path) -> Optional[Path]:
    """The tracker's output: in the folder itself or in its newest `tracking_N` below; None when there is none."""
    own = root / "tracked_flame_params.npz"
    if own.is_file():
        return own
    found = sorted(root.glob("**/tracked_flame_params*.npz"))
    return found[-1] if found else None


def read_head_avatars(root: Path) -> FlameRecording:
    """Read a folder in Neural Head Avatars' layout.

    Raises:
        FileNotFoundError: The tracker's output or an image is missing.
        ValueError: A file does not hold what the layout says.
    """
    path = head_avatars_file(root)
    if path is None:
        raise FileNotFoundError(f"{root}: expected tracked_flame_params.npz, found none")
    keys = ("expr", "rotation", "translation", "neck_pose", "jaw_pose", "eyes_pose", "frame", "K")
    arrays = read_arrays(path, keys, optional=("RT", "image_size", "n_processed"))
    numbers = arrays["frame"].astype(int).ravel()
    count = min(len(arrays["expr"]), len(numbers))
    if "n_processed" in arrays and 0 < int(arrays["n_processed"]) < count:
        count = int(arrays["n_processed"])
    order = np.argsort(numbers[:count], kind="stable")
    numbers = numbers[:count][order]
    folders = [root / f"frame_{number:04d}" for number in numbers]
    images = [folder / IMAGE_FILE for folder in folders]
    size = read_image_size(images[0])
    landmarks = _read_landmarks(folders)

    def rows(key: str, width: int | None = None) -> np.ndarray:
        """Return an array's rows in the recording's order."""
        return rows_of(path, key, arrays[key], width)[:count][order]

    masks = [folder / SEGMENTATION_FILE for folder in folders]
    return FlameRecording(
        source=path,
        frame_names=[folder.name for folder in folders],
        image_filenames=images,
        image_size=size,
        camera_to_world=np.tile(_read_camera(path, arrays.get("RT")), (count, 1, 1)),
        intrinsics_px=np.tile(_read_intrinsics(path, arrays, size), (count, 1)),
        expression=rows("expr"),
        conditions={
            "neck": limited_angles(rows("neck_pose", 3), "neck"),
            "jaw": limited_angles(rows("jaw_pose", 3), "jaw"),
            "eyes": limited_angles(rows("eyes_pose", 6), "eyes"),
        },
        rotation=rows("rotation", 3),
        translation=rows("translation", 3),
        is_root_centred=True,
        split=_read_split(root, numbers),
        mask_sources=masks if masks[0].is_file() else None,
        mask_rule="labels",
        face_boxes=None if landmarks is None else face_boxes_of(landmarks, size),
        landmarks_px=landmarks,
    )


def limited_angles(stored: np.ndarray, joint: str) -> np.ndarray:
    """Axis-angle vectors of what the tracker stores."""
    low, high = np.radians(np.array(LIMITS_DEG[joint], dtype=np.float64)).T
    return low + (np.tanh(stored) + 1) / 2 * (high - low)


def _read_camera(path: Path, stored: Optional[np.ndarray]) -> np.ndarray:
    """(4, 4) OpenGL camera; PyTorch3D's points are rows, so its rotation stands transposed."""
    world_to_camera = np.eye(4)
    if stored is not None:
        if stored.shape != (3, 4):
            raise ValueError(f"{path}: 'RT' expected shape 3x4, got {stored.shape}")
        world_to_camera[:3, :3], world_to_camera[:3, 3] = stored[:, :3].T, stored[:, 3]
    return np.linalg.inv(world_to_camera) @ PYTORCH3D_TO_OPENGL


def _read_intrinsics(path: Path, arrays: dict[str, np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """fx, fy, cx, cy in pixels of the stored images."""
    stored = arrays["K"].astype(np.float64)
    tracked = arrays.get("image_size", np.array(size)).astype(np.float64).ravel()
    height, width = size
    if tracked.shape != (2,) or (tracked <= 0).any():
        raise ValueError(f"{path}: 'image_size' expected height and width, got {tracked.tolist()}")
    scale = np.array([width / tracked[1], height / tracked[0]])
    if stored.shape == (3,) and stored[0] > 0:
        focal = stored[0] * tracked.max() * scale
        return np.array([*focal, stored[1] * width, stored[2] * height])
    if stored.shape == (3, 3) and stored[0, 0] > 0 and stored[1, 1] > 0:
        return np.array([stored[0, 0], stored[1, 1], stored[0, 2], stored[1, 2]]) * np.tile(scale, 2)
    raise ValueError(f"{path}: 'K' expected [f, cx, cy] or a 3x3 matrix with focal lengths > 0, got {stored.tolist()}")


def _read_split(root: Path, numbers: np.ndarray) -> Optional[np.ndarray]:
    """Frames that `split.json` keeps for validation are the test split."""
    path = root / "split.json"
    if not path.is_file():
        return None
    content = read_json_object(path)
    held_out = as_numbers(str(path), "val", content.get("val", []), (None,))
    return np.where(np.isin(numbers, held_out), "test", "train")


def _read_landmarks(folders: list[Path]) -> Optional[np.ndarray]:
    """(n, 68, 2) landmarks, or None when the first frame has none."""
    if not (folders[0] / LANDMARK_FILE).is_file():
        return None
    points = []
    for folder in folders:
        path = folder / LANDMARK_FILE
        people = read_json_object(path).get("people") or [{}]
        stored = as_numbers(str(path), "face_keypoints_2d", people[0].get("face_keypoints_2d", []), (None,))
        if len(stored) < 204:
            raise ValueError(f"{path}: 'face_keypoints_2d' expected x, y, confidence of 68 points, got {len(stored)}")
        points.append(stored[:204].reshape(68, 3)[:, :2])
    return np.stack(points)
