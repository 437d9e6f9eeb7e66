"""Plan of `nerface-render self`: a recorded split beside what the avatar makes of it."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

import numpy as np
import torch

from nerface_ns.conditioning import keys
from nerface_ns.evaluation.data_splits import check_splits
from nerface_ns.evaluation.split_scores import SplitRenderer
from nerface_ns.rendering.picture_layout import Picture
from nerface_ns.rendering.posed_camera import resized_camera
from nerface_ns.rendering.render_plan import RenderPlan, Shot
from nerface_ns.rendering.render_subject import RenderSubject


def split_plan(
    subject: RenderSubject,
    split: str,
    frames_per_s: float,
    max_frames: Optional[int] = None,
    beside_truth: bool = True,
) -> RenderPlan:
    """Show a split's frames with their own cameras and expressions, the truth beside.

    Args:
        subject: The person.
        split: Name of a split.
        frames_per_s: Rate of the output.
        max_frames: Show so many frames, evenly spread; all without it.
        beside_truth: Whether the recorded frame stands beside.

    Raises:
        ValueError: The data have no such split.
    """
    check_splits(subject.pipeline.datamanager.dataparser, (split,))
    frames = SplitRenderer(subject.pipeline, split)
    count = len(frames) if max_frames is None else min(max_frames, len(frames))
    rows = [number * len(frames) // count for number in range(count)]
    cameras = [_camera(subject, frames.dataset.cameras[row : row + 1].to("cpu")) for row in rows]
    expression = torch.cat([camera.metadata[keys.EXPRESSION].float() for camera in cameras])

    def truth(index: int) -> Picture:
        """Return a recorded picture."""
        return np.ascontiguousarray(frames.dataset.get_numpy_image(rows[index]))

    return RenderPlan(
        shots=[Shot(camera) for camera in cameras],
        frames_per_s=frames_per_s,
        extrapolation=subject.extrapolation(expression),
        beside=truth if beside_truth else None,
        titles=("truth", "avatar" if split == "train" else "avatar (never saw this frame)"),
        details={"split": split, "frame_names": [frames.frame_names[row] for row in rows]},
    )


def _camera(subject: RenderSubject, camera: Any) -> Any:
    """Give a split's camera the size and the latent code that are asked for."""
    if subject.height_px is not None:
        camera = resized_camera(camera, subject.height_px)
    if subject.code is None:
        return camera
    codes = subject.code.codes(subject.model, camera.metadata[keys.EXPRESSION].float())
    metadata = camera.metadata if codes is None else {**camera.metadata, keys.LATENT_CODE: codes}
    return dataclasses.replace(camera, metadata=metadata)
