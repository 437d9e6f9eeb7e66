"""Settings of `nerface-track` beyond which video goes where."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nerface_ns.tracking.bundle_adjustment import BundleAdjustmentConfig


@dataclass
class TrackingConfig:
    """How a video becomes a dataset."""

    size: int = 512
    """Height and width of the written images, pixels; smaller where the video shows the head smaller."""
    faces: Literal["largest", "error"] = "largest"
    """With several faces: take the largest, or stop."""
    landmarker: Path | None = None
    """MediaPipe face landmarker bundle (.task); without it the cached one, which is fetched once."""
    matte: bool = True
    """Separate the person from the background; without it no masks and no background photograph are written."""
    segmenter: Path | None = None
    """MediaPipe image segmenter (.tflite, for example the selfie segmenter) that helps the matte."""
    test_share: float = 0.15
    """Share of the frames, the last ones, that make the test split."""
    num_val: int = 5
    """Frames for validation, spread over the rest."""
    preview: bool = True
    """Write preview.mp4: the images with all that was found drawn on them."""
    bundle_adjustment: BundleAdjustmentConfig = field(default_factory=BundleAdjustmentConfig)
    """How the head's motion is fitted."""

    def __post_init__(self) -> None:
        if self.size < 16:
            raise ValueError(f"--size {self.size}: expected at least 16 pixels")
        if not 0 < self.test_share < 0.9:
            raise ValueError(f"--test-share {self.test_share:g}: expected above 0, below 0.9")
        if self.num_val < 1:
            raise ValueError(f"--num-val {self.num_val}: expected at least 1")
