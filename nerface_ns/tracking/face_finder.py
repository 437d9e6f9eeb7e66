"""Landmarks and blendshapes of all faces in an image, by MediaPipe's Face Landmarker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from nerface_ns.tracking.canonical_face import NUM_LANDMARKS

NEUTRAL_NAME = "_neutral"
"""Category that the model lists first and that carries nothing."""
MAX_FACES = 4


@dataclass(frozen=True)
class FoundFaces:
    """Faces of one image."""

    landmarks_px: Float32[np.ndarray, "faces 478 3"]
    """Image position from the upper left corner, and depth away from the camera on the same scale."""
    blendshapes: Float32[np.ndarray, "faces k"]
    """Coefficients in the order of `FaceFinder.names`."""


def load_mediapipe() -> tuple[Any, Any, Any]:
    """Return MediaPipe, its vision tasks and their `BaseOptions`.

    Raises:
        ValueError: It is not installed.
    """
    try:
        import mediapipe  # pyright: ignore[reportMissingImports]
        from mediapipe.tasks.python import BaseOptions, vision  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ValueError(f"finding faces needs MediaPipe ({error}): pip install 'nerface-ns[track]'") from error
    return mediapipe, vision, BaseOptions


class FaceFinder:
    """MediaPipe's landmarker on single images.

    Every image is looked at for itself: the landmarker's video mode filters in time, which lags behind and makes the
    result depend on where a run started.

    Args:
        model: The landmarker's bundle.

    Raises:
        ValueError: MediaPipe is missing, or cannot use the bundle.
    """

    def __init__(self, model: Path) -> None:
        self._mediapipe, vision, base_options = load_mediapipe()
        options = vision.FaceLandmarkerOptions(
            base_options=base_options(model_asset_path=str(model)),
            running_mode=vision.RunningMode.IMAGE,
            num_faces=MAX_FACES,
            output_face_blendshapes=True,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{model}: MediaPipe cannot use this model ({error})") from error
        self.names: tuple[str, ...] = ()

    def close(self) -> None:
        """Free the model."""
        self._landmarker.close()

    def find(self, image: UInt8[np.ndarray, "height width 3"]) -> FoundFaces:
        """Find the faces of an RGB image."""
        height, width = image.shape[:2]
        picture = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=image)
        result = self._landmarker.detect(picture)
        points = [[(point.x, point.y, point.z) for point in face] for face in result.face_landmarks]
        landmarks = np.array(points, dtype=np.float32).reshape(-1, NUM_LANDMARKS, 3)
        # Depths are on the scale of x.
        landmarks *= np.array([width, height, width], dtype=np.float32)
        scores = [
            [shape.score for shape in face if shape.category_name != NEUTRAL_NAME] for face in result.face_blendshapes
        ]
        if result.face_blendshapes:
            names = [shape.category_name for shape in result.face_blendshapes[0]]
            self.names = tuple(name for name in names if name != NEUTRAL_NAME)
        return FoundFaces(
            landmarks, np.array(scores, dtype=np.float32).reshape(len(landmarks), len(scores[0]) if scores else 0)
        )
