"""A track's expressions, carried over to a person, at the times of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.retargeting import RetargetedTrack, RetargetingConfig, retarget

ROUNDING = 1e-5
"""Share of a range that single precision may add to a number at its end."""


@dataclass
class TrackExpression:
    """What a person shows along a track."""

    expression: Float[Tensor, "num_frames num_coefficients"]
    """Coefficients of the person."""
    extrapolation: list[float]
    """How far each frame asked to go outside the trained range, the largest over all coefficients."""
    warnings: list[str]
    """What the user should know."""
    gaze: Optional[Float[Tensor, "num_frames 2"]] = None
    """Where the driver looks, pitch and yaw in radians, where the track says it."""


def track_expression(
    subject: RenderSubject,
    track: ExpressionTrack,
    retargeting: RetargetingConfig,
    times_s: Float[np.ndarray, " num_frames"],
) -> TrackExpression:
    """Carry a whole track over, then look it up; after its end the last frame stays.

    Args:
        subject: The person.
        track: The driver.
        retargeting: How expressions are carried over.
        times_s: Times of the frames from the track's start.
    """
    driven = retarget(track, subject.retargeting_target(), retargeting)
    carried = ExpressionTrack(
        track.frames_per_s, subject.names, driven.expression, gaze=track.gaze, source=track.source
    )
    warnings = [*driven.warnings, *_range_warnings(track.source, driven, subject.names)]
    if subject.train_gaze is not None and track.gaze is None:
        warnings.append(
            f"{track.source}: says no gaze, so the eyes look straight ahead; with --look-at camera they follow the "
            "viewer"
        )
    if times_s[-1] > track.duration_s:
        warnings.append(
            f"{track.source}: ends after {track.duration_s:.2f} s, before the video does: its last frame stays"
        )
    shown = carried.at(times_s)
    return TrackExpression(
        torch.from_numpy(shown.expression).float(),
        [float(value) for value in np.interp(times_s, track.times_s, driven.extrapolation)],
        warnings,
        None if shown.gaze is None else torch.from_numpy(shown.gaze).float(),
    )


def _range_warnings(source: str, driven: RetargetedTrack, names: tuple[str, ...]) -> list[str]:
    """Say how many frames ask for what was never trained, and which asks for most."""
    outside = driven.coefficient_extrapolation
    count = int((driven.extrapolation > ROUNDING).sum())
    if count == 0:
        return []
    frame, column = np.unravel_index(outside.argmax(), outside.shape)
    return [
        f"{source}: {count} of {len(outside)} frames ask for expressions outside the trained range; most: "
        f"{names[column]} in frame {frame}, by {outside[frame, column]:.2f} of the range's width"
    ]
