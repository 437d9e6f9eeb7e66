"""A run's gaze, measured: the estimator calibrated on its data, frames redirected, figures laid out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from nerface_ns.data.face_frames import FaceFrames, FaceSequence
from nerface_ns.evaluation.gaze_estimator import FittedIrises, GazeEstimator, own_error
from nerface_ns.evaluation.gaze_frames import picture_size, require_gaze, spread_rows, true_pictures
from nerface_ns.evaluation.gaze_redirection import (
    GazeRedirection,
    GazeRenderer,
    GazeTargets,
    require_gaze_model,
)
from nerface_ns.evaluation.gaze_report import DEFINITIONS, frame_figures, gaze_figures
from nerface_ns.model_components.image_metrics import ImageDistance

USUAL_HEIGHT = 256
"""Height of the pictures that are measured, where they are stored that large."""


@dataclass(frozen=True)
class GazeEvaluation:
    """How a run's gaze is measured."""

    split: str = "test"
    """Held-out frames."""
    targets: GazeTargets = field(default_factory=GazeTargets)
    """Gazes to ask for."""
    height_px: int | None = None
    """Height of the pictures; 256 or, where that is less, the stored one without it."""
    source: Literal["irises", "landmarks"] = "irises"
    """How gaze is found: from the eyes' pixels, or from MediaPipe's iris landmarks."""
    landmarker: Path | None = None
    """MediaPipe's model; the cached or fetched one without it."""
    max_frames: int | None = None
    """Frames to measure, evenly spread; all without it."""
    calibration_frames: int = 160
    """Training frames to calibrate on at most, evenly spread."""

    def size(self, frames: FaceFrames) -> tuple[int, int]:
        """Return height and width of the pictures."""
        return picture_size(frames, self.height_px or min(USUAL_HEIGHT, frames.image_size[0]))

    def estimator(self, sequence: FaceSequence) -> tuple[GazeEstimator, dict[str, Any]]:
        """Calibrate on the training frames; returns what was found, too, and how well it fits them.

        Raises:
            ValueError: The data have no gaze or too few frames, or MediaPipe is asked for and missing.
            FileNotFoundError: MediaPipe's model is missing.
        """
        from nerface_ns.evaluation.gaze_landmarks import LandmarkIrises

        frames = sequence.splits["train"]
        gaze, _ = require_gaze(frames)
        uses_landmarks = self.source == "landmarks"
        make = LandmarkIrises.calibrator(self.landmarker) if uses_landmarks else FittedIrises.calibrated
        rows = spread_rows(len(frames), self.calibration_frames)
        pictures = true_pictures(frames, rows, self.size(frames), uses_landmarks)
        try:
            estimator = GazeEstimator.calibrated(make, pictures, gaze[rows])
        except ValueError as error:
            raise ValueError(f"{frames.source}: {error}") from error
        fit = own_error(estimator, pictures, gaze[rows]).as_json()
        return estimator, {**estimator.finder.as_json(), "calibration": fit}


def measure_gaze(
    pipeline: Any,
    evaluation: GazeEvaluation,
    image_distance: ImageDistance | None = None,
    done: Callable[[str, tuple[float, float], Tensor | None, int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure a run that is conditioned on gaze.

    Args:
        pipeline: Of a trained run.
        evaluation: How to measure.
        image_distance: LPIPS or a stand-in for it.
        done: Called after each picture with the frame's name, the target in degrees, the picture (None where eyes are
            shut), how many are done, and how many there are.

    Returns:
        What the JSON file holds: figures, what they mean, how they came about, and every frame's under "frames".

    Raises:
        ValueError: The run knows no gaze, or the data lack gaze, eyes boxes or frames.
    """
    require_gaze_model(pipeline.model)
    sequence = getattr(pipeline.datamanager.dataparser, "sequence", None)
    if sequence is None:
        raise ValueError("--gaze: expected a run with its recorded frames, got one without them")
    targets = evaluation.targets.pairs()
    size = evaluation.size(sequence.splits[evaluation.split])
    renderer = GazeRenderer(pipeline, evaluation.split, size)
    estimator, calibration = evaluation.estimator(sequence)
    redirection = GazeRedirection(renderer, estimator, targets, image_distance)
    was_training = pipeline.training
    pipeline.eval()
    rows = spread_rows(len(renderer.frames), evaluation.max_frames)
    number = 0

    def picture_done(name: str, target: tuple[float, float], image: Tensor | None) -> None:
        """Count a picture and tell of it."""
        nonlocal number
        number += 1
        if done is not None:
            done(name, target, image, number, len(rows) * len(targets))

    try:
        frames = [redirection.measure(row, picture_done) for row in rows]
    finally:
        estimator.finder.close()
        pipeline.train(was_training)
    return {
        **gaze_figures(frames),
        "definitions": DEFINITIONS,
        "split": evaluation.split,
        "image_size": list(size),
        "estimator": calibration,
        **_trained_range(require_gaze(sequence.splits["train"])[0], targets),
        "frames": frame_figures(frames),
    }


def _trained_range(gaze: np.ndarray, targets: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Return the range of training gazes (n, 2), in degrees, and the targets outside it."""
    low, high = np.rad2deg(gaze.min(axis=0)), np.rad2deg(gaze.max(axis=0))
    return {
        "trained_pitch_deg": [round(float(low[0]), 2), round(float(high[0]), 2)],
        "trained_yaw_deg": [round(float(low[1]), 2), round(float(high[1]), 2)],
        "targets_beyond_training": [
            list(target) for target in targets if (np.array(target) < low).any() or (np.array(target) > high).any()
        ],
    }
