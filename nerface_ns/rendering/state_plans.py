"""Plans of `nerface-render state` and `morph`: a fitted head turns, or becomes another fitted one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.rendering.posed_camera import posed_camera, turn_about
from nerface_ns.rendering.render_plan import RenderPlan, Shot
from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.rendering.state_subject import as_tensors, state_camera
from nerface_ns.rendering.track_expression import TrackExpression, track_expression
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.fitted_state import FittedState
from nerface_ns.tracks.retargeting import RetargetingConfig


def turn_plan(
    subject: RenderSubject,
    state: FittedState,
    seconds: float,
    frames_per_s: float,
    yaw_deg: float,
    pitch_deg: float,
    track: Optional[ExpressionTrack] = None,
    retargeting: Optional[RetargetingConfig] = None,
) -> RenderPlan:
    """Turn a fitted head to either side and back, nodding a little; the first frame is the fitted one.

    Args:
        subject: The person.
        state: What they show.
        seconds: Duration.
        frames_per_s: Rate of the output.
        yaw_deg, pitch_deg: How far the camera goes to each side, up and down.
        track: Expressions to show instead of the fitted one, at their own speed; the last one stays.
        retargeting: How the track is carried over.
    """
    camera = state_camera(subject, state)
    expression, code, gaze = as_tensors(state)
    count = max(1, round(seconds * frames_per_s))
    shown = TrackExpression(expression.repeat(count, 1), subject.extrapolation(expression[None]) * count, warnings=[])
    if track is not None:
        shown = track_expression(subject, track, retargeting or RetargetingConfig(), np.arange(count) / frames_per_s)
    pose = camera.camera_to_worlds[0]
    shots = []
    for index, row in enumerate(shown.expression):
        angle = 2 * math.pi * index / count
        turned = turn_about(pose, subject.pivot, yaw_deg * math.sin(angle), pitch_deg * math.sin(2 * angle))
        shots.append(Shot(posed_camera(camera, turned, row, code if len(code) else None, gaze)))
    return RenderPlan(
        shots,
        frames_per_s,
        shown.extrapolation,
        warnings=shown.warnings,
        details={"states": [state.source], "track": None if track is None else track.source},
    )


def morph_plan(
    subject: RenderSubject, states: Sequence[FittedState], seconds: float, frames_per_s: float
) -> RenderPlan:
    """Go from state to state, each part as long.

    Expression, latent code, the persons' shares, the head's place before the camera and the lens follow straight lines,
    the head's turn and the gaze the shortest turn (Slerp). The picture's proportions are those of the first state.

    Args:
        subject: The person.
        states: At least two.
        seconds: Duration.
        frames_per_s: Rate of the output.

    Raises:
        ValueError: Fewer than two states.
    """
    if len(states) < 2:
        raise ValueError(f"--states: expected at least two states, got {len(states)}")
    cameras = [state_camera(subject, state) for state in states]
    shown = [as_tensors(state) for state in states]
    places = np.linspace(0, len(states) - 1, max(2, round(seconds * frames_per_s)))
    shots, expressions = [], []
    for place in places:
        low = min(int(place), len(states) - 2)
        share = float(place) - low
        first, second = shown[low], shown[low + 1]
        expression, code = torch.lerp(first[0], second[0], share), torch.lerp(first[1], second[1], share)
        gaze = None if first[2] is None or second[2] is None else gaze_between(first[2], second[2], share)
        camera = _lens_between(cameras[0], cameras[low], cameras[low + 1], share)
        ends = [cameras[row].camera_to_worlds[0] for row in (low, low + 1)]
        pose = pose_between(ends[0], ends[1], subject.pivot, share)
        shots.append(Shot(posed_camera(camera, pose, expression, code if len(code) else None, gaze)))
        expressions.append(expression)
    return RenderPlan(
        shots,
        frames_per_s,
        subject.extrapolation(torch.stack(expressions)),
        details={"states": [state.source for state in states]},
    )


def pose_between(
    first: Float[Tensor, "3 4"], second: Float[Tensor, "3 4"], pivot: Float[Tensor, " 3"], share: float
) -> Float[Tensor, "3 4"]:
    """Return a camera before which the head has gone a share of the way between two poses.

    Args:
        first, second: Camera to world.
        pivot: Middle of the head, in the world.
        share: 0 for the first, 1 for the second.
    """
    from scipy.spatial.transform import Rotation, Slerp

    ends = torch.stack([first, second]).double()
    head = (ends[:, :, :3].transpose(1, 2) @ (pivot.double() - ends[:, :, 3])[:, :, None])[..., 0]
    turns = Slerp([0, 1], Rotation.from_matrix(ends[:, :, :3].numpy()))
    rotation = torch.from_numpy(turns(share).as_matrix())
    position = pivot.double() - rotation @ torch.lerp(head[0], head[1], share)
    return torch.cat([rotation, position[:, None]], dim=1).to(first)


def gaze_between(first: Float[Tensor, " 2"], second: Float[Tensor, " 2"], share: float) -> Float[Tensor, " 2"]:
    """Return pitch and yaw of a direction a share of the way along the great circle between two."""
    ends = torch.stack([_direction(first), _direction(second)]).double()
    angle = float(torch.arccos((ends[0] @ ends[1]).clamp(-1, 1)))
    if angle < 1e-6:
        return torch.lerp(first, second, share)
    weights = [math.sin((1 - share) * angle), math.sin(share * angle)]
    x, y, z = ((weights[0] * ends[0] + weights[1] * ends[1]) / math.sin(angle)).tolist()
    return torch.tensor([math.asin(max(-1.0, min(1.0, y))), math.atan2(x, z)]).to(first)


def _direction(gaze: Tensor) -> Float[Tensor, " 3"]:
    pitch, yaw = gaze.double()
    return torch.stack([pitch.cos() * yaw.sin(), pitch.sin(), pitch.cos() * yaw.cos()])


def _lens_between(frame: Any, first: Any, second: Any, share: float) -> Any:
    """A camera of one picture's size whose lens, measured in picture heights, and persons lie between two others'."""
    ends = [_lens(camera) for camera in (first, second)]
    values = {name: ends[0][name] + share * (ends[1][name] - ends[0][name]) for name in ends[0]}
    height, width = int(frame.height[0]), int(frame.width[0])
    middle = {"fx": 0.0, "fy": 0.0, "cx": width / 2, "cy": height / 2}
    changes: dict[str, Any] = {
        name: torch.full_like(getattr(frame, name), middle[name] + height * values[name]) for name in middle
    }
    shown = [(camera.metadata or {}).get(keys.IDENTITY_SHARES) for camera in (first, second)]
    if shown[0] is not None and shown[1] is not None:
        changes["metadata"] = {**frame.metadata, keys.IDENTITY_SHARES: torch.lerp(shown[0], shown[1], share)}
    return dataclasses.replace(frame, **changes)


def _lens(camera: Any) -> dict[str, float]:
    """Focal lengths, and the principal point from the picture's middle, in picture heights."""
    height, width = int(camera.height[0]), int(camera.width[0])
    middle = {"fx": 0.0, "fy": 0.0, "cx": width / 2, "cy": height / 2}
    return {name: (float(getattr(camera, name)[0]) - offset) / height for name, offset in middle.items()}
