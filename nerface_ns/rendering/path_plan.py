"""Plan of `nerface-render path`: a camera path saved by nerfstudio's viewer, with or without a driver's track."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import torch
from torch import Tensor

from nerface_ns.rendering.camera_path_file import CameraPath
from nerface_ns.rendering.posed_camera import posed_camera, resized_camera
from nerface_ns.rendering.render_plan import RenderPlan, Shot
from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.rendering.track_expression import TrackExpression, track_expression
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.retargeting import RetargetingConfig


def path_plan(
    subject: RenderSubject,
    path: CameraPath,
    track: Optional[ExpressionTrack],
    retargeting: RetargetingConfig,
    expression: str,
    frames_per_s: Optional[float] = None,
) -> RenderPlan:
    """Follow a camera path.

    Args:
        subject: The person.
        path: The path. It decides the image size, unless the subject's height is given.
        track: Expressions to show, at their own speed from the path's start; the last one stays.
        retargeting: How the track is carried over.
        expression: "neutral", "mean" or "frame:N": what is shown without a track where the path has no render_time;
            with one the recording is followed along it, as ns-render does.
        frames_per_s: Playback rate; the path's own without it.
    """
    rate = path.frames_per_s if frames_per_s is None else frames_per_s
    shown = _shown_expression(subject, path, track, retargeting, expression, rate)
    codes = None if subject.code is None else subject.code.codes(subject.model, shown.expression)
    shots = []
    for index in range(len(path.cameras)):
        camera: Any = path.cameras[index : index + 1]
        if subject.height_px is not None:
            camera = resized_camera(camera, subject.height_px)
        code = None if codes is None else codes[index]
        gaze = None if shown.gaze is None else shown.gaze[index]
        posed = posed_camera(camera, camera.camera_to_worlds[0], shown.expression[index], code, gaze)
        shots.append(Shot(posed, crop=path.crop))
    return RenderPlan(
        shots,
        rate,
        shown.extrapolation,
        backdrop=path.backdrop,
        warnings=shown.warnings,
        details={"track": None if track is None else track.source},
    )


def _shown_expression(
    subject: RenderSubject,
    path: CameraPath,
    track: Optional[ExpressionTrack],
    retargeting: RetargetingConfig,
    expression: str,
    frames_per_s: float,
) -> TrackExpression:
    count = len(path.cameras)
    if track is not None:
        return track_expression(subject, track, retargeting, np.arange(count) / frames_per_s)
    if path.cameras.times is None:
        shown: Tensor = subject.chosen_expression(expression).repeat(count, 1)
        gaze = subject.chosen_gaze(expression, count)
    else:
        with torch.no_grad():
            times = path.cameras.times.flatten()
            shown = subject.model.track(times).cpu()
            gaze = subject.model.gaze_track(times).cpu() if subject.model.has_gaze else None
    return TrackExpression(shown, subject.extrapolation(shown), [], gaze)
