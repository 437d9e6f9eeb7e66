"""An optional network that helps the matte: any MediaPipe image segmenter that knows background from person."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from nerface_ns.tracking.face_finder import load_mediapipe


class PersonSegmenter:
    """MediaPipe's image segmenter.

    A model with one mask gives the person's probability; one with several has the background first.

    Args:
        model: A .tflite file with metadata, for example MediaPipe's selfie segmenter.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: MediaPipe is missing or cannot use it.
    """

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise FileNotFoundError(f"--segmenter {model}: expected a model file here, found none")
        self._mediapipe, vision, base_options = load_mediapipe()
        options = vision.ImageSegmenterOptions(
            base_options=base_options(model_asset_path=str(model)),
            running_mode=vision.RunningMode.IMAGE,
            output_confidence_masks=True,
            output_category_mask=False,
        )
        try:
            self._segmenter = vision.ImageSegmenter.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"--segmenter {model}: MediaPipe cannot use this model ({error})") from error
        self._lock = threading.Lock()

    def person(self, image: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width"]:
        """Probability of a person at every pixel of an RGB image."""
        picture = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=image)
        with self._lock:
            masks = self._segmenter.segment(picture).confidence_masks
            values = [np.squeeze(np.array(mask.numpy_view(), dtype=np.float32)) for mask in masks]
        return values[0] if len(values) == 1 else 1 - values[0]
