"""The neutral record that every dataparser fills: frames of a face with cameras, expressions and boxes, validated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from PIL import Image

from nerface_ns.data.frame_json import FrameRecord
from nerface_ns.data.image_file import DAMAGED

ROTATION_TOLERANCE = 1e-3
"""Largest entry of R @ R.T - I that still passes: trackers write float32, sometimes from rounded text."""

BOX_TOLERANCE = 1e-6
"""How far a box may leave the image by rounding, as a fraction of the image."""


@dataclass
class FaceFrames:
    """The frames of one split, at the stored resolution and in the recorded order."""

    source: Path
    """File that lists the frames; errors name it."""
    frame_names: list[str]
    """One name per frame, unique within the split, e.g. "train/f_0000"."""
    image_filenames: list[Path]
    """Colour images."""
    image_size: tuple[int, int]
    """Height and width in pixels that every image must have."""
    camera_to_world: np.ndarray
    """(n, 4, 4) float64 proper OpenGL cameras."""
    intrinsics_px: np.ndarray
    """(n, 4) float64 fx, fy, cx, cy at the stored resolution; pixel (i, j) is seen along (i + 0.5, j + 0.5)."""
    expression: np.ndarray
    """(n, K) float32 tracked coefficients."""
    face_boxes: np.ndarray | None = None
    """(n, 4) y0, y1, x0, x1 as fractions of the image, y down."""
    region_boxes: dict[str, np.ndarray] = field(default_factory=dict)
    """(n, 4) boxes by region name, "mouth" and "eyes"."""
    gaze: np.ndarray | None = None
    """(n, 2) radians in the head's frame: pitch up, yaw towards +x (the subject's left)."""
    alpha_filenames: list[Path] | None = None
    """Mattes, 0 background to 255 head."""
    landmarks_px: np.ndarray | None = None
    """(n, L, 2) x and y of facial landmarks at the stored resolution, where the format has them; only for checks."""
    are_boxes_projected: bool = False
    """Whether the face boxes were made with the cameras, and so say nothing about them."""
    parsing_filenames: list[Path] | None = None
    """Parsing maps, which say what part of the person each pixel shows."""
    identity: np.ndarray | None = None
    """(n,) whose each frame is, a row of the sequence's `identity_names`, where it shows several persons."""

    def __len__(self) -> int:
        return len(self.frame_names)

    def describe(self, index: int) -> str:
        """Words that name a frame in an error."""
        return f"{self.source}: frame {index} ({self.frame_names[index]})"

    def select(self, indices: Sequence[int] | Int[np.ndarray, " frames"]) -> FaceFrames:
        """The frames at `indices`, in that order."""
        rows = np.asarray(indices, dtype=np.int64)
        return FaceFrames(
            source=self.source,
            frame_names=[self.frame_names[row] for row in rows],
            image_filenames=[self.image_filenames[row] for row in rows],
            image_size=self.image_size,
            camera_to_world=self.camera_to_world[rows],
            intrinsics_px=self.intrinsics_px[rows],
            expression=self.expression[rows],
            face_boxes=None if self.face_boxes is None else self.face_boxes[rows],
            region_boxes={name: boxes[rows] for name, boxes in self.region_boxes.items()},
            gaze=None if self.gaze is None else self.gaze[rows],
            alpha_filenames=None if self.alpha_filenames is None else [self.alpha_filenames[row] for row in rows],
            landmarks_px=None if self.landmarks_px is None else self.landmarks_px[rows],
            are_boxes_projected=self.are_boxes_projected,
            parsing_filenames=None if self.parsing_filenames is None else [self.parsing_filenames[row] for row in rows],
            identity=None if self.identity is None else self.identity[rows],
        )


@dataclass
class FaceSequence:
    """A recorded face: its splits and what they share."""

    name: str
    """Dataset name for tables and folders."""
    root: Path
    """Folder of the dataset."""
    splits: dict[str, FaceFrames]
    """"train", "val", "test" and any extra split such as "nvs"."""
    times: dict[str, np.ndarray]
    """Per split (n,) positions along the whole recorded track, 0 first frame to 1 last."""
    expression_names: tuple[str, ...] | None = None
    """Names of the coefficients, where the format has them."""
    background_filename: Path | None = None
    """Photograph of the static background."""
    world_transform: np.ndarray = field(default_factory=lambda: np.eye(4))
    """(4, 4) rigid transform from the stored (unmirrored) world, applied before `world_scale`."""
    world_scale: float = 1.0
    """Factor on translations from the stored world."""
    warnings: tuple[str, ...] = ()
    """What the reader noticed and cannot mend, such as a neck that moves apart from the rigid pose."""
    identity_names: tuple[str, ...] = ()
    """Names of the persons, where it shows several."""
    identity_backgrounds: tuple[Path | None, ...] = ()
    """Their background photographs."""


def stack_records(where: Path, frames: Sequence[FrameRecord]) -> dict[str, Any]:
    """Stack the per-frame fields of a frame file; optional ones must be there for all frames or for none.

    Returns:
        Arguments of `FaceFrames`: camera_to_world, expression, face_boxes, region_boxes, gaze.

    Raises:
        ValueError: No frames, expressions of unequal length, or an optional field that only some frames have.
    """
    if not frames:
        raise ValueError(f"{where}: expected at least one frame, got none")
    length = len(frames[0].expression)
    for index, frame in enumerate(frames):
        if len(frame.expression) != length:
            raise ValueError(
                f"{where}: frame {index} ({frame.file_path}): expected {length} expression coefficients as in frame 0, "
                f"got {len(frame.expression)}"
            )
    regions = sorted({name for frame in frames for name in frame.region_boxes})
    return {
        "camera_to_world": np.stack([frame.camera_to_world for frame in frames]),
        "expression": np.stack([frame.expression for frame in frames]),
        "face_boxes": _stack_optional(where, frames, "bbox", [frame.face_box for frame in frames]),
        "region_boxes": {
            name: _stack_optional(where, frames, f"{name}_box", [frame.region_boxes.get(name) for frame in frames])
            for name in regions
        },
        "gaze": _stack_optional(where, frames, "gaze", [frame.gaze for frame in frames]),
    }


def _stack_optional(
    where: Path, frames: Sequence[FrameRecord], key: str, values: list[np.ndarray | None]
) -> np.ndarray | None:
    """Stack values that all frames have, or None when none has one."""
    missing = [index for index, value in enumerate(values) if value is None]
    if len(missing) == len(values):
        return None
    if missing:
        raise ValueError(
            f"{where}: frame {missing[0]} ({frames[missing[0]].file_path}): expected '{key}' as other frames have it, "
            "got none"
        )
    return np.stack([value for value in values if value is not None])


def read_image_size(path: Path) -> tuple[int, int]:
    """Height and width from an image's header, without decoding it.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is no image that Pillow knows.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected an image here, found none") from error
    except DAMAGED as error:
        raise ValueError(f"{path}: expected a readable image, got {error}") from error
    return height, width


def check_frames(frames: FaceFrames, check_image_sizes: bool = True) -> None:
    """Refuse frames that training would choke on, with one error for the first that is wrong.

    Args:
        frames: The split to check.
        check_image_sizes: Read every image's header; without it only the files' existence is checked.

    Raises:
        FileNotFoundError: An image or matte is missing.
        ValueError: No frames, a bad pose, expression, gaze, box, or an image of another size.
    """
    if len(frames) == 0:
        raise ValueError(f"{frames.source}: expected at least one frame, got none")
    _check_poses(frames)
    _check_finite(frames, "expression", frames.expression)
    if frames.gaze is not None:
        _check_finite(frames, "gaze", frames.gaze)
    boxes = {"face box": frames.face_boxes, **{f"{name} box": box for name, box in frames.region_boxes.items()}}
    for name, values in boxes.items():
        if values is not None:
            _check_boxes(frames, name, values)
    _check_images(frames, "image", frames.image_filenames, check_image_sizes)
    if frames.alpha_filenames is not None:
        _check_images(frames, "mask", frames.alpha_filenames, check_image_sizes)
    if frames.parsing_filenames is not None:
        _check_images(frames, "parsing", frames.parsing_filenames, check_image_sizes)


def _check_finite(frames: FaceFrames, name: str, values: np.ndarray) -> None:
    """No NaN and no infinity in any frame's row."""
    bad = ~np.isfinite(values.reshape(len(frames), -1))
    if bad.any():
        index, column = (int(number) for number in np.argwhere(bad)[0])
        value = values.reshape(len(frames), -1)[index, column]
        raise ValueError(f"{frames.describe(index)}: expected a finite {name}, got {value} at position {column}")


def _check_poses(frames: FaceFrames) -> None:
    """Camera poses are finite rigid transforms without a reflection."""
    poses = frames.camera_to_world
    _check_finite(frames, "pose", poses)
    bad = np.abs(poses[:, 3] - np.array([0, 0, 0, 1])).max(axis=1) > BOX_TOLERANCE
    for index in np.flatnonzero(bad)[:1].tolist():
        raise ValueError(f"{frames.describe(index)}: expected last pose row [0, 0, 0, 1], got {poses[index, 3]}")
    rotation = poses[:, :3, :3]
    error = np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
    determinant = np.linalg.det(rotation)
    for index in np.flatnonzero((error > ROTATION_TOLERANCE) | (determinant < 0))[:1].tolist():
        got = f"determinant {determinant[index]:.4f}, R @ R.T off the identity by {error[index]:.2g}"
        reason = " (a reflection)" if determinant[index] < 0 else ""
        raise ValueError(f"{frames.describe(index)}: expected a proper rotation in the pose, got {got}{reason}")


def _check_boxes(frames: FaceFrames, name: str, boxes: np.ndarray) -> None:
    """Boxes are not empty and stay in the image."""
    _check_finite(frames, name, boxes)
    low, high = boxes[:, 0::2], boxes[:, 1::2]
    good = (low >= -BOX_TOLERANCE) & (low < high) & (high <= 1 + BOX_TOLERANCE)
    for index in np.flatnonzero(~good.all(axis=1))[:1].tolist():
        raise ValueError(
            f"{frames.describe(index)}: expected {name} y0, y1, x0, x1 with 0 <= low < high <= 1, "
            f"got {boxes[index].tolist()}"
        )


def _check_images(frames: FaceFrames, kind: str, filenames: list[Path], check_sizes: bool) -> None:
    """Files are there and, on request, have the size of the first training image."""
    for index, path in enumerate(filenames):
        if not path.is_file():
            raise FileNotFoundError(f"{frames.describe(index)}: expected {kind} {path}, found none")
        if check_sizes and (size := read_image_size(path)) != frames.image_size:
            raise ValueError(
                f"{frames.describe(index)}: expected {kind} of {frames.image_size[1]}x{frames.image_size[0]} pixels "
                f"as the other frames, got {size[1]}x{size[0]} in {path}"
            )
