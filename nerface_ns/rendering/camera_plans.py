"""Plans of `nerface-render orbit` and `interpolate`: the camera, the expression, or both go between two places."""

from __future__ import annotations

from typing import Optional

import numpy as np
import torch

from nerface_ns.rendering.head_camera import orbit_poses
from nerface_ns.rendering.render_plan import RenderPlan
from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.rendering.track_expression import track_expression
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.retargeting import RetargetingConfig


def orbit_plan(
    subject: RenderSubject,
    expression: str,
    track: Optional[ExpressionTrack],
    retargeting: RetargetingConfig,
    seconds: float,
    frames_per_s: float,
    yaw_deg: float,
    pitch_deg: float,
) -> RenderPlan:
    """Circle once about the head, which shows one expression or a track.

    Args:
        subject: The person.
        expression: "neutral", "mean" or "frame:N"; what is shown without a track.
        track: Expressions to show, at their own speed; the last one stays.
        retargeting: How the track is carried over.
        seconds: Duration of the round.
        frames_per_s: Rate of the output.
        yaw_deg, pitch_deg: How far the camera goes to each side, up and down.
    """
    times_s = np.arange(max(1, round(seconds * frames_per_s))) / frames_per_s
    phases = np.arange(len(times_s)) / len(times_s)
    own = subject.own_camera.camera_to_worlds[0]
    poses = orbit_poses(own, subject.pivot, phases, yaw_deg, pitch_deg)
    if track is None:
        shown = subject.chosen_expression(expression).repeat(len(times_s), 1)
        return RenderPlan(subject.shots(poses, shown), frames_per_s, subject.extrapolation(shown))
    driven = track_expression(subject, track, retargeting, times_s)
    return RenderPlan(
        subject.shots(poses, driven.expression),
        frames_per_s,
        driven.extrapolation,
        warnings=driven.warnings,
        details={"track": track.source},
    )


def interpolation_plan(
    subject: RenderSubject, frames: tuple[int, int], seconds: float, frames_per_s: float, move_camera: bool
) -> RenderPlan:
    """Blend from one training frame to another: expressions, latent codes, and on request cameras.

    Args:
        subject: The person.
        frames: Two training frames.
        seconds: Duration.
        frames_per_s: Rate of the output.
        move_camera: Whether the camera goes from the one frame's to the other's; else the own camera stands still.

    Raises:
        ValueError: There is no such training frame.
    """
    first, last = (subject.training_frame(frame, "frames") for frame in frames)
    shares = torch.linspace(0, 1, max(2, round(seconds * frames_per_s)))
    ends = subject.train_expression[[first, last]]
    expression = torch.lerp(ends[:1], ends[1:], shares[:, None])
    codes = subject.model.latent_codes.codes.detach().cpu()[[first, last]]
    blended = torch.lerp(codes[:1], codes[1:], shares[:, None]) if codes.shape[1] > 0 and subject.code is None else None
    poses = [subject.own_camera.camera_to_worlds[0]] * len(shares)
    if move_camera:
        keyframes = subject.poses[[first, last]].double().numpy()
        # Two frames a second apart: their track knows how poses lie between them.
        pair = ExpressionTrack(1.0, (), ends.double().numpy(), camera_to_world=keyframes, source="two training frames")
        poses = list(torch.from_numpy(pair.at(shares.double().numpy()).camera_to_world).float())
    return RenderPlan(
        subject.shots(poses, expression, codes=blended),
        frames_per_s,
        subject.extrapolation(expression),
        details={"frames_between": [first, last]},
    )
