"""Frames with what the reader takes them to show drawn over them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from nerface_ns.checking.scene_checks import head_sphere
from nerface_ns.checking.triangulation import project
from nerface_ns.data.face_frames import FaceFrames, FaceSequence
from nerface_ns.data.frame_store import decode_frame

COLUMNS, ROWS = 4, 3
HEAD_SHARE = 0.7
"""Part of the face box's half height that the drawn box and axes reach: face boxes hold more than the face."""
TILE_HEIGHT = 256
LABEL_HEIGHT = 20
BOX_COLOUR, REGION_COLOUR, HEAD_COLOUR, POINT_COLOUR = (60, 220, 60), (255, 200, 40), (255, 255, 255), (0, 230, 255)
AXIS_COLOURS = ((235, 60, 60), (70, 200, 70), (80, 130, 255))
"""World axes x, y, z as red, green, blue: to the person's left, up, out of the face."""
EDGES = [(i, i ^ bit) for i in range(8) for bit in (1, 2, 4) if i < i ^ bit]
"""Edges of a cube whose corners are numbered by their three signs."""


def contact_sheet(sequence: FaceSequence) -> UInt8[np.ndarray, "height width 3"]:
    """Draw face box, mouth and eyes boxes, landmarks, a box about the head and the world's axes on a dozen frames."""
    frames = sequence.splits["train"]
    center, radius = head_sphere(frames)
    rows = np.unique(np.linspace(0, len(frames) - 1, COLUMNS * ROWS).round().astype(int)).tolist()
    tiles = [_tile(frames, row, center, radius) for row in rows]
    blank = np.full_like(tiles[0], 24)
    tiles += [blank] * (-len(tiles) % COLUMNS)
    lines = [np.concatenate(tiles[start : start + COLUMNS], axis=1) for start in range(0, len(tiles), COLUMNS)]
    return np.concatenate(lines, axis=0)


def write_contact_sheet(path: Path, sequence: FaceSequence) -> None:
    """Write it as a PNG, aside and then renamed.

    Raises:
        ValueError: Nothing can be written there.
    """
    from PIL import Image

    sheet = contact_sheet(sequence)
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet).save(partial, format="PNG")
        partial.replace(path)
    except OSError as error:
        raise ValueError(f"{path}: cannot be written ({error}); choose another place") from error


def _tile(frames: FaceFrames, row: int, center: Float[np.ndarray, "3"], radius: float) -> np.ndarray:
    """One frame with its drawing and its name."""
    import cv2

    height, width = frames.image_size
    size = (TILE_HEIGHT, max(1, round(width * TILE_HEIGHT / height)))
    scale = np.array([size[1] / width, size[0] / height])
    image = cv2.resize(decode_frame(frames.image_filenames[row], None, height, width), (size[1], size[0]))
    camera, lens = frames.camera_to_world[row : row + 1], frames.intrinsics_px[row : row + 1]
    signs = np.array([[corner >> bit & 1 for bit in range(3)] for corner in range(8)]) * 2 - 1
    corners, in_front = _pixels(center + HEAD_SHARE * radius * signs, camera, lens, scale)
    for first, second in EDGES if in_front else []:
        cv2.line(image, corners[first], corners[second], HEAD_COLOUR, 1, cv2.LINE_AA)
    axes = radius * np.concatenate([np.zeros((1, 3)), np.eye(3)])
    ends, in_front = _pixels(center + axes, camera, lens, scale)
    for axis, colour in enumerate(AXIS_COLOURS if in_front else ()):
        cv2.arrowedLine(image, ends[0], ends[axis + 1], colour, 2, cv2.LINE_AA, tipLength=0.2)
        cv2.putText(image, "xyz"[axis], ends[axis + 1], cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
    boxes = {BOX_COLOUR: [frames.face_boxes], REGION_COLOUR: list(frames.region_boxes.values())}
    for colour, kinds in boxes.items():
        for kind in kinds:
            if kind is not None:
                y0, y1, x0, x1 = (int(value) for value in kind[row] * [size[0], size[0], size[1], size[1]])
                cv2.rectangle(image, (x0, y0), (x1, y1), colour, 1)
    if frames.landmarks_px is not None:
        for x, y in (frames.landmarks_px[row] * scale).round().astype(int).tolist():
            cv2.circle(image, (x, y), 1, POINT_COLOUR, -1)
    label = np.full((LABEL_HEIGHT, size[1], 3), 24, dtype=np.uint8)
    text = frames.frame_names[row] if in_front else f"{frames.frame_names[row]}: head behind the camera"
    cv2.putText(label, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([label, image], axis=0)


def _pixels(
    points: Float[np.ndarray, "points 3"],
    camera: Float[np.ndarray, "1 4 4"],
    lens: Float[np.ndarray, "1 4"],
    scale: Float[np.ndarray, "2"],
) -> tuple[list[tuple[int, int]], bool]:
    """Whole pixels of a tile, and whether all points are before the camera."""
    pixels, depth = project(points, camera, lens)
    limited = np.clip(pixels[0] * scale, -10_000, 10_000).round().astype(int).tolist()
    return [(x, y) for x, y in limited], bool((depth > 0).all())
