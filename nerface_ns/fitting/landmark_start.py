"""A start from facial landmarks: how the head stands otherwise than in a training frame, by MediaPipe in both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.fitting.photo import Photo
from nerface_ns.fitting.start_search import Start, head_before
from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.tracking.canonical_face import RIGID_LANDMARKS, read_canonical_face
from nerface_ns.tracking.face_choice import face_boxes

LEAST_PX = 384
"""Smaller pictures are enlarged: the landmarker finds no face of a few dozen pixels."""
OPENGL_AXES = np.diag([1.0, -1.0, -1.0])
"""From OpenCV's camera (y down, z forward) to OpenGL's."""


class LandmarkStart:
    """Carries the motion of a face's landmarks over to the run's head.

    Both pictures are measured by the same average face, so what that has wrong is the same in both and cancels.

    Args:
        finder: A `FaceFinder`.
        canonical: The average face's landmarks, cm.
    """

    def __init__(self, finder: Any, canonical: Float[np.ndarray, "468 3"]) -> None:
        self._finder, self._canonical = finder, canonical

    @classmethod
    def load(cls, bundle: Path) -> LandmarkStart:
        """Open MediaPipe's face landmarker bundle.

        Raises:
            FileNotFoundError: There is no bundle.
            ValueError: MediaPipe is missing, or cannot use the bundle.
        """
        from nerface_ns.tracking.face_finder import FaceFinder

        canonical = read_canonical_face(bundle)
        return cls(FaceFinder(bundle), canonical)

    def find(self, subject: RenderSubject, photo: Photo, camera: Any, frames: Sequence[int]) -> Optional[Start]:
        """Return a start; None where no face is found in the photograph, or in any of the training frames.

        Args:
            subject: The person.
            photo: The photograph.
            camera: Its camera (a `Cameras` of one), of its size.
            frames: Training frames to measure from, the most alike first.
        """
        found = self._pose(photo.image, camera)
        if found is None:
            return None
        dataset = subject.pipeline.datamanager.train_dataset
        for frame in frames:
            trained: Any = subject.cameras[frame : frame + 1]
            there = self._pose(dataset.get_data(int(subject.frames[frame]))["image"][..., :3], trained)
            if there is not None:
                pose = trained.camera_to_worlds[0].float().cpu()
                return Start(frame, carried_over(pose, subject.pivot, there, found), 1.0)
        return None

    def _pose(self, image: Float[Tensor, "height width 3"], camera: Any) -> Optional[tuple[np.ndarray, np.ndarray]]:
        """The average face's rotation and position, cm, before a camera; of the largest face."""
        import cv2

        height, width = image.shape[:2]
        factor = max(1.0, LEAST_PX / min(height, width))
        size = round(width * factor), round(height * factor)
        pixels = cv2.resize((image.numpy() * 255).round().astype(np.uint8), size, interpolation=cv2.INTER_CUBIC)
        landmarks = self._finder.find(np.ascontiguousarray(pixels)).landmarks_px
        if len(landmarks) == 0:
            return None
        boxes = face_boxes(landmarks)
        largest = landmarks[int(np.argmax(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)))]
        rows = list(RIGID_LANDMARKS)
        lens = np.diag([float(camera.fx[0]), float(camera.fy[0]), 1.0])
        lens[:2, 2] = float(camera.cx[0]), float(camera.cy[0])
        lens[:2] *= factor
        places = largest[rows, :2].astype(np.float64)
        is_found, turn, shift = cv2.solvePnP(self._canonical[rows], places, lens, np.zeros(4), flags=cv2.SOLVEPNP_SQPNP)
        if not is_found:
            return None
        return OPENGL_AXES @ cv2.Rodrigues(turn)[0], OPENGL_AXES @ shift[:, 0]


def carried_over(
    pose: Float[Tensor, "3 4"],
    pivot: Float[Tensor, " 3"],
    there: tuple[np.ndarray, np.ndarray],
    here: tuple[np.ndarray, np.ndarray],
) -> Float[Tensor, "3 4"]:
    """Move a training frame's head as the average face moved between two pictures.

    Args:
        pose: The training frame's camera to world.
        pivot: Middle of the head, in the world.
        there, here: Rotation and position of the average face before the training camera and the photograph's.
    """
    (old_turn, old_place), (turn, place) = (tuple(map(torch.from_numpy, found)) for found in (there, here))
    head = head_before(pose, pivot).double()
    unit = head.norm() / old_place.norm()
    change = turn @ old_turn.T
    moved = unit * (place + change @ (head / unit - old_place))
    rotation = (change @ pose[:, :3].T.double()).T
    return torch.cat([rotation, (pivot.double() - rotation @ moved)[:, None]], dim=1).to(pose)
