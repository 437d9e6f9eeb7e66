"""Eyeballs and the look of irises from pictures of known gaze, by robust least squares over all their pixels.

What a pixel on an eyeball shows depends on its angle from the gaze alone: pupil, iris, white, with soft edges between.
Lids do not matter, because pixels with the colour of skin do not count. So the known gaze predicts each pixel of each
picture, and thirteen numbers (two centres, a radius, three levels, two angles, a softness) are fitted to what is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from nerface_ns.evaluation.gaze_geometry import Eyeballs, EyePicture, angles_deg, gaze_directions
from nerface_ns.evaluation.gaze_pixels import EyePixels, SkinColor
from nerface_ns.evaluation.gaze_profile import COMMON_ERROR, USUAL_PROFILE, IrisProfile, pixel_angles_deg
from nerface_ns.evaluation.gaze_search import refined_gaze
from nerface_ns.evaluation.gaze_start import find_eyeballs

REACH = 1.0
"""Distance from the eyeballs' centres, in radii, within which pixels count."""
FIRST_FRAMES, FIRST_ROUNDS, FRAMES, ROUNDS = 40, 2, 100, 2
"""Pictures, evenly spread, and fits from each guess; then those from the best one."""
FARTHEST = (*([0.7] * 6), 0.15, *([0.6] * 3), 0.1, 0.1, 1.0)
"""How far one fit may move centres (in radii), and radius, levels, angles and softness (logarithms). Brows are dark,
too: what gave way farther would take them for irises."""
TRUST_RAD = np.deg2rad(10.0)
"""How far beyond the calibration's range of gazes eyes are looked for."""


@dataclass(frozen=True)
class EyeFit:
    """The gaze that explains a picture best."""

    gaze: Float[np.ndarray, "2"]
    """Pitch and yaw, radians."""
    area: float
    """Area of both eyes that is seen and explained, in squared radii."""
    sharpness: float
    """How fast turning the eyes the way that matters least would spoil the fit, whatever the pixels' size."""


@dataclass(frozen=True)
class CalibratedEyes:
    """What pictures of known gaze say of a person's eyes."""

    eyeballs: Eyeballs
    profile: IrisProfile
    skin: SkinColor

    @classmethod
    def fitted(cls, pictures: Sequence[EyePicture], gaze: Float[np.ndarray, "n 2"]) -> CalibratedEyes:
        """Fit to pictures of known gaze.

        Args:
            pictures: With their eyes boxes.
            gaze: True gaze of each.
        """
        first, rows = _spread(len(pictures), FIRST_FRAMES), _spread(len(pictures), FRAMES)
        few = [pictures[row] for row in first]
        guesses = [
            cls._fit(few, gaze[first], each, USUAL_PROFILE, FIRST_ROUNDS) for each in find_eyeballs(few, gaze[first])
        ]
        bounds = gaze.min(axis=0) - TRUST_RAD, gaze.max(axis=0) + TRUST_RAD

        def error_deg(eyes: CalibratedEyes) -> float:
            """Return the median error of guessed eyes on half of the pictures."""
            found = np.stack([eyes.look(picture, *bounds).gaze for picture in few[::2]])
            return float(np.median(angles_deg(found, gaze[first[::2]])))

        best = min(guesses, key=error_deg)
        return cls._fit([pictures[row] for row in rows], gaze[rows], best.eyeballs, best.profile, ROUNDS)

    @classmethod
    def _fit(
        cls,
        pictures: Sequence[EyePicture],
        gaze: Float[np.ndarray, "n 2"],
        eyeballs: Eyeballs,
        profile: IrisProfile,
        rounds: int,
    ) -> CalibratedEyes:
        for _ in range(rounds):
            skin = SkinColor.learned(pictures, eyeballs)
            pixels = EyePixels.of(pictures, eyeballs, skin, REACH)
            eyeballs, profile = _fit(pixels, gaze_directions(gaze)[pixels.frame], eyeballs, profile)
        return cls(eyeballs, profile, SkinColor.learned(pictures, eyeballs))

    def look(self, picture: EyePicture, low: Float[np.ndarray, "2"], high: Float[np.ndarray, "2"]) -> EyeFit:
        """Find the gaze between bounds that explains a picture best."""
        pixels = EyePixels.of([picture], self.eyeballs, self.skin, REACH)
        outward = pixels.outward(self.eyeballs)
        weight = pixels.weights * pixels.facing(outward)
        if weight.sum() == 0:
            return EyeFit((low + high) / 2, 0.0, 0.0)

        def missing(gaze: np.ndarray) -> np.ndarray:
            """Return the weighed differences between expected and seen brightness under a gaze."""
            angle = pixel_angles_deg(outward, gaze_directions(gaze)[..., None, :])
            return np.sqrt(weight) * (self.profile(angle) - pixels.values) / COMMON_ERROR

        gaze, error, slopes = refined_gaze(missing, low, high)
        explained = (weight / (1 + error**2 / np.maximum(weight, 1e-9))).sum()
        distance = np.linalg.norm(picture.camera_to_world[:3, 3] - self.eyeballs.centers.mean(axis=0))
        area = float((picture.intrinsics_px[:2] * self.eyeballs.radius / distance).prod())
        curvature = np.linalg.eigvalsh((slopes * (1 + error**2) ** -1.5) @ slopes.T)[0]
        return EyeFit(gaze, float(explained) / area, float(np.sqrt(max(curvature, 0.0) / area)))

    def as_json(self) -> dict[str, Any]:
        """Return the numbers."""
        names = ("pupil", "iris", "white", "pupil_deg", "iris_deg", "soft_deg")
        profile = {name: round(float(value), 4) for name, value in zip(names, self.profile.numbers())}
        return {**self.eyeballs.as_json(), "profile": profile}


def _spread(count: int, most: int) -> np.ndarray:
    """At most so many rows, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))


def _fit(
    pixels: EyePixels, directions: Float[np.ndarray, "pixels 3"], start: Eyeballs, profile: IrisProfile
) -> tuple[Eyeballs, IrisProfile]:
    from scipy.optimize import least_squares

    root = np.sqrt(pixels.weights)

    def unpacked(numbers: np.ndarray) -> tuple[Eyeballs, IrisProfile]:
        """Return eyeballs and profile that a step from the start leads to."""
        centers = start.centers + start.radius * numbers[:6].reshape(2, 3)
        factors = np.exp(numbers[7:])
        eyeballs = Eyeballs(centers, start.radius * float(np.exp(numbers[6])))
        return eyeballs, IrisProfile(*(float(value) for value in profile.numbers() * factors))

    def missing(numbers: np.ndarray) -> np.ndarray:
        """Return the weighed differences between expected and seen brightness, and a pull to the start."""
        eyeballs, expected = unpacked(numbers)
        angle = pixel_angles_deg(pixels.outward(eyeballs), directions)
        # A weak pull to the start holds what the pictures leave open, the depth before all.
        return np.concatenate([root * (expected(angle) - pixels.values), 0.05 * numbers])

    limit = np.array(FARTHEST)
    fitted = least_squares(
        missing, np.zeros(13), bounds=(-limit, limit), loss="soft_l1", f_scale=COMMON_ERROR, max_nfev=60
    )
    return unpacked(fitted.x)
