"""Moves a recording so that the head is at the origin and the cameras at a usual distance."""

from __future__ import annotations

import numpy as np

from nerface_ns.data.face_frames import FaceFrames, FaceSequence
from nerface_ns.data.scene_bounds import head_center


def boxes_px(frames: FaceFrames) -> np.ndarray:
    """(n, 4) face boxes in pixels, y0, y1, x0, x1; the whole image where the format has none."""
    height, width = frames.image_size
    boxes = frames.face_boxes if frames.face_boxes is not None else np.tile([0.0, 1.0, 0.0, 1.0], (len(frames), 1))
    return boxes * np.array([height, height, width, width])


def place_head_at_origin(sequence: FaceSequence, camera_distance: float) -> None:
    """Put the head at the origin and the training cameras at a mean distance from it, and record the transform.

    A broken pose is left alone: validation, which comes next, names it.

    Raises:
        ValueError: The distance is not positive.
    """
    if not camera_distance > 0:
        raise ValueError(f"camera_distance: expected a positive distance, got {camera_distance}")
    train = sequence.splits["train"]
    center = head_center(train.camera_to_world, train.intrinsics_px, boxes_px(train))
    if not np.isfinite(center).all():
        return
    distance = float(np.linalg.norm(train.camera_to_world[:, :3, 3] - center, axis=1).mean())
    if distance <= 0:
        raise ValueError(f"{train.source}: expected cameras away from the head, got all of them in one point")
    scale = camera_distance / distance
    sequence.world_transform = np.eye(4)
    sequence.world_transform[:3, 3] = -center
    sequence.world_scale = scale
    for frames in sequence.splits.values():
        frames.camera_to_world = frames.camera_to_world.copy()
        frames.camera_to_world[:, :3, 3] = (frames.camera_to_world[:, :3, 3] - center) * scale
