"""What a dataset's metadata say beside its cameras."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from nerface_ns.conditioning import keys
from nerface_ns.data.face_frames import FaceFrames, FaceSequence

RECORDED_SPLITS = ("train", "val", "test")
"""Splits that together make the recording."""


def recorded_views(sequence: FaceSequence) -> tuple[torch.Tensor, torch.Tensor]:
    """Poses (n, 3, 4) and expressions (n, K) of all frames of the recording."""
    recorded = [sequence.splits[split] for split in RECORDED_SPLITS]
    poses = np.concatenate([frames.camera_to_world[:, :3] for frames in recorded])
    expression = np.concatenate([frames.expression for frames in recorded])
    return torch.from_numpy(poses).float(), torch.from_numpy(expression).float()


def split_metadata(frames: FaceFrames) -> dict[str, Any]:
    """What differs from split to split, optional entries only where the data have them."""
    metadata: dict[str, Any] = {
        "region_boxes": {name: torch.from_numpy(boxes).float() for name, boxes in frames.region_boxes.items()}
    }
    if frames.face_boxes is not None:
        metadata["face_boxes"] = torch.from_numpy(frames.face_boxes).float()
    if frames.alpha_filenames is not None:
        metadata["alpha_filenames"] = frames.alpha_filenames
    if frames.parsing_filenames is not None:
        metadata["parsing_filenames"], metadata["stored_image_size"] = frames.parsing_filenames, frames.image_size
    if frames.identity is not None:
        metadata[keys.IDENTITY] = torch.from_numpy(frames.identity)
    return metadata


def identity_metadata(sequence: FaceSequence) -> dict[str, Any]:
    """Who the persons are and whose each training frame is; nothing for a recording of one."""
    whose = sequence.splits["train"].identity
    if whose is None:
        return {}
    return {
        keys.TRAIN_IDENTITY: torch.from_numpy(whose),
        keys.IDENTITY_NAMES: sequence.identity_names,
        keys.IDENTITY_BACKGROUNDS: sequence.identity_backgrounds,
    }
