"""Gaze from MediaPipe's iris landmarks, for pictures whose camera is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nerface_ns.evaluation.gaze_estimator import GazeEstimate
from nerface_ns.evaluation.gaze_geometry import Eyeballs, EyePicture, fit_eyeballs
from nerface_ns.evaluation.gaze_start import find_eyeballs
from nerface_ns.tracking.canonical_face import LEFT_IRIS, RIGHT_IRIS
from nerface_ns.tracking.gaze import IRIS_DISTANCE, eye_gaze

BLINKS = ("eyeBlinkRight", "eyeBlinkLeft")
"""Coefficients of the finder that say how far eyes are shut."""
CAMERA_FLIP = np.array([1.0, -1.0, -1.0])
"""From OpenGL cameras to those of `eye_gaze`: x right, y down, z forward."""


@dataclass(frozen=True)
class LandmarkIrises:
    """Finds gaze from iris landmarks and calibrated eyeballs."""

    finder: Any
    """A `FaceFinder`."""
    eyeballs: Eyeballs
    needs_whole_picture: bool = True
    """MediaPipe finds faces, not eyes."""

    @classmethod
    def calibrator(
        cls, model: Path | None
    ) -> Callable[[Sequence[EyePicture], Float[np.ndarray, "n 2"]], LandmarkIrises]:
        """Return what calibrates the landmarks of a model file, the cached or fetched one without it.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: MediaPipe is not installed or cannot use the file.
        """
        from nerface_ns.tracking.face_finder import FaceFinder, load_mediapipe
        from nerface_ns.tracking.model_file import landmarker_file

        load_mediapipe()
        finder = FaceFinder(landmarker_file(model))
        return lambda pictures, gaze: cls.calibrated(finder, pictures, gaze)

    @classmethod
    def calibrated(cls, finder: Any, pictures: Sequence[EyePicture], gaze: Float[np.ndarray, "n 2"]) -> LandmarkIrises:
        """Find the eyeballs from pictures of known gaze."""
        seen = [_irises(finder, picture) for picture in pictures]
        weight = np.array([[openness, openness] for _, openness in seen])
        start = find_eyeballs(pictures, gaze)[0]
        return cls(finder, fit_eyeballs(start, list(pictures), gaze, np.stack([iris for iris, _ in seen]), weight))

    def look(self, picture: EyePicture) -> GazeEstimate:
        """Return the mean of both eyes' gaze; openness 0 where no face is found."""
        iris_px, openness = _irises(self.finder, picture)
        if openness == 0:
            return GazeEstimate(np.zeros(2), 0.0)
        rotation = CAMERA_FLIP[:, None] * picture.camera_to_world[:3, :3].T
        scale = IRIS_DISTANCE / self.eyeballs.radius
        shift = -1.0 * scale * (rotation @ picture.camera_to_world[:3, 3])
        slopes = (iris_px - picture.intrinsics_px[2:]) / picture.intrinsics_px[:2]
        gaze = eye_gaze(slopes[None], self.eyeballs.centers * scale, rotation[None], shift[None], 1.0, np.zeros(2))
        return GazeEstimate(gaze[0].mean(axis=0), openness)

    def close(self) -> None:
        """Free MediaPipe's model, which complains if the end of the program does."""
        self.finder.close()

    def as_json(self) -> dict[str, Any]:
        """Return what was calibrated."""
        return {"source": "landmarks", **self.eyeballs.as_json()}


def _irises(finder: Any, picture: EyePicture) -> tuple[Float[np.ndarray, "2 2"], float]:
    """Middles of the irises in the picture's own pixels, and how far the eyes are open: 0 without a face."""
    if picture.whole is None:
        raise ValueError("gaze landmarks: expected pictures with the whole face, got crops of the eyes")
    found = finder.find(picture.whole)
    if len(found.landmarks_px) == 0:
        return np.zeros((2, 2)), 0.0
    landmarks = found.landmarks_px[0]
    blinks = [float(found.blendshapes[0][finder.names.index(name)]) for name in BLINKS]
    iris_px = landmarks[[RIGHT_IRIS, LEFT_IRIS], :2].astype(np.float64) - np.array(picture.corner_px)
    return iris_px, max(1.0 - float(np.mean(blinks)), 1e-3)
