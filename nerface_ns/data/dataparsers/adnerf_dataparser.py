"""AD-NeRF's layout: one person's video with tracked 3DMM coefficients (Guo et al., ICCV 2021)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional, Type

import numpy as np

from nerface_ns.data.adnerf_coefficients import read_coefficients
from nerface_ns.data.dataparsers.face_dataparser import FaceDataParser, FaceDataParserConfig
from nerface_ns.data.face_frames import FaceFrames, FaceSequence, read_image_size
from nerface_ns.data.frame_json import as_numbers, read_json_object, require_frames, require_key
from nerface_ns.data.frame_store import decode_frame
from nerface_ns.data.landmark_boxes import face_boxes_of, read_all_landmarks, region_boxes_of
from nerface_ns.data.recorded_splits import recorded_times, split_last
from nerface_ns.data.world_placement import place_head_at_origin

PLAIN_NAME = re.compile(r"[\w. -]{1,200}")
"""An `img_id` that stays in its folder."""
POSITION_FOLDER = "frames"
"""Images in this folder are named by their place in the list, those in others by `img_id`."""

ID_FOLDERS = ("com_imgs", "gt_imgs", "head_imgs")
"""Tried in this order: the whole person before the background, as AD-NeRF and as RAD-NeRF and ER-NeRF call it, then the
head alone."""


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
    """Folder of the images; None takes `frames` (named by place in the list), else `com_imgs`, `gt_imgs` or `head_imgs`
    (named by `img_id`)."""
    expression: Literal["auto", "exp.npy", "track_params.pt", "au.csv"] = "auto"
    """File of the coefficients; "auto" takes the first of these that is there. `au.csv` has OpenFace's action units, as
    in RAD-NeRF's and ER-NeRF's folders: their intensities (0 to 5) are the expression, named like "AU12"."""
    camera_distance: Optional[float] = 0.5
    """Move the head to the origin and scale the world until the training cameras' mean distance is this (NerFace's
    is about 0.5; AD-NeRF's about 0.8). None keeps the stored world."""


class ADNeRFDataParser(FaceDataParser):
    """Reads `transforms_{train,val}.json`, `exp.npy`, `track_params.pt` or `au.csv`, images and `bc.jpg`.

    `face_rect` is x, y, width, height in pixels (AD-NeRF's `process_data.py` writes it so; RAD-NeRF's order differs).
    Where frames have none, as in RAD-NeRF's and ER-NeRF's folders, faces come from `ori_imgs/<img_id>.lms`.
    Row i of the coefficients belongs to frame i of the list, training frames before validation frames; row i of
    `au.csv` belongs to the frame whose `img_id` is i.
    """

    config: ADNeRFDataParserConfig

    def _read_sequence(self) -> FaceSequence:
        root = self.config.data
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: expected a dataset folder here, found none; set --data")
        frames = self._read_frames(root)
        num_test = round(self.config.test_fraction * len(frames))
        try:
            everything = {split: list(range(len(frames))) for split in ("train", "val", "test")}
            by_count = self.split_path(root) is None
            rows = split_last(len(frames), num_test, self.config.num_val_frames) if by_count else everything
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
            expression_names=self._expression_names,
            background_filename=background if background.is_file() else None,
        )
        if self.config.camera_distance is not None:
            place_head_at_origin(sequence, self.config.camera_distance)
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
        names = [_read_name(where, frame) for where, frame in listed]
        images = self._image_filenames(root, names)
        height, width = read_image_size(images[0])
        intrinsics = [_read_intrinsics(path, content) for path, content in zip(paths, contents)]
        counts = [len(content["frames"]) for content in contents]
        poses = [_read_array(where, frame, "transform_matrix", (4, 4)) for where, frame in listed]
        places = [f"{where} ({name})" for (where, _), name in zip(listed, names)]
        landmarks = read_all_landmarks([root / "ori_imgs" / f"{name}.lms" for name in names], places)
        boxes = _read_rectangles(listed, height, width)
        if boxes is None and landmarks is not None:
            boxes = face_boxes_of(landmarks, (height, width))
        expression, self._expression_names = read_coefficients(root, self.config.expression, names)
        return FaceFrames(
            source=paths[0] if len(paths) == 1 else root,
            frame_names=names,
            image_filenames=images,
            image_size=(height, width),
            camera_to_world=np.stack(poses),
            intrinsics_px=np.repeat(np.stack(intrinsics), counts, axis=0),
            expression=expression,
            face_boxes=boxes,
            region_boxes={} if landmarks is None else region_boxes_of(landmarks, (height, width)),
            landmarks_px=None if landmarks is None else landmarks + 0.5,
        )

    def _image_filenames(self, root: Path, names: list[str]) -> list[Path]:
        """Image of each frame."""
        folder = self.config.image_folder
        if folder is None:
            found = [name for name in (POSITION_FOLDER, *ID_FOLDERS) if (root / name).is_dir()]
            if not found:
                raise FileNotFoundError(f"{root}: expected a folder frames, com_imgs, gt_imgs or head_imgs, found none")
            folder = found[0]
        stems = [str(index) for index in range(len(names))] if folder == POSITION_FOLDER else names
        return [root / folder / f"{stem}.jpg" for stem in stems]


def _read_array(where: str, frame: dict[str, Any], key: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Numbers under a key that every frame has."""
    size = "x".join(str(length) for length in shape)
    return as_numbers(where, key, require_key(where, frame, key, f"{size} numbers"), shape)


def _read_rectangles(listed: list[tuple[str, dict[str, Any]]], height: int, width: int) -> np.ndarray | None:
    """(n, 4) face boxes as fractions from `face_rect`; None when no frame has one."""
    if not any("face_rect" in frame for _, frame in listed):
        return None
    rectangles = np.stack([_read_array(where, frame, "face_rect", (4,)) for where, frame in listed])
    x, y, box_width, box_height = rectangles.T
    return np.stack([y / height, (y + box_height) / height, x / width, (x + box_width) / width], axis=-1)


def _read_name(where: str, frame: dict[str, Any]) -> str:
    """What an image is called; it becomes part of a file's name."""
    name = require_key(where, frame, "img_id", "number of the image")
    if isinstance(name, bool) or not isinstance(name, (int, str)) or not PLAIN_NAME.fullmatch(str(name)):
        raise ValueError(f"{where}: 'img_id' expected the number or plain name of an image, got {str(name)[:60]!r}")
    return str(name)


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
