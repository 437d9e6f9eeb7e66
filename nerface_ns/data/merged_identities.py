"""Several persons' recordings as one, for a model that learns them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nerface_ns.data.face_frames import FaceFrames, FaceSequence
from nerface_ns.tracks.name_matching import canonical_name

SEPARATOR = ","
"""Between the folders of `--data`."""


def split_folders(data: Path | None) -> list[Path]:
    """Return the folders that a list with commas between names; a folder whose own name has commas is one.

    Raises:
        ValueError: A place in the list is empty, or a folder comes twice.
    """
    if data is None or SEPARATOR not in str(data) or data.exists():
        return [] if data is None else [data]
    parts = [part.strip() for part in str(data).split(SEPARATOR)]
    if "" in parts:
        raise ValueError(f"data {data}: expected dataset folders with commas between, got an empty place")
    folders = [Path(part) for part in parts]
    resolved = [folder.expanduser().resolve() for folder in folders]
    twice = next((folder for folder in resolved if resolved.count(folder) > 1), None)
    if twice is not None:
        raise ValueError(f"data {data}: expected a folder for each person, got {twice} twice")
    return folders


def common_size(sequences: Sequence[FaceSequence], resolution: int | None) -> tuple[int, int] | None:
    """Return the height and width that all pictures get; None where no height is asked for.

    Raises:
        ValueError: A person's pictures are smaller, or their proportions differ.
    """
    if resolution is None:
        return None
    sizes = [sequence.splits["train"].image_size for sequence in sequences]
    height, width = sizes[0]
    wanted = resolution, max(1, round(width * resolution / height))
    for sequence, (own_height, own_width) in zip(sequences, sizes):
        if not 0 < resolution <= own_height:
            raise ValueError(
                f"resolution: expected a height in 1..{own_height}, the stored one of {sequence.root}, got {resolution}"
            )
        if abs(own_width * resolution / own_height - wanted[1]) > 1:
            raise ValueError(
                f"{sequence.root}: expected pictures of the proportions of {sequences[0].root}, {width}x{height}, got "
                f"{own_width}x{own_height}"
            )
    return wanted


def merge_identities(sequences: Sequence[FaceSequence], size: tuple[int, int] | None) -> FaceSequence:
    """Put recordings one after the other, each person's frames marked as theirs.

    Coefficients are matched by name, however it is spelt; one that a person lacks is 0 in all of their frames. What
    only some recordings have (mattes, face boxes, gaze) is left out, and `warnings` says so.

    Args:
        sequences: One person's each, validated.
        size: Height and width to which all pictures are brought; None where they have one size.

    Raises:
        ValueError: Pictures of several sizes without `size`, or coefficients that cannot be matched.
    """
    names = _identity_names(sequences)
    expression_names, columns = _matched_coefficients(sequences, names)
    missing = _missing_parts(sequences)
    splits, times = {}, {}
    starts = np.concatenate([[0], np.cumsum([_recorded_length(sequence) for sequence in sequences])])
    for split in dict.fromkeys(split for sequence in sequences for split in sequence.splits):
        parts = []
        for row, sequence in enumerate(sequences):
            if split in sequence.splits:
                frames = _placed(sequence.splits[split], row, names[row], columns[row], len(expression_names or ()))
                parts.append(_sized(frames, size))
        splits[split] = _joined(parts, missing)
        spans = [
            (starts[row] + sequence.times[split] * (_recorded_length(sequence) - 1)) / max(starts[-1] - 1, 1)
            for row, sequence in enumerate(sequences)
            if split in sequence.splits
        ]
        times[split] = np.concatenate(spans)
    backgrounds = tuple(sequence.background_filename for sequence in sequences)
    first = sequences[0]
    return FaceSequence(
        name="+".join(names),
        root=first.root,
        splits=splits,
        times=times,
        expression_names=expression_names,
        background_filename=first.background_filename,
        world_transform=first.world_transform,
        world_scale=first.world_scale,
        warnings=tuple(f"only some of {', '.join(names)} have {part}: left out" for part in sorted(missing)),
        identity_names=names,
        identity_backgrounds=backgrounds,
    )


def _recorded_length(sequence: FaceSequence) -> int:
    return sum(len(sequence.splits[split]) for split in ("train", "val", "test"))


def _identity_names(sequences: Sequence[FaceSequence]) -> tuple[str, ...]:
    """The datasets' names, or as much of their folders' paths as tells them apart."""
    given = [sequence.name for sequence in sequences]
    if len(set(given)) == len(given):
        return tuple(given)
    resolved = [sequence.root.resolve() for sequence in sequences]
    for depth in range(1, max(len(root.parts) for root in resolved) + 1):
        names = ["_".join(part for part in root.parts[-depth:] if part != root.anchor) for root in resolved]
        if len(set(names)) == len(names):
            return tuple(names)
    raise AssertionError(f"folders that differ, got {resolved}")


def _matched_coefficients(
    sequences: Sequence[FaceSequence], identities: Sequence[str]
) -> tuple[tuple[str, ...] | None, list[np.ndarray]]:
    """The coefficients of all persons, and each person's columns among them.

    Names are the first person's who has a coefficient; without names all need the same number of coefficients.
    """
    lengths = [sequence.splits["train"].expression.shape[1] for sequence in sequences]
    named = [sequence.expression_names for sequence in sequences]
    if any(names is None for names in named):
        if any(names is not None for names in named) or len(set(lengths)) > 1:
            found = ", ".join(
                f"{identity} {length} {'without' if names is None else 'with'} names"
                for identity, length, names in zip(identities, lengths, named)
            )
            raise ValueError(
                "expression coefficients: expected names for all persons, by which they are matched, or as many for "
                f"each without names, got {found}"
            )
        return None, [np.arange(lengths[0])] * len(sequences)
    place: dict[str, int] = {}
    spelling: list[str] = []
    columns = []
    for identity, names in zip(identities, named):
        assert names is not None
        canonical = [canonical_name(name) for name in names]
        for name, key in zip(names, canonical):
            if canonical.count(key) > 1:
                raise ValueError(
                    f"{identity}: expected coefficients of different names, got {name} and another one that means the "
                    "same"
                )
            if key not in place:
                place[key] = len(spelling)
                spelling.append(name)
        columns.append(np.array([place[key] for key in canonical]))
    if len(columns) > 1 and not set.intersection(*[set(own.tolist()) for own in columns]):
        raise ValueError(
            f"expression coefficients: expected some that {', '.join(identities)} have in common by name, got none; "
            "their expressions would have nothing to do with each other"
        )
    return tuple(spelling), columns


def _missing_parts(sequences: Sequence[FaceSequence]) -> set[str]:
    """Optional parts that some frames have and others lack."""
    every = [frames for sequence in sequences for frames in sequence.splits.values()]
    regions = {name for frames in every for name in frames.region_boxes}
    found = {
        **{f"{name} boxes": [name in frames.region_boxes for frames in every] for name in regions},
        "mattes": [frames.alpha_filenames is not None for frames in every],
        "parsings": [frames.parsing_filenames is not None for frames in every],
        "face boxes": [frames.face_boxes is not None for frames in every],
        "gaze": [frames.gaze is not None for frames in every],
    }
    return {part for part, there in found.items() if any(there) and not all(there)}


def _placed(frames: FaceFrames, row: int, name: str, columns: np.ndarray, length: int) -> FaceFrames:
    """One person's frames with the coefficients of all, named after the person."""
    expression = np.zeros((len(frames), max(length, frames.expression.shape[1])), dtype=np.float32)
    if length:
        expression = expression[:, :length]
    expression[:, columns] = frames.expression
    return replace(
        frames,
        frame_names=[f"{name}/{frame}" for frame in frames.frame_names],
        expression=expression,
        identity=np.full(len(frames), row, dtype=np.int64),
        landmarks_px=None,
    )


def _sized(frames: FaceFrames, size: tuple[int, int] | None) -> FaceFrames:
    """Frames whose pictures will be read at another size."""
    if size is None or size == frames.image_size:
        return frames
    scale = np.array(size) / np.array(frames.image_size)
    return replace(frames, image_size=size, intrinsics_px=frames.intrinsics_px * scale[[1, 0, 1, 0]])


def _joined(parts: Sequence[FaceFrames], missing: set[str]) -> FaceFrames:
    """Frames one after the other."""
    sizes = {frames.image_size for frames in parts}
    if len(sizes) > 1:
        found = ", ".join(
            f"{frames.source.parent.name} {frames.image_size[1]}x{frames.image_size[0]}" for frames in parts
        )
        raise ValueError(f"expected pictures of one size for all persons, got {found}; set the dataparser's resolution")

    def stack(values: Sequence[np.ndarray | None]) -> np.ndarray | None:
        """Join what all parts have; None where one has nothing."""
        there = [value for value in values if value is not None]
        return np.concatenate(there) if len(there) == len(values) else None

    regions = [name for name in parts[0].region_boxes if f"{name} boxes" not in missing]
    boxes = {name: np.concatenate([frames.region_boxes[name] for frames in parts]) for name in regions}
    mattes = [path for frames in parts for path in frames.alpha_filenames or []]
    parsings = [path for frames in parts for path in frames.parsing_filenames or []]
    intrinsics = np.concatenate([frames.intrinsics_px for frames in parts])
    identity = stack([frames.identity for frames in parts])
    return FaceFrames(
        source=parts[0].source,
        frame_names=[name for frames in parts for name in frames.frame_names],
        image_filenames=[path for frames in parts for path in frames.image_filenames],
        image_size=parts[0].image_size,
        camera_to_world=np.concatenate([frames.camera_to_world for frames in parts]),
        intrinsics_px=intrinsics,
        expression=np.concatenate([frames.expression for frames in parts]),
        face_boxes=None if "face boxes" in missing else stack([frames.face_boxes for frames in parts]),
        region_boxes=boxes,
        gaze=None if "gaze" in missing else stack([frames.gaze for frames in parts]),
        alpha_filenames=None if "mattes" in missing else mattes or None,
        parsing_filenames=None if "parsings" in missing else parsings or None,
        are_boxes_projected=any(frames.are_boxes_projected for frames in parts),
        identity=identity,
    )
