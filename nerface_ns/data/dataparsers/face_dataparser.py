"""What all face formats share: from validated frames to nerfstudio's dataparser outputs."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Optional, Tuple, Type

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs
from nerfstudio.data.scene_box import SceneBox

from nerface_ns.conditioning import keys
from nerface_ns.data.dataset_metadata import RECORDED_SPLITS, identity_metadata, recorded_views, split_metadata
from nerface_ns.data.face_frames import FaceFrames, FaceSequence, check_frames
from nerface_ns.data.frame_store import decode_alpha
from nerface_ns.data.gaze_control import with_gaze_control
from nerface_ns.data.merged_identities import common_size, merge_identities, split_folders
from nerface_ns.data.named_splits import dealt_out, find_split_file
from nerface_ns.data.recorded_splits import first_share
from nerface_ns.data.scene_bounds import estimate_near_far, estimate_scene_box

SCENE_BOX_FRAMES = 48
"""Training frames, evenly spread, from which the scene box is taken."""

MASK_THRESHOLD = 25
"""Matte values above this (of 255) count as visible where a mask bounds the scene."""


@dataclass
class FaceDataParserConfig(DataParserConfig):
    """Settings of every face format."""

    _target: Type = field(default_factory=lambda: FaceDataParser)
    """Target class to instantiate."""
    resolution: Optional[int] = None
    """Image height in pixels after averaging down; None keeps the stored size."""
    scene_box: Optional[Tuple[float, float, float, float, float, float]] = None
    """Lower and upper corner x0 y0 z0 x1 y1 z1 of the box that holds the head; None takes it from cameras and boxes."""
    scene_box_covers: Literal["auto", "mask", "face_box", "image"] = "auto"
    """What the scene box spans when it is taken from the cameras: what the masks show, the face boxes, or all that the
    images show. "auto" takes the masks, or the images when there are none: face boxes may leave out neck and torso."""
    scene_box_margin: float = 1.05
    """Factor on the size of the scene box taken from the cameras."""
    near: Optional[float] = None
    """Near plane in world units; None takes the least distance from a camera to the scene box, less 5 %."""
    far: Optional[float] = None
    """Far plane in world units; None takes the greatest distance from a camera to a box corner, plus 5 %."""
    train_share: float = 1.0
    """Part of the training frames to keep, the first ones of the recording (NerFace: half and quarter of the data)."""
    split_file: Optional[Path] = None
    """JSON that names the frames of train, val and test; None takes `split.json` of the data where it is there."""


class FaceDataParser(DataParser):
    """Base of the face formats; a format implements `_read_sequence`.

    Args:
        config: Settings of the format.
    """

    config: FaceDataParserConfig
    includes_time: bool = True
    check_image_sizes: bool = True
    """Read every image's header; the data manager turns it off where no images are needed."""
    gaze_coefficients: Optional[Tuple[str, ...]] = None
    """Patterns of the coefficients that gaze stands for, where a method's eyes follow gaze; None for all others."""
    finds_split_file: bool = True
    """Take `split.json` of the dataset's folder; False where the format has a meaning of its own for it."""
    tells_errors: bool = True
    """Print what is wrong with the training frames, as far as milliseconds show it (`nerface-check` looks closer)."""

    @abstractmethod
    def _read_sequence(self) -> FaceSequence:
        """Read the splits "train", "val" and "test", and any extra ones, unvalidated."""

    def split_path(self, root: Path) -> Optional[Path]:
        """Return the file that names the splits' frames, if there is one."""
        return find_split_file(self.config.split_file, root, self.finds_split_file)

    @cached_property
    def sequence(self) -> FaceSequence:
        """The dataset, read and validated once, with the training frames that are kept."""
        recording, rows = self._recording, self.train_rows
        if len(rows) == self.num_recorded_train_frames:
            return recording
        train, times = recording.splits["train"].select(rows), recording.times["train"][rows]
        return replace(
            recording, splits={**recording.splits, "train": train}, times={**recording.times, "train": times}
        )

    @cached_property
    def people(self) -> list[FaceDataParser]:
        """Readers of the persons, where `data` names several folders with commas between."""
        folders = split_folders(self.config.data)
        if len(folders) < 2:
            return []
        people = [replace(self.config, data=folder).setup() for folder in folders]
        for person in people:
            person.check_image_sizes, person.gaze_coefficients = self.check_image_sizes, self.gaze_coefficients
        return people

    @cached_property
    def train_rows(self) -> np.ndarray:
        """(n,) rows of the training frames that are kept, among those of the data."""
        if self.config.train_share == 1 or self.people:  # each person's own share is taken
            return np.arange(self.num_recorded_train_frames)
        return first_share(self._train_order(), self.config.train_share)

    @property
    def num_recorded_train_frames(self) -> int:
        """Number of training frames that the data have, kept or not."""
        return len(self._recording.splits["train"])

    def _train_order(self) -> np.ndarray:
        """(n,) numbers that grow with the training frames' places in the recording."""
        return self._recording.times["train"]

    @cached_property
    def _recording(self) -> FaceSequence:
        """All frames, validated; of several persons, one after the other."""
        if self.people:
            parts = [person.sequence for person in self.people]
            return merge_identities(parts, common_size(parts, self.config.resolution))
        sequence = self._read_sequence()
        sequence = dealt_out(sequence, self.split_path(sequence.root))
        length = sequence.splits["train"].expression.shape[1]
        for frames in sequence.splits.values():
            check_frames(frames, self.check_image_sizes)
            if frames.expression.shape[1] != length:
                raise ValueError(
                    f"{frames.source}: expected {length} expression coefficients as in the training frames, "
                    f"got {frames.expression.shape[1]}"
                )
        names = sequence.expression_names
        if names is not None and len(names) != length:
            raise ValueError(f"{sequence.root}: expected {length} expression names, got {len(names)}")
        return sequence if self.gaze_coefficients is None else with_gaze_control(sequence, self.gaze_coefficients)

    @cached_property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels after averaging down to `resolution`."""
        height, width = self.sequence.splits["train"].image_size
        wanted = self.config.resolution
        if wanted is None:
            return height, width
        if not 0 < wanted <= height:
            raise ValueError(f"resolution: expected a height in 1..{height}, the stored one, got {wanted}")
        return wanted, max(1, round(width * wanted / height))

    def _generate_dataparser_outputs(self, split: str = "train", **kwargs: Any) -> DataparserOutputs:
        if split not in self.sequence.splits:
            raise ValueError(
                f"{self.sequence.root}: expected split among {sorted(self.sequence.splits)}, got '{split}'"
            )
        if split == "train" and self.check_image_sizes and self.tells_errors:
            self._tell_errors()
        frames, scene_box = self.sequence.splits[split], self._scene_box
        metadata = {**self._shared_metadata, **split_metadata(frames), "frame_names": frames.frame_names}
        return DataparserOutputs(
            image_filenames=frames.image_filenames,
            cameras=self._cameras(split),
            scene_box=SceneBox(aabb=torch.from_numpy(scene_box).float()),
            metadata=metadata,
            dataparser_transform=torch.from_numpy(self.sequence.world_transform[:3]).float(),
            dataparser_scale=self.sequence.world_scale,
        )

    def _tell_errors(self) -> None:
        """Print errors once; training goes on, because a test of the cameras can be wrong about unusual data."""
        from nerfstudio.utils.rich_utils import CONSOLE

        from nerface_ns.checking.dataset_check import cheap_errors

        self.tells_errors = False
        for person in self.people:
            person._tell_errors()
        # The tests of geometry are each person's own.
        for line in self.sequence.warnings if self.people else cheap_errors(self.sequence):
            CONSOLE.print(f"Warning: {self.sequence.root.name}: {line}", style="yellow", soft_wrap=True, markup=False)

    @cached_property
    def _scene_box(self) -> np.ndarray:
        """(2, 3) corners, from the settings or the training frames."""
        if self.config.scene_box is not None:
            box = np.array(self.config.scene_box, dtype=np.float64).reshape(2, 3)
            if not (box[0] < box[1]).all():
                raise ValueError(f"scene_box: expected x0 y0 z0 below x1 y1 z1, got {self.config.scene_box}")
            return box
        if self.people:
            boxes = np.stack([person._scene_box for person in self.people])
            return np.stack([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)])
        frames = self.sequence.splits["train"]
        frames = frames.select(np.unique(np.linspace(0, len(frames) - 1, SCENE_BOX_FRAMES).round().astype(int)))
        boxes = self._visible_boxes(frames)
        margin = self.config.scene_box_margin
        try:
            return estimate_scene_box(frames.camera_to_world, frames.intrinsics_px, boxes, frames.image_size, margin)
        except ValueError as error:
            raise ValueError(f"{frames.source}: {error}") from error

    def _visible_boxes(self, frames: FaceFrames) -> np.ndarray:
        """(n, 4) boxes around what the scene box has to hold, as fractions of the image."""
        covers = self.config.scene_box_covers
        if covers == "mask" or (covers == "auto" and frames.alpha_filenames is not None):
            if frames.alpha_filenames is None:
                raise ValueError(f"{frames.source}: scene_box_covers 'mask': expected masks, found none")
            return np.stack([_mask_box(path) for path in frames.alpha_filenames])
        if covers == "face_box":
            if frames.face_boxes is None:
                raise ValueError(f"{frames.source}: scene_box_covers 'face_box': expected face boxes, found none")
            return frames.face_boxes
        return np.tile([0.0, 1.0, 0.0, 1.0], (len(frames), 1))

    @cached_property
    def _near_far(self) -> tuple[float, float]:
        """Near and far plane, from the settings or the cameras of all splits."""
        poses = [frames.camera_to_world for frames in self.sequence.splits.values()]
        near, far = estimate_near_far(np.concatenate(poses), self._scene_box)
        near = 0.95 * near if self.config.near is None else self.config.near
        far = 1.05 * far if self.config.far is None else self.config.far
        if not 0 <= near < far:
            raise ValueError(f"near, far: expected 0 <= near < far, got {near} and {far}")
        return near, far

    def _cameras(self, split: str) -> Cameras:
        """Cameras of a split at the size asked for, with its conditions."""
        frames = self.sequence.splits[split]
        intrinsics = self._scaled_intrinsics(frames)
        height, width = self.image_size
        is_train = split == "train"
        index = torch.arange(len(frames)) if is_train else torch.full((len(frames),), -1)
        metadata = {"frame_index": index[:, None], "expression": torch.from_numpy(frames.expression)}
        if frames.gaze is not None:
            metadata[keys.GAZE] = torch.from_numpy(frames.gaze).float()
        if frames.identity is not None:
            metadata[keys.IDENTITY] = torch.from_numpy(frames.identity)[:, None]
        return Cameras(
            camera_to_worlds=torch.from_numpy(frames.camera_to_world[:, :3]).float(),
            fx=intrinsics[:, 0:1],
            fy=intrinsics[:, 1:2],
            cx=intrinsics[:, 2:3],
            cy=intrinsics[:, 3:4],
            width=width,
            height=height,
            camera_type=CameraType.PERSPECTIVE,
            times=torch.from_numpy(self.sequence.times[split]).float()[:, None],
            metadata=metadata,
        )

    def _scaled_intrinsics(self, frames: FaceFrames) -> torch.Tensor:
        """(n, 4) fx, fy, cx, cy in pixels of the size asked for."""
        scale = np.array(self.image_size) / np.array(frames.image_size)
        return torch.from_numpy(frames.intrinsics_px * scale[[1, 0, 1, 0]]).float()

    @cached_property
    def _shared_metadata(self) -> dict[str, Any]:
        """What every split says about the whole dataset, chiefly the sizes a model needs."""
        sequence = self.sequence
        train = sequence.splits["train"]
        length = train.expression.shape[1]
        metadata = {
            "dataset_name": sequence.name,
            "expression_names": sequence.expression_names or tuple(f"expression_{k:02d}" for k in range(length)),
            "image_size": self.image_size,
            "scene_box_covers": self.config.scene_box_covers,
            "background_filename": sequence.background_filename,
            "near_far": self._near_far,
            "train_expression": torch.from_numpy(train.expression),
            "train_times": torch.from_numpy(sequence.times["train"]).float()[:, None],
            "train_camera_to_world": torch.from_numpy(train.camera_to_world[:, :3]).float(),
            "train_intrinsics": self._scaled_intrinsics(train),
            "recorded_views": recorded_views(sequence),
            **identity_metadata(sequence),
        }
        if train.gaze is not None:
            metadata[keys.TRAIN_GAZE] = torch.from_numpy(train.gaze).float()
        gaze = [part for part in (sequence.splits[split].gaze for split in RECORDED_SPLITS) if part is not None]
        if len(gaze) == len(RECORDED_SPLITS):
            metadata[keys.RECORDED_GAZE] = torch.from_numpy(np.concatenate(gaze)).float()
        if train.face_boxes is not None:
            metadata["train_face_boxes"] = torch.from_numpy(train.face_boxes).float()
        return metadata


def _mask_box(path: Path) -> np.ndarray:
    """(4,) box around a matte, as fractions of the image; the whole image for an empty matte, which bounds nothing."""
    alpha = decode_alpha(path) > MASK_THRESHOLD
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    if len(rows) == 0:
        return np.array([0.0, 1.0, 0.0, 1.0])
    height, width = alpha.shape
    return np.array(
        [rows[0] / height, (rows[-1] + 1) / height, columns[0] / width, (columns[-1] + 1) / width], dtype=np.float64
    )
