"""Plan of `nerface-render sweep`: every expression from the low to the high end of its trained range."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.rendering.render_plan import RenderPlan, Shot
from nerface_ns.rendering.render_subject import RenderSubject

GAZE_NAMES = ("gazePitch", "gazeYaw")
"""What the angles of the gaze are called among the coefficients, where the eyes follow one."""


def sweep_plan(
    subject: RenderSubject,
    expressions: Sequence[str],
    num_columns: int,
    seconds_each: float,
    frames_per_s: float,
    base: Float[Tensor, " num_coefficients"],
) -> RenderPlan:
    """Let one expression after the other go from low to high and back.

    Args:
        subject: The person.
        expressions: Names; every one of the data, and the gaze's angles where the eyes follow it, without any.
        num_columns: Pictures of each expression on the contact sheet.
        seconds_each: Duration of each in the video.
        frames_per_s: Rate of the video.
        base: What the other coefficients are at.

    Raises:
        ValueError: The data have no expression of such a name.
    """
    names = [*subject.names, *(GAZE_NAMES if subject.train_gaze is not None else ())]
    columns = [_find(names, name) for name in expressions or names]
    num_frames = max(2, round(seconds_each * frames_per_s))
    shares = (1 - np.cos(2 * np.pi * np.arange(num_frames) / num_frames)) / 2
    video = [_swept(subject, base, names, column, shares) for column in columns]
    sheet = [_swept(subject, base, names, column, np.linspace(0, 1, num_columns)) for column in columns]
    return RenderPlan(
        shots=[shot for shots, _ in video for shot in shots],
        frames_per_s=frames_per_s,
        extrapolation=subject.extrapolation(torch.cat([expression for _, expression in video])),
        sheet=[shots for shots, _ in sheet],
        details={"expressions": [names[column] for column in columns]},
    )


def _find(names: Sequence[str], name: str) -> int:
    if name not in names:
        raise ValueError(f"--expressions {name}: expected names among {', '.join(names)}")
    return names.index(name)


def _swept(
    subject: RenderSubject, base: Tensor, names: Sequence[str], column: int, shares: Float[np.ndarray, " num_steps"]
) -> tuple[list[Shot], Float[Tensor, "num_steps num_coefficients"]]:
    """Return the shots of one coefficient, or one angle of the gaze, at shares of its range; and their expressions."""
    steps = torch.from_numpy(shares).float()
    expression, angle = base.repeat(len(shares), 1), column - len(subject.names)
    if angle < 0:
        low, high = subject.low[column], subject.high[column]
        expression[:, column] = low + steps * (high - low)
        labels = [f"{names[column]} {float(row[column]):.2f}" for row in expression]
        gaze = None
    else:
        gaze = torch.zeros(len(shares), 2)
        assert subject.train_gaze is not None
        low, high = subject.train_gaze[:, angle].min(), subject.train_gaze[:, angle].max()
        gaze[:, angle] = low + steps * (high - low)
        labels = [f"{names[column]} {float(torch.rad2deg(row[angle])):.0f}" for row in gaze]
    pose = subject.own_camera.camera_to_worlds[0]
    return subject.shots([pose] * len(expression), expression, labels, gaze=gaze), expression
