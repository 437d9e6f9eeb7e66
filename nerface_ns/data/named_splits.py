"""`split.json`: which frames train and which are held out, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from nerface_ns.data.face_frames import FaceFrames, FaceSequence
from nerface_ns.data.frame_json import read_json_object
from nerface_ns.data.recorded_splits import recorded_times

SPLIT_FILE = "split.json"
"""Its name in a dataset's folder."""
RECORDED = ("train", "val", "test")
"""Splits that it may fill; "validation" is another word for "val"."""


def read_split_file(path: Path) -> dict[str, list[str]]:
    """Read the frames' names by split.

    Returns:
        "train", "val" and "test"; of the last two one may stand for both.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no object of lists of names, lacks frames to train or to hold out, or names a frame twice.
    """
    content = read_json_object(path)
    if "validation" in content:
        content = {**content, "val": [*content.get("val", []), *_names(path, "validation", content["validation"])]}
    found = {split: _names(path, split, content.get(split, [])) for split in RECORDED}
    odd = sorted(content.keys() - {*RECORDED, "validation"})
    if odd:
        raise ValueError(f"{path}: expected the splits train, val (or validation) and test, got {odd[0][:40]!r}")
    if not found["train"] or not (found["val"] or found["test"]):
        counts = ", ".join(f"{len(names)} in {split}" for split, names in found.items())
        raise ValueError(f"{path}: expected frames in train, and in val or test, got {counts}")
    seen: dict[str, str] = {}
    for split, names in found.items():
        for name in names:
            if name in seen:
                raise ValueError(f"{path}: expected each frame once, got {name!r} in {seen[name]} and in {split}")
            seen[name] = split
    return {**found, "val": found["val"] or found["test"], "test": found["test"] or found["val"]}


def _names(path: Path, split: str, value: Any) -> list[str]:
    """A list of names; whole numbers stand for names of digits."""
    if not isinstance(value, list) or not all(isinstance(name, (str, int)) for name in value):
        raise ValueError(f"{path}: '{split}' expected a list of frame names, got {json.dumps(value)[:60]}")
    return [str(name) for name in value]


def find_split_file(given: Path | None, root: Path, is_expected: bool = True) -> Path | None:
    """Return the split file that settings name, else the one in the dataset's folder; None where neither is.

    Args:
        given: The settings' file, maybe relative to the folder.
        root: The dataset's folder.
        is_expected: Whether to look in the folder.

    Raises:
        FileNotFoundError: The settings name a file that is not there.
    """
    if given is None:
        path = root / SPLIT_FILE
        return path if is_expected and path.is_file() else None
    path = given if given.is_absolute() or given.is_file() else root / given
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected the split_file here, found none")
    return path


def dealt_out(sequence: FaceSequence, path: Path | None) -> FaceSequence:
    """Return a recording with the splits of a split file, or as it is without one."""
    return sequence if path is None else split_by_names(sequence, path)


def split_by_names(sequence: FaceSequence, path: Path) -> FaceSequence:
    """Deal the frames of a recording out as a split file says; frames that it does not name are left out.

    A frame is named as `FaceFrames.frame_names` has it, or by the last part of that where it is one frame's alone; an
    image's suffix may follow.

    Args:
        sequence: All frames, in whatever splits.
        path: The split file.

    Raises:
        ValueError: A name is no frame's, several frames', or one's that another name means as well.
    """
    wanted = read_split_file(path)
    pool = pooled_frames([sequence.splits[split] for split in RECORDED if split in sequence.splits])
    rows = _rows_by_name(pool.frame_names)
    chosen: dict[str, list[int]] = {split: [] for split in RECORDED}
    owner: dict[int, str] = {}
    for split, names in wanted.items():
        for name in names:
            found = rows.get(name) or rows.get(_bare(name), [])
            if len(found) != 1:
                got = (
                    "no such frame" if not found else f"{len(found)} of that name, such as {pool.frame_names[found[0]]}"
                )
                raise ValueError(
                    f"{path}: {split}: expected the name of one of the {len(pool)} frames, such as "
                    f"{pool.frame_names[0]!r}, got {name!r}: {got}"
                )
            if owner.setdefault(found[0], name) != name:
                raise ValueError(
                    f"{path}: {split}: expected each frame once, got {pool.frame_names[found[0]]!r} as "
                    f"{owner[found[0]]!r} and as {name!r}"
                )
            chosen[split].append(found[0])
    splits = {split: replace(pool.select(members), source=path) for split, members in chosen.items()}
    extra = {name: frames for name, frames in sequence.splits.items() if name not in RECORDED}
    return replace(sequence, splits={**splits, **extra}, times=_times(wanted, splits, extra, sequence.times))


def _rows_by_name(names: Sequence[str]) -> dict[str, list[int]]:
    """Rows that a name may mean: the whole name's own, else those that end in it."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(Path(name).name, []).append(row)
    return {**rows, **{name: [row] for row, name in enumerate(names)}}


def _bare(name: str) -> str:
    """A name without "./" before it and an image's suffix behind it."""
    path = Path(name)
    return (path.with_suffix("") if path.suffix.lower() in (".png", ".jpg", ".jpeg") else path).as_posix()


def _times(
    wanted: Mapping[str, list[str]],
    splits: Mapping[str, FaceFrames],
    extra: Mapping[str, FaceFrames],
    before: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Places along the recording; a split that stands for two has the same in both."""
    names = {split: frames.frame_names for split, frames in splits.items()}
    times = recorded_times(names, extra=("val",) if wanted["val"] == wanted["test"] else ())
    if wanted["val"] == wanted["test"]:
        times["val"] = times["test"]
    return {**times, **{split: before[split] for split in extra}}


def pooled_frames(parts: Sequence[FaceFrames]) -> FaceFrames:
    """Return the frames of several splits one after the other, each name once; what only some have is left out."""
    seen: set[str] = set()
    fresh = []
    for part in parts:
        rows = [row for row, name in enumerate(part.frame_names) if name not in seen]
        seen.update(part.frame_names)
        if rows:
            fresh.append(part.select(rows))
    values: dict[str, Any] = {}
    for field in fields(FaceFrames):
        found = [getattr(part, field.name) for part in fresh]
        if isinstance(found[0], dict):
            common = [key for key in found[0] if all(key in value for value in found)]
            values[field.name] = {key: np.concatenate([value[key] for value in found]) for key in common}
        elif isinstance(found[0], np.ndarray):
            values[field.name] = None if any(value is None for value in found) else np.concatenate(found)
        elif isinstance(found[0], list):
            values[field.name] = (
                None if any(value is None for value in found) else [one for part in found for one in part]
            )
        else:
            values[field.name] = found[0]
    return FaceFrames(**values)
