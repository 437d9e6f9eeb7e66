"""Are the pictures whole, distinct, and before a background that stands still?"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from nerface_ns.checking.finding import Finding
from nerface_ns.data.face_frames import FaceFrames, FaceSequence
from nerface_ns.data.frame_store import decode_alpha, decode_frame

BACKGROUND_FRAMES = 24
"""Frames, evenly spread, whose background is compared."""

SMALL_HEIGHT = 128
"""Height to which they are averaged down."""

MOVED_LEVELS = 12
"""A background pixel whose median absolute deviation over the frames is above this (of 255) moves."""

MOVED_SHARE = 0.1
"""More of the background than this has to move before the camera is said to."""

PHOTOGRAPH_LEVELS = 20
"""Median difference (of 255) from the background photograph that is reported."""

BOX_GROWTH = 0.2
"""Part of the face box's size by which it is enlarged where only boxes tell the person from the background."""

LEAK_SHARE = 0.05
"""More test frames than this that are training frames too spoil the scores; a few come of a video's repeated frames."""

DUPLICATE_SHARE = 0.02
"""More frames than this that repeat another frame of their split are reported."""


def check_files(sequence: FaceSequence) -> list[Finding]:
    """Decode every image and matte, and look for pictures that are there twice."""
    broken: list[str] = []
    digests: dict[str, list[str]] = {}
    jobs = {}
    for split, frames in sequence.splits.items():
        if not any(frames is other for other in jobs.values()):
            jobs[split] = frames
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for split, frames in jobs.items():
            alphas: Sequence[Path | None] = frames.alpha_filenames or [None] * len(frames)
            done = list(pool.map(_digest, frames.image_filenames, alphas, [frames.image_size] * len(frames)))
            broken += [text for text in done if text.startswith("broken ")]
            digests[split] = done
    count = sum(len(frames) for frames in jobs.values())
    if broken:
        figures = {"frames": count, "broken": len(broken), "first": broken[0].removeprefix("broken ")}
        detail = f"{len(broken)} of {count} pictures cannot be read: {figures['first']}"
        return [Finding("pictures", "fail", detail, "replace or drop them", "corrupt", figures)]
    whole = Finding("pictures", "ok", f"all {count} decode", figures={"frames": count, "broken": 0})
    return [whole, _check_duplicates(jobs, digests)]


def _digest(image: Path, alpha: Path | None, size: tuple[int, int]) -> str:
    """Hash of the pixels, or what is wrong with the file."""
    try:
        return hashlib.blake2b(decode_frame(image, alpha, *size)[..., :3].tobytes(), digest_size=16).hexdigest()
    except (ValueError, FileNotFoundError) as error:
        return f"broken {error}"


def _check_duplicates(splits: dict[str, FaceFrames], digests: dict[str, list[str]]) -> Finding:
    """Pictures that stand twice in a split, or in training and test."""
    check = "duplicates"
    train = set(digests["train"])
    leaked = [
        frames.frame_names[row]
        for split, frames in splits.items()
        if split in ("test", "nvs")
        for row, digest in enumerate(digests[split])
        if digest in train
    ]
    num_test = sum(len(frames) for split, frames in splits.items() if split in ("test", "nvs"))
    repeats = sum(len(found) - len(set(found)) for found in digests.values())
    total = sum(len(found) for found in digests.values())
    figures = {"repeated": repeats, "test_in_train": len(leaked)}
    if leaked:
        detail = f"{len(leaked)} test pictures are training pictures too, such as {leaked[0]}"
        status = "fail" if len(leaked) > LEAK_SHARE * num_test else "warn"
        return Finding(check, status, detail, "scores would be too good: split the frames anew", "leak", figures)
    if repeats > DUPLICATE_SHARE * total:
        detail = f"{repeats} of {total} pictures repeat another one of their split"
        return Finding(check, "warn", detail, "drop them", "duplicates", figures)
    return Finding(check, "ok", f"{repeats} of {total} pictures repeat another one", figures=figures)


def check_background(sequence: FaceSequence) -> list[Finding]:
    """Compare what is behind the person over the frames, and with the photograph."""
    check = "static background"
    frames = sequence.splits["train"]
    rows = np.unique(np.linspace(0, len(frames) - 1, BACKGROUND_FRAMES).round().astype(int))
    frames = frames.select(rows)
    if frames.alpha_filenames is None and frames.face_boxes is None:
        return [Finding(check, "skip", "neither mattes nor face boxes tell the person from the background")]
    height, width = frames.image_size
    small = (min(SMALL_HEIGHT, height), max(1, round(width * min(SMALL_HEIGHT, height) / height)))
    images = np.stack([decode_frame(path, None, *small) for path in frames.image_filenames]).astype(np.float32)
    is_background = np.stack([_background_of(frames, row, small) for row in range(len(frames))])
    seen = is_background.sum(axis=0) >= max(3, len(frames) // 4)
    if seen.mean() < 0.02:
        return [Finding(check, "skip", "too little of the background is ever seen")]
    shown = np.where(is_background[..., None], images, np.nan)[:, seen]
    middle = np.nanmedian(shown, axis=0)
    deviation = np.nanmedian(np.abs(shown - middle), axis=0).mean(axis=-1)
    moved = float((deviation > MOVED_LEVELS).mean())
    figures = {"background": round(float(seen.mean()), 3), "moving": round(moved, 4)}
    detail = f"{moved:.0%} of the background changes between frames"
    if moved > MOVED_SHARE:
        remedy = "the background is taken as fixed in the image: use masks and a plain background colour"
        findings = [Finding(check, "warn", detail, remedy, "moving-background", figures)]
    else:
        findings = [Finding(check, "ok", detail, figures=figures)]
    if sequence.background_filename is not None:
        photograph = decode_frame(sequence.background_filename, None, *small).astype(np.float32)[seen]
        findings.append(_check_photograph(float(np.median(np.abs(photograph - middle)))))
    return findings


def _check_photograph(apart: float) -> Finding:
    """The photograph has to look like what is behind the person."""
    figures = {"median_difference": round(apart, 2)}
    detail = f"differs from what the frames show by {apart:.0f} of 255 in the median"
    if apart > PHOTOGRAPH_LEVELS:
        return Finding("background photograph", "warn", detail, "take the right one or none", "photograph", figures)
    return Finding("background photograph", "ok", detail, figures=figures)


def _background_of(frames: FaceFrames, row: int, size: tuple[int, int]) -> np.ndarray:
    """Pixels of a frame, averaged down, that show no person."""
    import cv2

    height, width = size
    if frames.alpha_filenames is not None:
        alpha = decode_alpha(frames.alpha_filenames[row])
        person = cv2.resize((alpha > 5).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        return person == 0
    assert frames.face_boxes is not None
    y0, y1, x0, x1 = frames.face_boxes[row]
    grow = BOX_GROWTH * max(y1 - y0, x1 - x0)
    y, x = (np.arange(height)[:, None] + 0.5) / height, (np.arange(width) + 0.5) / width
    # Shoulders are below the head and wider than it.
    return (y < y1) & ((y < y0 - grow) | (x < x0 - grow) | (x > x1 + grow))


def check_mattes(sequence: FaceSequence) -> Finding:
    """Mattes have to show a person, and that where the face box is."""
    check = "mattes"
    frames = sequence.splits["train"]
    if frames.alpha_filenames is None:
        return Finding(check, "skip", "no mattes")
    rows = np.unique(np.linspace(0, len(frames) - 1, BACKGROUND_FRAMES).round().astype(int)).tolist()
    shares, in_box = [], []
    for row in rows:
        visible = decode_alpha(frames.alpha_filenames[row]) > 127
        shares.append(visible.mean())
        if frames.face_boxes is not None:
            height, width = visible.shape
            y0, y1, x0, x1 = (frames.face_boxes[row] * [height, height, width, width]).round().astype(int)
            in_box.append(visible[y0:y1, x0:x1].mean() if y1 > y0 and x1 > x0 else 0.0)
    figures = {"visible": round(float(np.mean(shares)), 3), "in_face_box": round(float(np.mean(in_box or [0])), 3)}
    detail = f"the person covers {np.mean(shares):.0%} of the image"
    if min(shares) < 0.005 or max(shares) > 0.995:
        row = rows[int(np.argmin(shares)) if min(shares) < 0.005 else int(np.argmax(shares))]
        what = "empty" if min(shares) < 0.005 else "full"
        detail = f"frame {frames.frame_names[row]} has a matte that is {what}"
        return Finding(check, "warn", detail, "drop such frames", "matte", figures)
    if in_box and np.mean(in_box) < 0.4:
        detail += f", but only {np.mean(in_box):.0%} of the face boxes"
        remedy = "black is background: are the mattes inverted, or another set's?"
        return Finding(check, "fail", detail, remedy, "matte", figures)
    return Finding(check, "ok", detail, figures=figures)
