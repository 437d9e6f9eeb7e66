"""IMavatar's and PointAvatar's layout (Zheng et al., CVPR 2022 and 2023): `flame_params.json` beside `image/`, `mask/`.

Facts of the released code: `intrinsics` are [fx, fy, cx, cy] as fractions of the image, or pixels at 512 when cy is
above 1; fx is negative because the ray of pixel (i, j) is ((i - cx) / fx, (j - cy) / fy, 1) times -1, an OpenGL camera,
without half a pixel. `world_mat` (3x4) is world-to-camera. `pose` is 15 numbers: root, neck, jaw and two eyes,
axis-angle. FLAME is enlarged 4 times. `bbox` is x0, y0, x1, y1 and `flame_keypoints` are x, y, all from -1 to 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nerface_ns.data.face_frames import read_image_size
from nerface_ns.data.flame.flame_recording import FlameRecording, required_path
from nerface_ns.data.frame_json import as_numbers, read_json_object, require_frames, require_key

PARAMETER_FILE = "flame_params.json"

OLD_IMAGE_SIZE = 512
"""Image size that older files' intrinsics are pixels of."""


def imavatar_files(root: Path) -> list[Path]:
    """Parameter files: the folder's own, else those of its subfolders, one a clip."""
    own = root / PARAMETER_FILE
    return [own] if own.is_file() else sorted(root.glob(f"*/{PARAMETER_FILE}"))


def read_imavatar(root: Path, test_folders: tuple[str, ...] = ()) -> FlameRecording:
    """Read one clip, or all clips of a person one after the other.

    Args:
        root: Folder of the clip, or of several clips' folders.
        test_folders: Names of the clips that make the test split.

    Raises:
        FileNotFoundError: There is no parameter file, or an image is missing.
        ValueError: A file does not hold what the layout says.
    """
    paths = imavatar_files(root)
    if not paths:
        raise FileNotFoundError(f"{root}: expected {PARAMETER_FILE} here or in a subfolder, found none")
    unknown = set(test_folders) - {path.parent.name for path in paths}
    if unknown:
        raise ValueError(f"test_folders: expected some of {[path.parent.name for path in paths]}, got {min(unknown)}")
    clips = [_Clip(path) for path in paths]
    names = [f"{clip.path.parent.name}/{name}" for clip in clips for name in clip.names]
    pose = np.concatenate([clip.numbers("pose", (15,)) for clip in clips])
    split = np.repeat(
        ["test" if clip.path.parent.name in test_folders else "train" for clip in clips],
        [len(clip.frames) for clip in clips],
    )
    return FlameRecording(
        source=paths[0] if len(paths) == 1 else root,
        frame_names=names,
        image_filenames=[image for clip in clips for image in clip.images],
        image_size=clips[0].image_size,
        camera_to_world=np.concatenate([clip.camera_to_world() for clip in clips]),
        intrinsics_px=np.concatenate([clip.intrinsics_px() for clip in clips]),
        expression=np.concatenate([clip.numbers("expression", (None,)) for clip in clips]),
        conditions={"neck": pose[:, 3:6], "jaw": pose[:, 6:9], "eyes": pose[:, 9:15]},
        rotation=pose[:, :3],
        translation=np.zeros((len(names), 3)),
        split=split if test_folders else None,
        mask_sources=_masks([clip.images for clip in clips]),
        face_boxes=_optional(clips, "bbox", (4,), _boxes),
        landmarks_px=_optional(clips, "flame_keypoints", (None, 2), _points),
    )


class _Clip:
    """One parameter file.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.content = path, read_json_object(path)
        self.frames = require_frames(str(path), self.content)
        if not self.frames:
            raise ValueError(f"{path}: expected at least one frame, got none")
        self.places = [f"{path}: frame {row}" for row in range(len(self.frames))]
        stored = [required_path(where, frame, "file_path") for where, frame in zip(self.places, self.frames)]
        self.images = [path.parent / f"{name}.png" for name in stored]
        self.names = [image.stem for image in self.images]
        self.image_size = read_image_size(self.images[0])

    def numbers(self, key: str, shape: tuple[int | None, ...]) -> np.ndarray:
        """Stacked numbers of a key that every frame has."""
        rows = [
            as_numbers(where, key, require_key(where, frame, key, "numbers"), shape)
            for where, frame in zip(self.places, self.frames)
        ]
        for where, row in zip(self.places, rows):
            if row.shape != rows[0].shape:
                raise ValueError(f"{where}: '{key}' expected shape {rows[0].shape} as in frame 0, got {row.shape}")
        return np.stack(rows)

    def camera_to_world(self) -> np.ndarray:
        """(n, 4, 4) inverse of `world_mat`."""
        world_to_camera = np.tile(np.eye(4), (len(self.frames), 1, 1))
        world_to_camera[:, :3] = self.numbers("world_mat", (None, 4))[:, :3]
        bad = np.abs(np.linalg.det(world_to_camera)) < 1e-6
        for row in np.flatnonzero(bad)[:1]:
            raise ValueError(f"{self.places[row]}: 'world_mat' expected a rigid transform, got a singular matrix")
        return np.linalg.inv(world_to_camera)

    def intrinsics_px(self) -> np.ndarray:
        """(n, 4) fx, fy, cx, cy in pixels of the stored images."""
        stored = require_key(str(self.path), self.content, "intrinsics", "[fx, fy, cx, cy]")
        fx, fy, cx, cy = as_numbers(str(self.path), "intrinsics", stored, (4,))
        if not (np.isfinite([fx, fy, cx, cy]).all() and fx < 0 < fy):
            raise ValueError(f"{self.path}: 'intrinsics' expected finite [fx, fy, cx, cy] fx < 0 < fy, got {stored}")
        height, width = self.image_size
        unit = np.array([width, height, width, height]) / (OLD_IMAGE_SIZE if cy > 1 else 1)
        pixels = np.array([-fx, fy, cx, cy]) * unit + np.array([0, 0, 0.5, 0.5])
        return np.tile(pixels, (len(self.frames), 1))


def _masks(images: list[list[Path]]) -> list[Path] | None:
    """Files in `mask/` named like those in `image/`; None when the first is not there."""
    masks = [image.parent.parent / "mask" / image.name for clip in images for image in clip]
    return masks if masks[0].is_file() else None


def _boxes(values: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """y0, y1, x0, x1 as fractions, of x0, y0, x1, y1 from -1 to 1."""
    return np.clip((values[:, [1, 3, 0, 2]] + 1) / 2, 0, 1)


def _points(values: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Pixels x and y, of numbers from -1 to 1."""
    height, width = image_size
    return (values + 1) / 2 * np.array([width, height])


def _optional(clips: list[_Clip], key: str, shape: tuple[int | None, ...], convert: Any) -> np.ndarray | None:
    """Converted numbers that all frames have, or None when no frame has them."""
    if not any(key in frame for clip in clips for frame in clip.frames):
        return None
    return np.concatenate([convert(clip.numbers(key, shape), clip.image_size) for clip in clips])
