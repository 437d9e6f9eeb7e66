"""What the pictures say about where the head is: points that every frame shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nerface_ns.data.face_frames import FaceFrames, FaceSequence
from nerface_ns.data.flame.head_boxes import matte_boxes_px

MAX_FRAMES = 200
"""Frames, evenly spread, that geometric tests look at."""

MAX_MATTES = 60
"""Frames whose mattes are decoded where nothing else shows the head."""

MAX_LANDMARKS = 40
"""Landmarks, evenly spread over their list, that they look at."""


@dataclass
class ObservedPoints:
    """Points of the head in pictures, with the cameras as the files store them."""

    camera_to_world: Float[np.ndarray, "frames 4 4"]
    """OpenGL cameras in the stored world, before the reader moved the head to the origin."""
    intrinsics_px: Float[np.ndarray, "frames 4"]
    """fx, fy, cx, cy."""
    points_px: Float[np.ndarray, "frames points 2"]
    """x and y."""
    image_size: tuple[int, int]
    """Height and width."""
    kind: str
    """What the points are, for messages."""


def stored_cameras(sequence: FaceSequence, frames: FaceFrames) -> Float[np.ndarray, "frames 4 4"]:
    """Cameras of a split in the world of the files."""
    cameras = frames.camera_to_world.copy()
    cameras[:, :3, 3] /= sequence.world_scale
    return np.linalg.inv(sequence.world_transform) @ cameras


def observe(sequence: FaceSequence, max_frames: int = MAX_FRAMES) -> ObservedPoints | None:
    """Landmarks of the training frames, else the middles of their boxes or of the heads in their mattes.

    Returns:
        None where the format has none of them.
    """
    frames = sequence.splits["train"]
    use_mattes = frames.landmarks_px is None and (frames.face_boxes is None or frames.are_boxes_projected)
    if use_mattes and frames.alpha_filenames is None:
        return None
    count = min(max_frames, MAX_MATTES) if use_mattes else max_frames
    frames = frames.select(np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int)))
    height, width = frames.image_size
    if use_mattes:
        assert frames.alpha_filenames is not None
        boxes_px, found = matte_boxes_px(frames.alpha_filenames)
        if len(found) < 2:
            return None
        frames = frames.select(found)
        points = np.stack([boxes_px[:, 2:].mean(axis=1), boxes_px[:, :2].mean(axis=1)], axis=1)[:, None]
        kind = "heads in mattes"
    elif frames.landmarks_px is not None:
        count = frames.landmarks_px.shape[1]
        chosen = np.unique(np.linspace(0, count - 1, MAX_LANDMARKS).round().astype(int))
        points, kind = frames.landmarks_px[:, chosen], f"{len(chosen)} landmarks"
    else:
        boxes = {"face": frames.face_boxes, **frames.region_boxes}
        present = {name: box for name, box in boxes.items() if box is not None}
        middles = [np.stack([box[:, 2:].mean(axis=1), box[:, :2].mean(axis=1)], axis=1) for box in present.values()]
        points, kind = np.stack(middles, axis=1) * np.array([width, height]), f"boxes ({', '.join(present)})"
    return ObservedPoints(
        stored_cameras(sequence, frames), frames.intrinsics_px, points.astype(np.float64), frames.image_size, kind
    )
