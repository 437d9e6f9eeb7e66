"""A head whose landmarks are known exactly, a video that shows it, and a finder that reads its truth off the video."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from nerface_ns.tracking.canonical_face import (
    FACE_OVAL,
    LEFT_EYE_CORNERS,
    LEFT_IRIS,
    METADATA_FILE,
    NUM_LANDMARKS,
    NUM_MESH_LANDMARKS,
    RIGHT_EYE_CORNERS,
    RIGHT_IRIS,
)
from nerface_ns.tracking.face_finder import FoundFaces
from nerface_ns.tracking.gaze import IRIS_DISTANCE, eye_centers
from nerface_ns.tracking.head_motion import CAMERA_FLIP, project, rotation_from_vector
from nerface_ns.tracking.preview_video import write_video

NAMES = ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen")
PATCH_PX, PATCH_STEP = 12, 6
"""A grey patch in the upper left corner tells the frame."""
PERSON_COLOR = (200, 120, 90)


def canonical_points() -> np.ndarray:
    """(468, 3) points on the front of an ellipsoid of a face's size, the named ones where they belong; cm."""
    random = np.random.default_rng(3)
    x, y = random.uniform(-6, 6, NUM_MESH_LANDMARKS), random.uniform(-7, 6, NUM_MESH_LANDMARKS)
    angle = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    x[list(FACE_OVAL)], y[list(FACE_OVAL)] = 7 * np.sin(angle), 8.5 * np.cos(angle)
    places = {1: (0, -1), 4: (0, -0.5), 168: (0, 3), 6: (0, 2)}
    for (outer, inner), side in ((RIGHT_EYE_CORNERS, -1), (LEFT_EYE_CORNERS, 1)):
        places |= {outer: (side * 4.5, 2.5), inner: (side * 1.7, 2.4)}
    for landmark, (px, py) in places.items():
        x[landmark], y[landmark] = px, py
    z = 7 * np.sqrt(np.maximum(1 - (x / 8) ** 2 - (y / 10) ** 2, 0.02)) - 1.5
    nose = np.exp(-(x**2 + (y + 1) ** 2) / 4)
    return np.stack([x, y, z + 2 * nose], axis=-1)


def write_bundle(path: Path, points: np.ndarray) -> Path:
    """Write a landmarker bundle that holds nothing but the mesh."""
    vertices = np.concatenate([points, np.zeros((len(points), 2))], axis=1).astype("<f4").reshape(-1)
    mesh = b"\x08\x00\x10\x00" + b"".join(b"\x1d" + struct.pack("<f", value) for value in vertices)
    length, size = b"", len(mesh)
    while True:
        length += bytes([size & 127 | (128 if size > 127 else 0)])
        size >>= 7
        if not size:
            break
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(METADATA_FILE, b"\x0a" + length + mesh + b"\x12\x07\x08\x04\x15" + struct.pack("<f", 0.07))
    return path


def head_motion(count: int, distance_cm: float = 80.0) -> tuple[np.ndarray, np.ndarray]:
    """Rotations and translations from head to camera of a head that looks about."""
    phase = np.arange(count) * 2 * np.pi / 40
    turn = np.stack([0.15 * np.sin(phase), 0.5 * np.sin(phase / 2), 0.1 * np.cos(phase / 3)], axis=-1)
    rotation = CAMERA_FLIP[:, None] * rotation_from_vector(turn)
    translation = np.stack([2 * np.sin(phase), np.cos(phase), distance_cm + 3 * np.sin(phase / 2)], axis=-1)
    return rotation, translation


def gaze_directions(count: int) -> np.ndarray:
    """(n, 2) pitch and yaw."""
    phase = np.arange(count) * 2 * np.pi / 30
    return np.stack([0.1 * np.sin(phase), 0.25 * np.cos(phase)], axis=-1)


def seen_landmarks(
    points: np.ndarray,
    gaze: np.ndarray,
    rotation: np.ndarray,
    translation: np.ndarray,
    focal_px: float,
    center_px: np.ndarray,
) -> np.ndarray:
    """(n, 478, 3) landmarks in pixels with depths, as the landmarker gives them."""
    count = len(rotation)
    corners = np.array([[points[k] for k in eye] for eye in (RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS)])
    pitch, yaw = gaze.T
    way = np.stack([np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)], axis=-1)
    landmarks = np.zeros((count, NUM_LANDMARKS, 3))
    for row in range(count):
        head = np.zeros((NUM_LANDMARKS, 3))
        head[:NUM_MESH_LANDMARKS] = points
        irises = eye_centers(corners) + IRIS_DISTANCE * way[row]
        head[RIGHT_IRIS:LEFT_IRIS], head[LEFT_IRIS:] = irises[0], irises[1]
        pose = rotation[row : row + 1], translation[row : row + 1]
        landmarks[row, :, :2] = project(head, *pose, focal_px, center_px)[0]
        # The network sees the turn against the line of sight.
        sight = translation[row] / np.linalg.norm(translation[row])
        landmarks[row, :, 2] = focal_px / translation[row, 2] * (head @ rotation[row].T @ sight)
    return landmarks


def draw_frame(number: int, landmarks: np.ndarray | None, size: int) -> np.ndarray:
    """Draw a smooth background, a flat-coloured person on it, and the frame's number."""
    rows, columns = np.mgrid[:size, :size] / size
    image = np.stack([60 + 90 * columns, 90 + 60 * rows, 180 - 60 * columns], axis=-1).astype(np.uint8)
    if landmarks is not None:
        outline = landmarks[list(FACE_OVAL), :2]
        middle = outline.mean(axis=0)
        head = np.round(middle + 1.15 * (outline - middle)).astype(np.int32)
        cv2.fillPoly(image, [head], PERSON_COLOR)
        x, chin = int(middle[0]), int(head[:, 1].max())
        tall = int(np.ptp(head[:, 1]))
        cv2.rectangle(image, (x - tall // 4, chin - 20), (x + tall // 4, size), PERSON_COLOR, -1)
        cv2.rectangle(image, (x - tall, chin + tall // 8), (x + tall, size), PERSON_COLOR, -1)
    image[:PATCH_PX, :PATCH_PX] = PATCH_STEP * number
    return image


def write_head_video(path: Path, landmarks: Sequence[np.ndarray | None], size: int, rate: float = 25.0) -> Path:
    """Write a video of the frames; None shows nobody."""
    write_video(path, (draw_frame(number, face, size) for number, face in enumerate(landmarks)), rate)
    return path


class TruthFinder:
    """Stands in for `FaceFinder`: tells the frame from its patch and gives that frame's faces.

    Args:
        faces: (faces, 478, 3) landmarks for every frame.
        fail_at: Frame at which the run is interrupted.
    """

    names = NAMES

    def __init__(self, faces: Sequence[np.ndarray], fail_at: int | None = None) -> None:
        self.faces, self.fail_at, self.calls = faces, fail_at, 0

    def find(self, image: np.ndarray) -> FoundFaces:
        number = round(float(image[2 : PATCH_PX - 2, 2 : PATCH_PX - 2].mean()) / PATCH_STEP)
        if number == self.fail_at:
            raise KeyboardInterrupt
        self.calls += 1
        found = np.asarray(self.faces[number], dtype=np.float32).reshape(-1, NUM_LANDMARKS, 3)
        shapes = np.tile(np.array([0.0, 0.0, number / 40], dtype=np.float32), (len(found), 1))
        return FoundFaces(found, shapes)
