"""What the eyes of rendered frames look at: a direction, a point of the scene, or the camera."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Optional

import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.conditioning.gaze import gaze_towards
from nerface_ns.rendering.render_plan import RenderPlan, Shot

ROUNDING_DEG = 1e-3
"""Degrees that single precision may add to a gaze at the end of its range."""


@dataclass(frozen=True)
class GazeTarget:
    """A gaze for all frames."""

    angles_deg: Optional[tuple[float, float]] = None
    """Pitch and yaw in degrees."""
    point: Optional[tuple[float, float, float]] = None
    """What is looked at, in scene units; with neither, each frame's camera is."""

    @classmethod
    def of(
        cls,
        gaze: Optional[tuple[float, float]],
        look_at: Optional[Literal["camera"] | tuple[float, float, float]],
    ) -> Optional[GazeTarget]:
        """Return what `--gaze` and `--look-at` ask for; None where neither is given.

        Raises:
            ValueError: Both are given, or a number is not finite.
        """
        if gaze is not None and look_at is not None:
            raise ValueError(f"--gaze {gaze} --look-at {look_at}: expected one of them, got both")
        for option, numbers in (("gaze", gaze), ("look-at", look_at)):
            if isinstance(numbers, tuple) and not all(abs(number) < math.inf for number in numbers):
                raise ValueError(f"--{option}: expected finite numbers, got {numbers}")
        if isinstance(look_at, tuple):
            return cls(point=look_at)
        return cls(angles_deg=gaze) if gaze is not None or look_at is not None else None

    def gaze(self, camera: Any, eyes: Float[Tensor, "3"]) -> Float[Tensor, "2"]:
        """Return pitch and yaw in radians for one frame.

        Args:
            camera: A `Cameras` of one.
            eyes: From where the person looks.

        Raises:
            ValueError: What is looked at is where the eyes are.
        """
        if self.angles_deg is not None:
            return torch.deg2rad(torch.tensor(self.angles_deg))
        point = camera.camera_to_worlds[0, :, 3] if self.point is None else torch.tensor(self.point)
        return gaze_towards(point.to(eyes) - eyes)


def directed_plan(plan: RenderPlan, model: Any, target: Optional[GazeTarget]) -> RenderPlan:
    """Let the eyes of all frames look somewhere, and say how many gazes were never trained.

    Args:
        plan: Its shots' own gazes hold without a target.
        model: A `FaceModel`.
        target: What they look at.

    Raises:
        ValueError: There is a target, but the avatar's eyes follow no gaze.
    """
    if not model.has_gaze:
        if target is not None:
            raise ValueError(
                "--gaze, --look-at: expected a run of a method whose eyes follow a gaze (nerface-gaze); here they go "
                "with the expression"
            )
        return plan
    if target is not None:
        eyes = model.eyes_position.cpu()
        shots = [_directed(shot, target, eyes) for shot in plan.shots]
        sheet = [[_directed(shot, target, eyes) for shot in row] for row in plan.sheet]
        plan = dataclasses.replace(plan, shots=shots, sheet=sheet)
    outside = _outside_deg(plan.shots, model)
    plan.details["gaze_outside_deg"] = [round(value, 3) for value in outside]
    count = sum(value > ROUNDING_DEG for value in outside)
    if count:
        plan.warnings.append(
            f"{count} of {len(outside)} frames ask for a gaze outside the trained range, by up to {max(outside):.1f} "
            "deg; they show one at its edge"
        )
    return plan


def _directed(shot: Shot, target: GazeTarget, eyes: Tensor) -> Shot:
    camera = shot.camera
    gaze = target.gaze(camera, eyes).to(camera.camera_to_worlds)[None]
    metadata = {**(camera.metadata or {}), keys.GAZE: gaze}
    return dataclasses.replace(shot, camera=dataclasses.replace(camera, metadata=metadata))


def _outside_deg(shots: Sequence[Shot], model: Any) -> list[float]:
    """Degrees by which each shot's own gaze is outside what was trained; 0 for one that leaves it to the recording."""
    gazes = [(shot.camera.metadata or {}).get(keys.GAZE) for shot in shots]
    low = model.gaze_range.low
    return [0.0 if gaze is None else float(model.gaze_range.outside_deg(gaze.to(low))[0]) for gaze in gazes]
