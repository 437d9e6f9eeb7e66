"""Writes any face recording as a folder in NerFace's format, which every system that reads NerFace's data takes."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from nerface_ns.data.face_frames import FaceFrames, FaceSequence
from nerface_ns.data.frame_json import FrameFile, FrameRecord, write_frame_file

SOURCE_FILE = "source_frames.json"
"""Says which image of the original dataset each frame was."""

BACKGROUND_STEM = "bg/00050"
"""Where NerFace's release keeps the background photograph."""

SAME_INTRINSICS = 1e-6
"""Relative difference of intrinsics that counts as none: the format stores them once for all frames of a split."""


def write_nerface_dataset(
    sequence: FaceSequence, output_dir: Path, image_files: Literal["copy", "link"] = "copy"
) -> dict[str, int]:
    """Write a recording with all its splits; the folder is there whole or not at all.

    Cameras, expressions, boxes, gaze, mattes, background and the frames' places in the recording survive; landmarks do
    not. Frames are named by their place in the recording.

    Args:
        sequence: The recording, validated.
        output_dir: A folder that is not there yet.
        image_files: Copy images and mattes, or make hard links, which cost no space on the same disk.

    Returns:
        Number of frames by split.

    Raises:
        ValueError: The folder is there, cannot be written, or frames of a split have different intrinsics.
    """
    if output_dir.exists():
        raise ValueError(f"{output_dir}: expected a folder that is not there yet, found one")
    numbers = _frame_numbers(sequence)
    partial = output_dir.with_name(output_dir.name + ".part")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for split, frames in sequence.splits.items():
            _write_split(partial, split, frames, numbers[split], sequence.expression_names, image_files)
        if sequence.background_filename is not None:
            background = partial / f"{BACKGROUND_STEM}{sequence.background_filename.suffix.lower()}"
            background.parent.mkdir()
            shutil.copyfile(sequence.background_filename, background)
        (partial / SOURCE_FILE).write_text(json.dumps(_sources(sequence, numbers), indent=1), encoding="utf-8")
        partial.replace(output_dir)
    except OSError as error:
        raise ValueError(f"{output_dir}: cannot be written ({error}); choose another place") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return {split: len(frames) for split, frames in sequence.splits.items()}


def _frame_numbers(sequence: FaceSequence) -> dict[str, list[int]]:
    """Number of each frame: its rank in the recording; a view of an extra split has that of the nearest moment."""
    recorded = [split for split in ("train", "val", "test") if split in sequence.splits]
    places = [(float(time), split, row) for split in recorded for row, time in enumerate(sequence.times[split])]
    ordered = sorted(places, key=lambda place: place[0])
    numbers = {split: [0] * len(frames) for split, frames in sequence.splits.items()}
    for rank, (_, split, row) in enumerate(ordered):
        numbers[split][row] = rank
    moments = np.array([place[0] for place in ordered])
    for split in sequence.splits.keys() - set(recorded):
        numbers[split] = [int(np.argmin(np.abs(moments - time))) for time in sequence.times[split]]
        if len(set(numbers[split])) < len(numbers[split]):
            # Several views of one moment: the reader then spreads them over the recording by their order.
            numbers[split] = list(range(len(ordered), len(ordered) + len(numbers[split])))
    return numbers


def _write_split(
    folder: Path,
    split: str,
    frames: FaceFrames,
    numbers: list[int],
    names: tuple[str, ...] | None,
    image_files: Literal["copy", "link"],
) -> None:
    """Frame file, images and mattes of one split."""
    height, width = frames.image_size
    (folder / split).mkdir()
    records = []
    for row, number in enumerate(numbers):
        name = f"f_{number:05d}"
        image = frames.image_filenames[row]
        _place(image, folder / split / f"{name}{image.suffix.lower()}", image_files)
        if frames.alpha_filenames is not None:
            _place_matte(frames.alpha_filenames[row], folder / "masks" / split / f"{name}.png", image_files)
        records.append(
            FrameRecord(
                file_path=f"./{split}/{name}",
                camera_to_world=frames.camera_to_world[row],
                expression=frames.expression[row],
                face_box=None if frames.face_boxes is None else frames.face_boxes[row],
                region_boxes={region: boxes[row] for region, boxes in frames.region_boxes.items()},
                gaze=None if frames.gaze is None else frames.gaze[row],
            )
        )
    fx, fy, cx, cy = _shared_intrinsics(frames)
    frame_file = FrameFile(
        fx_px=fx,
        fy_px=fy,
        cx_fraction=(cx - 0.5) / width,
        cy_fraction=(cy - 0.5) / height,
        expression_names=names,
        frames=records,
        camera_angle_x=2 * math.atan(width / (2 * fx)),
    )
    write_frame_file(folder / f"transforms_{split}.json", frame_file)


def _shared_intrinsics(frames: FaceFrames) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy that all frames of a split have."""
    first = frames.intrinsics_px[0]
    apart = np.abs(frames.intrinsics_px - first).max(axis=1) > SAME_INTRINSICS * np.abs(first).max()
    for row in np.flatnonzero(apart)[:1].tolist():
        raise ValueError(
            f"{frames.describe(row)}: expected the intrinsics of the split's first frame {first.tolist()}, which "
            f"NerFace's format stores once, got {frames.intrinsics_px[row].tolist()}"
        )
    fx, fy, cx, cy = (float(value) for value in first)
    return fx, fy, cx, cy


def _place(source: Path, target: Path, how: Literal["copy", "link"]) -> None:
    """Copy a file, or make another name for it."""
    if how == "link":
        os.link(source.resolve(), target)
    else:
        shutil.copyfile(source, target)


def _place_matte(source: Path, target: Path, how: Literal["copy", "link"]) -> None:
    """The same for a matte, which the format wants as .png."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix.lower() == ".png":
        _place(source, target, how)
        return
    with Image.open(source) as image:
        image.convert("L").save(target)


def _sources(sequence: FaceSequence, numbers: dict[str, list[int]]) -> dict[str, str]:
    """Original image of each frame, told from the original folder where it lies there."""
    sources = {}
    for split, frames in sequence.splits.items():
        for number, image in zip(numbers[split], frames.image_filenames):
            inside = image.relative_to(sequence.root) if image.is_relative_to(sequence.root) else image
            sources[f"{split}/f_{number:05d}"] = inside.as_posix()
    return sources
