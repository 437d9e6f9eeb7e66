"""Plan of `nerface-render sweep`: every expression from the low to the high end of its trained range."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.rendering.render_plan import RenderPlan
from nerface_ns.rendering.render_subject import RenderSubject


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
        expressions: Names; every one of the data without any.
        num_columns: Pictures of each expression on the contact sheet.
        seconds_each: Duration of each in the video.
        frames_per_s: Rate of the video.
        base: What the other coefficients are at.

    Raises:
        ValueError: The data have no expression of such a name.
    """
    columns = [_find(subject.names, name) for name in expressions or subject.names]
    num_frames = max(2, round(seconds_each * frames_per_s))
    shares = (1 - np.cos(2 * np.pi * np.arange(num_frames) / num_frames)) / 2
    steps = np.linspace(0, 1, num_columns)
    video, rows = [], []
    for column in columns:
        video.append(_between(subject, base, column, shares))
        rows.append(_between(subject, base, column, steps))
    expression = torch.cat(video)
    labels = [_label(subject, column, row) for column, part in zip(columns, video) for row in part]
    pose = subject.own_camera.camera_to_worlds[0]
    sheet = [
        subject.shots([pose] * len(row), row, [_label(subject, column, values) for values in row])
        for column, row in zip(columns, rows)
    ]
    return RenderPlan(
        shots=subject.shots([pose] * len(expression), expression, labels),
        frames_per_s=frames_per_s,
        extrapolation=subject.extrapolation(expression),
        sheet=sheet,
        details={"expressions": [subject.names[column] for column in columns]},
    )


def _find(names: Sequence[str], name: str) -> int:
    if name not in names:
        raise ValueError(f"--expressions {name}: expected names among {', '.join(names)}")
    return names.index(name)


def _between(
    subject: RenderSubject, base: Tensor, column: int, shares: Float[np.ndarray, " num_steps"]
) -> Float[Tensor, "num_steps num_coefficients"]:
    low, high = subject.low[column], subject.high[column]
    expression = base.repeat(len(shares), 1)
    expression[:, column] = low + torch.from_numpy(shares).float() * (high - low)
    return expression


def _label(subject: RenderSubject, column: int, expression: Tensor) -> str:
    return f"{subject.names[column]} {float(expression[column]):.2f}"
