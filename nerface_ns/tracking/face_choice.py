"""From all faces of all frames to one face a frame, without frames that jump."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

SAME_FACE_OVERLAP = 0.5
"""Boxes that overlap so far (intersection over union) show the same face."""
KEEP_FACTOR = 1.5
"""A face where the chosen one was just before counts as so much larger."""
JUMP_SHARE = 0.4
"""A lone frame whose face is off its neighbours' by this share of the face's size is a jump."""
NEIGHBOURS = 2
"""Frames on either side that a jump is told from."""


@dataclass(frozen=True)
class ChosenFaces:
    """One face each for some of the frames."""

    frames: Int[np.ndarray, " n"]
    """Frames with a face, ascending."""
    faces: Int[np.ndarray, " n"]
    """The chosen one among all faces found."""
    num_several: int
    """Frames that show several faces."""


def face_boxes(landmarks_px: Float[np.ndarray, "m p d"]) -> Float[np.ndarray, "m 4"]:
    """Boxes x0, y0, x1, y1 round the landmarks."""
    flat = landmarks_px[..., :2]
    return np.concatenate([flat.min(axis=1), flat.max(axis=1)], axis=-1).astype(np.float64)


def overlap(box: Float[np.ndarray, "4"], boxes: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, " m"]:
    """Intersection over union of a box with others."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    total = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return shared / (total - shared)


def choose_faces(
    frame_of_face: Int[np.ndarray, " m"],
    boxes: Float[np.ndarray, "m 4"],
    rule: Literal["largest", "error"],
) -> ChosenFaces:
    """Choose a face for every frame that shows one.

    Args:
        frame_of_face: Frame of every face, ascending.
        boxes: Their boxes.
        rule: Take the largest, keeping to the one taken before where sizes are alike; or refuse several faces.

    Raises:
        ValueError: Several faces where there should be one.
    """
    frames, faces, num_several = [], [], 0
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    for frame in np.unique(frame_of_face):
        rows = np.flatnonzero(frame_of_face == frame)
        rows = rows[np.argsort(-area[rows], kind="stable")]
        # The landmarker may find a face twice.
        alone = [
            row for k, row in enumerate(rows) if not (overlap(boxes[row], boxes[rows[:k]]) > SAME_FACE_OVERLAP).any()
        ]
        if len(alone) > 1:
            num_several += 1
            if rule == "error":
                raise ValueError(
                    f"frame {frame}: expected one face, got {len(alone)}; choose a part of the video with --start and "
                    "--end, or take the largest face with --faces largest"
                )
        score = area[alone]
        if faces:
            score = score * np.where(overlap(boxes[faces[-1]], boxes[alone]) > 0.3, KEEP_FACTOR, 1.0)
        frames.append(int(frame))
        faces.append(int(alone[int(np.argmax(score))]))
    return ChosenFaces(np.array(frames, dtype=np.int64), np.array(faces, dtype=np.int64), num_several)


def find_jumps(boxes: Float[np.ndarray, "n 4"]) -> Bool[np.ndarray, " n"]:
    """Frames whose face is elsewhere, or of another size, than in the frames on both sides."""
    if len(boxes) < 3:
        return np.zeros(len(boxes), dtype=bool)
    size = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    place = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, size[:, None]], axis=-1)
    padded = np.pad(place, ((NEIGHBOURS, NEIGHBOURS), (0, 0)), mode="edge")
    around = np.stack([padded[shift : shift + len(place)] for shift in range(2 * NEIGHBOURS + 1)])
    middle = np.median(around, axis=0)
    return np.linalg.norm(place - middle, axis=1) > JUMP_SHARE * middle[:, 2]


def find_cuts(boxes: Float[np.ndarray, "n 4"]) -> list[int]:
    """Frames before which the face moves to another place for good: the video is likely cut there."""
    size = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    step = np.linalg.norm(np.diff(middle, axis=0), axis=1)
    return [int(index) + 1 for index in np.flatnonzero(step > JUMP_SHARE * np.minimum(size[1:], size[:-1]))]
