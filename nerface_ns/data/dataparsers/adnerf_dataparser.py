"""AD-NeRF's layout: one person's video with tracked 3DMM coefficients (Guo et al., ICCV 2021)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Type

import numpy as np

from nerface_ns.data.dataparsers.face_dataparser import FaceDataParser, FaceDataParserConfig
from nerface_ns.data.face_frames import FaceFrames, FaceSequence, read_image_size
from nerface_ns.data.frame_json import as_numbers, read_json_object, require_frames, require_key
from nerface_ns.data.frame_store import decode_frame
from nerface_ns.data.recorded_splits import recorded_times, split_last
from nerface_ns.data.scene_bounds import head_center

POSITION_FOLDER = "frames"
"""Images in this folder are named by their place in the list, those in others by `img_id`."""

ID_FOLDERS = ("com_imgs", "head_imgs")
"""Tried in this order: the whole person before the background, then the head alone."""


@dataclass
class ADNeRFDataParserConfig(FaceDataParserConfig):
    """AD-NeRF's layout; the frames of its files, train before val, form one recording that is split anew."""

    _target: Type = field(default_factory=lambda: ADNeRFDataParser)
    """Target class to instantiate."""
    test_fraction: float = 0.15
    """Share of the frames, the last ones, that make the test split."""
    num_val_frames: int = 8
    """Frames held out for validation, spread over the training part."""
    image_folder: Optional[str] = None
    """Folder of the images; None takes `frames` (named by place in the list), else `com_imgs`, else `head_imgs` (both
    named by `img_id`)."""
    camera_distance: Optional[float] = 0.5
    """Move the head to the origin and scale the world until the training cameras' mean distance is this (NerFace's
    is about 0.5; AD-NeRF's about 0.8). None keeps the stored world."""


class ADNeRFDataParser(FaceDataParser):
    """Reads `transforms_{train,val}.json`, `exp.npy` or `track_params.pt`, images and `bc.jpg`.

    `face_rect` is x, y, width, height in pixels (AD-NeRF's `process_data.py` writes it so; RAD-NeRF's order differs).
    Row i of the coefficients belongs to frame i of the list, training frames before validation frames.
    """

    config: ADNeRFDataParserConfig

    def _read_sequence(self) -> FaceSequence:
        root = self.config.data
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: expected a dataset folder here, found none; set --data")
        frames = self._read_frames(root)
        num_test = round(self.config.test_fraction * len(frames))
        try:
            rows = split_last(len(frames), num_test, self.config.num_val_frames)
        except ValueError as error:
            raise ValueError(f"{frames.source}: {error}") from error
        splits = {split: frames.select(chosen) for split, chosen in rows.items()}
        background = root / "bc.jpg"
        if background.is_file():
            decode_frame(background, None, *read_image_size(background))
        sequence = FaceSequence(
            name=root.resolve().name,
            root=root,
            splits=splits,
            times=recorded_times({split: part.frame_names for split, part in splits.items()}),
            background_filename=background if background.is_file() else None,
        )
        if self.config.camera_distance is not None:
            _move_to_origin(sequence, self.config.camera_distance)
        return sequence

    def _read_frames(self, root: Path) -> FaceFrames:
        """All frames of all files, one after the other."""
        paths = [path for split in ("train", "val") if (path := root / f"transforms_{split}.json").is_file()]
        if not paths:
            raise FileNotFoundError(f"{root}: expected transforms_train.json or transforms_val.json, found neither")
        contents = [read_json_object(path) for path in paths]
        listed = [
            (f"{path}: frame {index}", frame)
            for path, content in zip(paths, contents)
            for index, frame in enumerate(require_frames(str(path), content))
        ]
        if not listed:
            raise ValueError(f"{paths[0]}: expected at least one frame, got none")
        names = [str(require_key(where, frame, "img_id", "number of the image")) for where, frame in listed]
        images = self._image_filenames(root, names)
        height, width = read_image_size(images[0])
        intrinsics = [_read_intrinsics(path, content) for path, content in zip(paths, contents)]
        counts = [len(content["frames"]) for content in contents]
        poses = [_read_array(where, frame, "transform_matrix", (4, 4)) for where, frame in listed]
        rectangles = np.stack([_read_array(where, frame, "face_rect", (4,)) for where, frame in listed])
        x, y, box_width, box_height = rectangles.T
        boxes = np.stack([y / height, (y + box_height) / height, x / width, (x + box_width) / width], axis=-1)
        return FaceFrames(
            source=paths[0] if len(paths) == 1 else root,
            frame_names=names,
            image_filenames=images,
            image_size=(height, width),
            camera_to_world=np.stack(poses),
            intrinsics_px=np.repeat(np.stack(intrinsics), counts, axis=0),
            expression=_read_expression(root, len(listed)),
            face_boxes=boxes,
        )

    def _image_filenames(self, root: Path, names: list[str]) -> list[Path]:
        """Image of each frame."""
        folder = self.config.image_folder
        if folder is None:
            found = [name for name in (POSITION_FOLDER, *ID_FOLDERS) if (root / name).is_dir()]
            if not found:
                raise FileNotFoundError(f"{root}: expected a folder frames, com_imgs or head_imgs, found none")
            folder = found[0]
        stems = [str(index) for index in range(len(names))] if folder == POSITION_FOLDER else names
        return [root / folder / f"{stem}.jpg" for stem in stems]


def _read_array(where: str, frame: dict[str, Any], key: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Numbers under a key that every frame has."""
    size = "x".join(str(length) for length in shape)
    return as_numbers(where, key, require_key(where, frame, key, f"{size} numbers"), shape)


def _read_intrinsics(path: Path, content: dict[str, Any]) -> np.ndarray:
    """fx, fy, cx, cy in nerfstudio's convention; AD-NeRF's rays pass through (i, j), without a half pixel."""
    values = [
        float(as_numbers(str(path), key, require_key(str(path), content, key, "pixels"), ()))
        for key in ("focal_len", "cx", "cy")
    ]
    if not np.isfinite(values).all() or values[0] <= 0:
        raise ValueError(f"{path}: expected focal_len > 0 and finite cx, cy, got {values}")
    focal_px, cx_px, cy_px = values
    return np.array([focal_px, focal_px, cx_px + 0.5, cy_px + 0.5])


def _read_expression(root: Path, num_frames: int) -> np.ndarray:
    """(n, K) coefficients from `exp.npy`, else from AD-NeRF's own tracker output."""
    path = root / "exp.npy"
    if path.is_file():
        try:
            expression = np.load(path, allow_pickle=False)
        except (ValueError, OSError) as error:
            raise ValueError(f"{path}: expected an array of numbers, got {error}") from error
    elif (path := root / "track_params.pt").is_file():
        import torch

        parameters = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(parameters, dict) or not isinstance(parameters.get("exp"), torch.Tensor):
            raise ValueError(f"{path}: expected a tensor under 'exp', got none")
        expression = parameters["exp"].numpy()
    else:
        raise FileNotFoundError(f"{root}: expected coefficients in exp.npy or track_params.pt, found neither")
    if expression.ndim != 2 or expression.dtype.kind not in "iuf":
        raise ValueError(f"{path}: expected numbers of shape frames x coefficients, got {expression.shape}")
    if len(expression) != num_frames:
        raise ValueError(f"{path}: expected {num_frames} rows, one for each frame, got {len(expression)}")
    return expression.astype(np.float32)


def _move_to_origin(sequence: FaceSequence, camera_distance: float) -> None:
    """Put the head at the origin and the training cameras at a mean distance from it."""
    train = sequence.splits["train"]
    height, width = train.image_size
    assert train.face_boxes is not None
    boxes_px = train.face_boxes * np.array([height, height, width, width])
    center = head_center(train.camera_to_world, train.intrinsics_px, boxes_px)
    if not np.isfinite(center).all():
        return  # A pose is broken; validation, which comes next, names it.
    scale = camera_distance / np.linalg.norm(train.camera_to_world[:, :3, 3] - center, axis=1).mean()
    sequence.world_transform = np.eye(4)
    sequence.world_transform[:3, 3] = -center
    sequence.world_scale = float(scale)
    for frames in sequence.splits.values():
        frames.camera_to_world = frames.camera_to_world.copy()
        frames.camera_to_world[:, :3, 3] = (frames.camera_to_world[:, :3, 3] - center) * scale
