"""A dataset's recorded pictures with what a gaze estimator needs to know of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from nerface_ns.data.face_frames import FaceFrames
from nerface_ns.data.frame_store import decode_frame
from nerface_ns.evaluation.gaze_geometry import EyePicture


def require_gaze(frames: FaceFrames) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 4"]]:
    """Return the frames' gaze and eyes boxes.

    Raises:
        ValueError: The data have none.
    """
    if frames.gaze is None:
        raise ValueError(f"{frames.source}: expected 'gaze' in every frame, got none; gaze cannot be measured")
    if "eyes" not in frames.region_boxes:
        raise ValueError(f"{frames.source}: expected 'eyes_box' in every frame, got none; gaze cannot be measured")
    return np.asarray(frames.gaze, dtype=np.float64), np.asarray(frames.region_boxes["eyes"], dtype=np.float64)


def picture_size(frames: FaceFrames, height_px: int | None) -> tuple[int, int]:
    """Return height and width of pictures averaged down to a height; the stored size without one.

    Raises:
        ValueError: The stored pictures are smaller.
    """
    height, width = frames.image_size
    if height_px is None:
        return height, width
    if not 0 < height_px <= height:
        raise ValueError(f"{frames.source}: expected a height in 1..{height}, the stored one, got {height_px}")
    return height_px, max(1, round(width * height_px / height))


def true_image(frames: FaceFrames, row: int, size: tuple[int, int]) -> Float[np.ndarray, "height width 3"]:
    """Return a recorded picture as colours in [0, 1], averaged down to a size."""
    return decode_frame(frames.image_filenames[row], None, *size).astype(np.float32) / 255


def eye_picture(
    frames: FaceFrames, row: int, image: Float[np.ndarray, "height width 3"], keep_whole: bool = False
) -> EyePicture:
    """Return the part of a picture about the eyes that a frame's camera sees.

    Args:
        frames: The split.
        row: Whose camera it is.
        image: Recorded or rendered, of any size that keeps the frame's aspect.
        keep_whole: Whether the whole picture goes with it, for finders that need the face.
    """
    height, width = image.shape[:2]
    scale = np.array([width, height]) / np.array(frames.image_size)[::-1]
    box = frames.region_boxes["eyes"][row] * np.array([height, height, width, width])
    return EyePicture(
        colors=np.asarray(image, dtype=np.float32),
        camera_to_world=np.asarray(frames.camera_to_world[row], dtype=np.float64),
        intrinsics_px=np.asarray(frames.intrinsics_px[row], dtype=np.float64) * np.tile(scale, 2),
        eyes_box_px=np.asarray(box, dtype=np.float64),
        whole=(image * 255).round().astype(np.uint8) if keep_whole else None,
    ).cropped()


def true_pictures(
    frames: FaceFrames, rows: Sequence[int], size: tuple[int, int], keep_whole: bool = False
) -> list[EyePicture]:
    """Return the eyes of recorded pictures."""
    return [eye_picture(frames, row, true_image(frames, row, size), keep_whole) for row in rows]


def spread_rows(count: int, most: int | None) -> list[int]:
    """Return the rows of at most so many frames, evenly spread."""
    number = count if most is None else min(most, count)
    return [index * count // number for index in range(number)]
