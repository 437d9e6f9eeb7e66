"""What eyeballs look like: brightness over the angle from the gaze."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

COMMON_ERROR = 0.1
"""Deviation in brightness from which on a pixel counts less."""


@dataclass(frozen=True)
class IrisProfile:
    """Brightness over the angle from the gaze."""

    pupil: float
    iris: float
    white: float
    pupil_deg: float
    """Angle of the pupil's edge."""
    iris_deg: float
    """Angle of the iris' edge."""
    soft_deg: float
    """Angle over which the edges are blurred."""

    def __call__(self, angle_deg: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
        """Return the brightness that is expected at angles from the gaze."""
        out_of_pupil, out_of_iris = (
            0.5 * (1.0 + np.tanh((angle_deg - edge) / (2 * self.soft_deg))) for edge in (self.pupil_deg, self.iris_deg)
        )
        return self.pupil + (self.iris - self.pupil) * out_of_pupil + (self.white - self.iris) * out_of_iris

    def numbers(self) -> Float[np.ndarray, "6"]:
        """Return all of it in the order of the fields."""
        return np.array([self.pupil, self.iris, self.white, self.pupil_deg, self.iris_deg, self.soft_deg])


USUAL_PROFILE = IrisProfile(0.06, 0.33, 0.8, 10.0, 28.0, 3.0)
"""From which the fit starts."""


def pixel_angles_deg(
    outward: Float[np.ndarray, "*#batch 3"], direction: Float[np.ndarray, "*#batch 3"]
) -> Float[np.ndarray, "..."]:
    """Return the angles between unit vectors, broadcast."""
    apart = np.linalg.norm(outward - direction, axis=-1)
    return np.rad2deg(2 * np.arcsin((apart / 2).clip(0, 1)))
