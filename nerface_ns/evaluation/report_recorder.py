"""Takes up scored frames for `nerface-evaluate --report`: more figures, and side-by-side videos."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from nerface_ns.data.region_labels import RegionLabels
from nerface_ns.evaluation.comparison_image import colors_to_bytes, comparison_columns, label_strip
from nerface_ns.evaluation.extra_scores import ExtraScores, LandmarkFinder
from nerface_ns.evaluation.split_scores import RenderedFrame

FRAMES_PER_S = 25.0
"""Playback rate of the videos."""
LEAST_HEIGHT_PX = 192
"""Smaller pictures are enlarged by a whole number."""
SHOWN = ("truth", "render", "error")
"""What stands side by side."""


class ReportRecorder:
    """Collects figures and pictures of the splits, frame after frame.

    Args:
        pipeline: The trained pipeline, whose data may have parsings.
        find_landmarks: Finds landmarks where their distance is wanted.
    """

    def __init__(self, pipeline: Any, find_landmarks: LandmarkFinder | None = None) -> None:
        self.pipeline, self.find_landmarks = pipeline, find_landmarks
        self.splits: dict[str, ExtraScores] = {}
        self._labels: dict[str, tuple[RegionLabels | None, dict[str, int]]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="nerface-report-")
        self._videos: dict[str, Any] = {}

    def add(self, split: str, frame: RenderedFrame) -> None:
        """Take up the next frame of a split."""
        if split not in self.splits:
            self.splits[split] = ExtraScores(self.find_landmarks)
            self._labels[split] = self._open_labels(split)
        self.splits[split].add(frame, self._masks(split, frame.name))
        self._video(split).append(side_by_side(frame))

    def videos(self) -> dict[str, str]:
        """End the videos; returns them by split, as text that a page can hold."""
        texts = {}
        for split, video in self._videos.items():
            video.__exit__(None, None, None)
            texts[split] = base64.b64encode(video.path.read_bytes()).decode("ascii")
        self._videos.clear()
        return texts

    def close(self) -> None:
        """Remove what lies in temporary files."""
        self._folder.cleanup()

    def as_json(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """Return every split's mean figures by region."""
        return {split: scores.mean() for split, scores in self.splits.items()}

    def _open_labels(self, split: str) -> tuple[RegionLabels | None, dict[str, int]]:
        """A split's parsings, and its frames' rows by name."""
        metadata = self.pipeline.datamanager.dataparser.get_dataparser_outputs(split=split).metadata
        parsings = metadata.get("parsing_filenames")
        if parsings is None:
            return None, {}
        rows = {str(name): row for row, name in enumerate(metadata["frame_names"])}
        return RegionLabels(parsings, metadata["stored_image_size"], *metadata["image_size"]), rows

    def _masks(self, split: str, name: str) -> Mapping[str, Bool[np.ndarray, "height width"]]:
        """What the frame's parsing shows, but for what boxes and mattes tell."""
        labels, rows = self._labels[split]
        if labels is None:
            return {}
        return {region: labels.mask(region, rows[name]) for region in labels.present}

    def _video(self, split: str) -> Any:
        if split not in self._videos:
            from nerface_ns.rendering.video_writer import VideoWriter

            path = Path(self._folder.name) / f"{split}.mp4"
            self._videos[split] = VideoWriter(path, FRAMES_PER_S, constant_rate_factor=23).__enter__()
        return self._videos[split]


def side_by_side(frame: RenderedFrame) -> UInt8[np.ndarray, "height width 3"]:
    """Return truth, render and error beside each other, named above."""
    columns = comparison_columns(frame.truth, frame.outputs)
    factor = max(1, -(-LEAST_HEIGHT_PX // frame.truth.shape[0]))
    pictures = []
    for name in SHOWN:
        picture = colors_to_bytes(columns[name]).repeat(factor, axis=0).repeat(factor, axis=1)
        pictures.append(np.concatenate([label_strip(picture.shape[1], name), picture]))
    return np.concatenate(pictures, axis=1)
