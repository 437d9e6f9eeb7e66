"""Plans of `nerface-render orbit`, `spiral` and `interpolate`: the camera, the expression, or both go about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np
import torch
from torch import Tensor

from nerface_ns.rendering.head_camera import orbit_poses
from nerface_ns.rendering.render_plan import RenderPlan
from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.rendering.spiral_config import SpiralConfig
from nerface_ns.rendering.spiral_path import spiral_poses, spiral_radii
from nerface_ns.rendering.track_expression import track_expression
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.retargeting import RetargetingConfig

STILL = 1e-5
"""Shares of their distance from the head within which cameras stand at one place."""


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
    return _shown_along(subject, poses, expression, track, retargeting, times_s, frames_per_s)


def spiral_plan(
    subject: RenderSubject,
    expression: str,
    track: Optional[ExpressionTrack],
    retargeting: RetargetingConfig,
    seconds: float,
    frames_per_s: float,
    spiral: SpiralConfig,
) -> RenderPlan:
    """Move the camera on a spiral about the middle of the training cameras.

    Args:
        subject: The person.
        expression: "neutral", "mean" or "frame:N"; what is shown without a track.
        track: Expressions to show, at their own speed; the last one stays.
        retargeting: How the track is carried over.
        seconds: Duration of the whole spiral.
        frames_per_s: Rate of the output.
        spiral: Its shape.
    """
    times_s = np.arange(max(1, round(seconds * frames_per_s))) / frames_per_s
    poses = spiral_poses(subject.poses, subject.pivot, spiral, len(times_s))
    plan = _shown_along(subject, poses, expression, track, retargeting, times_s, frames_per_s)
    if float(spiral_radii(subject.poses, spiral.extent).max()) < STILL * float((poses[0][:, 3] - subject.pivot).norm()):
        plan.warnings.append("the training cameras all stand at one place, so the spiral stands still")
    return plan


def _shown_along(
    subject: RenderSubject,
    poses: Sequence[Tensor],
    expression: str,
    track: Optional[ExpressionTrack],
    retargeting: RetargetingConfig,
    times_s: np.ndarray,
    frames_per_s: float,
) -> RenderPlan:
    """Show one expression, or a track, from cameras at given times."""
    if track is None:
        shown = subject.chosen_expression(expression).repeat(len(times_s), 1)
        shots = subject.shots(poses, shown, gaze=subject.chosen_gaze(expression, len(times_s)))
        return RenderPlan(shots, frames_per_s, subject.extrapolation(shown))
    driven = track_expression(subject, track, retargeting, times_s)
    return RenderPlan(
        subject.shots(poses, driven.expression, gaze=driven.gaze),
        frames_per_s,
        driven.extrapolation,
        warnings=driven.warnings,
        details={"track": track.source},
    )


def interpolation_plan(
    subject: RenderSubject,
    frames: Sequence[int],
    seconds: float,
    frames_per_s: float,
    move_camera: bool,
) -> RenderPlan:
    """Go from training frame to training frame: expressions, latent codes, and on request cameras.

    Each part takes as long. Positions, expressions and codes follow straight lines, rotations the shortest turn
    (Slerp).

    Args:
        subject: The person.
        frames: At least two training frames, in order.
        seconds: Duration.
        frames_per_s: Rate of the output.
        move_camera: Whether the camera goes through the frames' cameras; else the own camera stands still.

    Raises:
        ValueError: There is no such training frame, or fewer than two are named.
    """
    rows = [subject.training_frame(frame, "frames") for frame in frames]
    if len(rows) < 2:
        named = " ".join(map(str, frames))
        raise ValueError(f"--frames {named}: expected at least two training frames, got {len(rows)}")
    # Frames a second apart make a track, which knows how expressions and poses lie between them.
    keyframes = ExpressionTrack(
        1.0,
        (),
        subject.train_expression[rows].double().numpy(),
        camera_to_world=subject.poses[rows].double().numpy(),
        gaze=None if subject.train_gaze is None else subject.train_gaze[rows].double().numpy(),
        source="training frames",
    )
    places = np.linspace(0, len(rows) - 1, max(2, round(seconds * frames_per_s)))
    between = keyframes.at(places)
    expression = torch.from_numpy(between.expression).float()
    codes = subject.model.latent_codes.codes.detach().cpu()[subject.frames[rows]]
    blended = _between(codes, places) if codes.shape[1] > 0 and subject.code is None else None
    poses = [subject.own_camera.camera_to_worlds[0]] * len(places)
    if move_camera:
        assert between.camera_to_world is not None
        poses = list(torch.from_numpy(between.camera_to_world).float())
    gaze = None if between.gaze is None else torch.from_numpy(between.gaze).float()
    return RenderPlan(
        subject.shots(poses, expression, codes=blended, gaze=gaze),
        frames_per_s,
        subject.extrapolation(expression),
        details={"frames_between": rows},
    )


def recording_keyframes(subject: RenderSubject, count: int) -> list[int]:
    """Return so many training frames, evenly spread over the recording, in its order; all where there are fewer."""
    order: Tensor = subject.order
    return order[torch.linspace(0, len(order) - 1, min(count, len(order))).round().long()].tolist()


def _between(rows: Tensor, places: np.ndarray) -> Tensor:
    """Return rows at places between them, 0 the first; along straight lines."""
    low = torch.from_numpy(np.floor(places)).long().clamp(max=len(rows) - 2)
    share = torch.from_numpy(places).to(rows) - low
    return torch.lerp(rows[low], rows[low + 1], share[:, None])
