"""Recordings tracked with FLAME, in the layouts of INSTA, IMavatar, Neural Head Avatars and VHAP."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Optional, Tuple, Type

import numpy as np

from nerface_ns.data.dataparsers.face_dataparser import FaceDataParser, FaceDataParserConfig
from nerface_ns.data.derived_masks import derive_masks
from nerface_ns.data.face_frames import FaceFrames, FaceSequence
from nerface_ns.data.flame.flame_recording import FlameRecording
from nerface_ns.data.flame.head_frames import HeadFrames
from nerface_ns.data.flame.layouts import LAYOUTS, detect_layout
from nerface_ns.data.recorded_splits import split_last
from nerface_ns.data.world_placement import place_head_at_origin

Condition = Literal["expression", "jaw", "eyes", "neck", "eyelids"]


@dataclass
class FlameDataParserConfig(FaceDataParserConfig):
    """FLAME-tracked recordings; expression, jaw, eyes, neck and eyelids side by side make the condition."""

    _target: Type = field(default_factory=lambda: FlameDataParser)
    """Target class to instantiate."""
    layout: Literal["auto", "insta", "metrical-tracker", "imavatar", "neural-head-avatars", "vhap"] = "auto"
    """Layout of the folder; "auto" tells it by its files. PointAvatar's is "imavatar", GaussianAvatars' "vhap"."""
    conditions: Optional[Tuple[Condition, ...]] = None
    """What drives the avatar, in this order; None takes all that the layout has, but the neck only while it is not part
    of the rigid pose. Names: exp_000.., jaw_x.., eye_first_x.., neck_x.., eyelid_first.."""
    num_expressions: Optional[int] = None
    """Keep so many of the expression coefficients, the first ones (FLAME orders them by variance); None keeps all."""
    fold_neck: bool = True
    """Make the neck's turn part of the head's rigid pose: the head then stands still in its frame and the shoulders
    move. Without it the shoulders' frame stays and the head moves in it, which only a neck condition can tell the
    field."""
    root_joint: Optional[Tuple[float, float, float]] = None
    """FLAME's root joint in the tracker's units, for layouts that do not have it at the origin; None fits it so that
    the faces of all frames meet in one point."""
    neck_joint: Optional[Tuple[float, float, float]] = None
    """FLAME's neck joint, told from the root joint; None fits it likewise."""
    test_fraction: float = 0.15
    """Share of the frames, the last ones, that make the test split where the layout names none."""
    test_folders: Tuple[str, ...] = ()
    """IMavatar only: the clips (folder names) that make the test split."""
    num_val_frames: int = 8
    """Frames held out for validation, spread over the training part."""
    use_masks: bool = True
    """Read mattes: the images' alpha channel (INSTA), `mask/`, `seg_0000.png` or `fg_masks/`."""
    camera_distance: Optional[float] = 0.5
    """Move the head to the origin and scale the world until the training cameras' mean distance is this (NerFace's is
    about 0.5). None keeps the tracker's unit."""


class FlameDataParser(FaceDataParser):
    """Reads a FLAME layout and composes its rigid pose; see `nerface_ns.data.flame.flame_pose`."""

    config: FlameDataParserConfig
    finds_split_file = False

    def _read_sequence(self) -> FaceSequence:
        root = self.config.data
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: expected a dataset folder here, found none; set --data")
        layout = detect_layout(root) if self.config.layout == "auto" else self.config.layout
        recording = LAYOUTS[layout](root, self.config.test_folders)
        masks = self._masks(recording)
        head = HeadFrames(
            recording,
            masks,
            fold_neck=self.config.fold_neck,
            root_joint=self.config.root_joint,
            neck_joint=self.config.neck_joint,
        )
        expression, names = self._expression(recording)
        frames = FaceFrames(
            source=recording.source,
            frame_names=recording.frame_names,
            image_filenames=recording.image_filenames,
            image_size=recording.image_size,
            camera_to_world=head.camera_to_world,
            intrinsics_px=recording.intrinsics_px,
            expression=expression,
            face_boxes=head.face_boxes,
            alpha_filenames=masks,
            landmarks_px=recording.landmarks_px,
            are_boxes_projected=recording.face_boxes is None,
        )
        sequence = self._split(root, recording, frames)
        sequence.expression_names, sequence.warnings = names, head.warnings
        if self.config.camera_distance is not None:
            place_head_at_origin(sequence, self.config.camera_distance)
        return sequence

    def _masks(self, recording: FlameRecording) -> list[Path] | None:
        """Matte files, made of the layout's own where those are no mattes."""
        sources = recording.mask_sources
        if not self.config.use_masks or sources is None:
            return None
        missing = [row for row, path in enumerate(sources) if not path.is_file()]
        if missing:
            raise FileNotFoundError(
                f"{recording.describe(missing[0])}: expected {sources[missing[0]]} as other frames have theirs, found "
                "none"
            )
        return sources if recording.mask_rule is None else derive_masks(sources, recording.mask_rule)

    def _expression(self, recording: FlameRecording) -> tuple[np.ndarray, tuple[str, ...]]:
        """(n, K) conditions side by side, and their names."""
        present = {"expression": recording.expression, **recording.conditions}
        wanted = self.config.conditions
        if wanted is None:
            is_neck_told = self.config.fold_neck
            wanted = tuple(name for name in present if name != "neck" or not is_neck_told)
        missing = [name for name in wanted if name not in present]
        if missing or not wanted or len(set(wanted)) < len(wanted):
            raise ValueError(
                f"conditions: expected some of {sorted(present)}, which {recording.source} has, each once, got {wanted}"
            )
        count = self.config.num_expressions
        if count is not None and not 0 < count <= recording.expression.shape[1]:
            raise ValueError(f"num_expressions: expected 1..{recording.expression.shape[1]}, got {count}")
        parts = [present[name][:, :count] if name == "expression" else present[name] for name in wanted]
        names = [name for key, part in zip(wanted, parts) for name in condition_names(key, part.shape[1])]
        return np.concatenate(parts, axis=1).astype(np.float32), tuple(names)

    def _split(self, root: Path, recording: FlameRecording, frames: FaceFrames) -> FaceSequence:
        """Cut the recording as the layout says, else at its end; validation frames come from the training part."""
        labels = recording.split
        order = np.arange(len(frames), dtype=np.float64) if recording.order is None else recording.order
        if labels is None:
            num_test = round(self.config.test_fraction * len(frames))
            labels = np.where(np.arange(len(frames)) >= len(frames) - num_test, "test", "train")
        rows = {name: np.flatnonzero(labels == name) for name in ("train", "test", "nvs")}
        try:
            # One frame more stands for the test split, which is cut already.
            kept = split_last(len(rows["train"]) + 1, min(len(rows["test"]), 1), self.config.num_val_frames)
        except ValueError as error:
            counts = {name: len(found) for name, found in rows.items()}
            raise ValueError(f"{recording.source}: {error}; the layout's splits are {counts}") from error
        rows["val"], rows["train"] = rows["train"][kept["val"]], rows["train"][kept["train"]]
        if len(rows["nvs"]) == 0:
            del rows["nvs"]
        span = max(order.max() - order.min(), 1.0)
        return FaceSequence(
            name=root.resolve().name,
            root=root,
            splits={name: frames.select(found) for name, found in rows.items()},
            times={name: (order[found] - order.min()) / span for name, found in rows.items()},
        )


def condition_names(condition: str, length: int) -> tuple[str, ...]:
    """Names of one condition's coefficients."""
    from nerface_ns.data.flame.flame_recording import CONDITION_NAMES

    if condition == "expression":
        return tuple(f"exp_{index:03d}" for index in range(length))
    return CONDITION_NAMES[condition]
