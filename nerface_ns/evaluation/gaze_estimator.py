"""Where eyes in a picture look, by the geometry of their irises, without a trained gaze network.

The camera is known in the head's frame, so a gaze says what each pixel on an eyeball has to show: pupil, iris or white,
see `gaze_calibration`. The gaze that explains them best is looked for, on a grid and then by robust least squares.
Eyeballs, the irises' look and a small correction are calibrated on a dataset's training frames, whose gaze is known
(`GazeEstimator.calibrated`), and the error on true frames that were held out belongs beside every figure (`own_error`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from nerface_ns.evaluation.gaze_calibration import TRUST_RAD, CalibratedEyes
from nerface_ns.evaluation.gaze_geometry import EyePicture, angles_deg

LEAST_PICTURES = 12
"""Pictures of known gaze that a calibration needs."""
AREA_FRAMES = 24
"""Pictures, evenly spread, that say how much of the eyes is usually seen."""
OPEN_SHARE = 0.55
"""Openness below which eyes count as shut, as a share of what is usual in the calibration's pictures."""
TYPICAL_ERROR_RAD = np.deg2rad(1.5)
"""Deviation from which on an estimate counts less when the correction is fitted."""


@dataclass(frozen=True)
class GazeEstimate:
    """What a picture says."""

    gaze: Float[np.ndarray, "2"]
    """Pitch up and yaw towards +x in the head's frame, radians."""
    openness: float
    """How much the eyes look like open ones, about 1; shut ones have less than `OPEN_SHARE`."""

    @property
    def is_open(self) -> bool:
        """Whether the gaze can be believed."""
        return self.openness >= OPEN_SHARE


@runtime_checkable
class IrisFinder(Protocol):
    """Finds the gaze of a picture, as yet uncorrected."""

    @property
    def needs_whole_picture(self) -> bool:
        """Whether pictures have to come with the whole face."""
        ...

    def look(self, picture: EyePicture) -> GazeEstimate:
        """Return gaze and openness."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Return what was calibrated."""
        ...

    def close(self) -> None:
        """Free what it holds besides memory."""
        ...


@dataclass(frozen=True)
class FittedIrises:
    """Finds the gaze under which calibrated eyeballs look most like the picture."""

    eyes: CalibratedEyes
    low: Float[np.ndarray, "2"]
    """Least gaze that is looked for."""
    high: Float[np.ndarray, "2"]
    """Greatest one."""
    usual_area: float = 1.0
    """Area of both eyes that is explained in the calibration's pictures, in squared radii: the median."""
    usual_sharpness: float = 1.0
    """Sharpness of the calibration's fits: the median."""
    needs_whole_picture: bool = False
    """The eyes are enough."""

    @classmethod
    def calibrated(cls, pictures: Sequence[EyePicture], gaze: Float[np.ndarray, "n 2"]) -> FittedIrises:
        """Learn from pictures of known gaze."""
        eyes = CalibratedEyes.fitted(pictures, gaze)
        finder = cls(eyes, gaze.min(axis=0) - TRUST_RAD, gaze.max(axis=0) + TRUST_RAD)
        some = pictures[:: max(1, len(pictures) // AREA_FRAMES)]
        fits = [eyes.look(picture, finder.low, finder.high) for picture in some]
        area, sharpness = (float(np.median([getattr(fit, name) for fit in fits])) for name in ("area", "sharpness"))
        return replace(finder, usual_area=max(area, 1e-6), usual_sharpness=max(sharpness, 1e-6))

    def look(self, picture: EyePicture) -> GazeEstimate:
        """Return the gaze; eyes are as open as much of them is seen, and as well as that tells the gaze."""
        fit = self.eyes.look(picture, self.low, self.high)
        return GazeEstimate(fit.gaze, min(fit.area / self.usual_area, fit.sharpness / self.usual_sharpness))

    def close(self) -> None:
        """Holds nothing but memory."""

    def as_json(self) -> dict[str, Any]:
        """Return what was calibrated."""
        usual = {"usual_area": round(self.usual_area, 4), "usual_sharpness": round(self.usual_sharpness, 4)}
        return {"source": "irises", **self.eyes.as_json(), **usual}


@dataclass(frozen=True)
class GazeCorrection:
    """Adds what is linear in the gaze that was found and in the way the head stands."""

    matrix: Float[np.ndarray, "2 5"]
    """Factors of 1, found pitch and yaw, and pitch and yaw of a gaze into the camera."""

    @classmethod
    def fitted(
        cls,
        pictures: Sequence[EyePicture],
        found: Float[np.ndarray, "n 2"],
        truth: Float[np.ndarray, "n 2"],
        is_open: np.ndarray,
    ) -> GazeCorrection:
        """Fit robustly to the pictures with open eyes."""
        from scipy.optimize import least_squares

        terms = np.stack([cls._terms(picture, gaze) for picture, gaze in zip(pictures, found)])[is_open]
        missing = (truth - found)[is_open]

        def error(numbers: np.ndarray) -> np.ndarray:
            """Return what a correction leaves of the errors."""
            return (terms @ numbers.reshape(2, 5).T - missing).ravel()

        fitted = least_squares(error, np.zeros(10), loss="cauchy", f_scale=TYPICAL_ERROR_RAD)
        return cls(fitted.x.reshape(2, 5))

    def __call__(self, picture: EyePicture, gaze: Float[np.ndarray, "2"]) -> Float[np.ndarray, "2"]:
        """Return the corrected gaze."""
        return gaze + self.matrix @ self._terms(picture, gaze)

    @staticmethod
    def _terms(picture: EyePicture, gaze: Float[np.ndarray, "2"]) -> Float[np.ndarray, "5"]:
        return np.concatenate([[1.0], gaze, picture.camera_gaze()])


@dataclass(frozen=True)
class GazeEstimator:
    """Finds and corrects."""

    finder: IrisFinder
    correction: GazeCorrection

    @classmethod
    def calibrated(
        cls,
        make_finder: Callable[[Sequence[EyePicture], np.ndarray], IrisFinder],
        pictures: Sequence[EyePicture],
        gaze: Float[np.ndarray, "n 2"],
    ) -> GazeEstimator:
        """Calibrate on pictures of known gaze.

        Args:
            make_finder: Such as `FittedIrises.calibrated`.
            pictures: With their eyes boxes.
            gaze: True gaze of each.

        Raises:
            ValueError: There are too few pictures, or too few with open eyes.
        """
        if len(pictures) < LEAST_PICTURES:
            raise ValueError(
                f"gaze estimator: expected at least {LEAST_PICTURES} frames to calibrate, got {len(pictures)}"
            )
        finder = make_finder(pictures, gaze)
        found = [finder.look(picture) for picture in pictures]
        is_open = np.array([each.is_open for each in found])
        if is_open.sum() < LEAST_PICTURES:
            raise ValueError(
                f"gaze estimator: expected open eyes in at least {LEAST_PICTURES} of {len(pictures)} frames to "
                f"calibrate, found them in {is_open.sum()}"
            )
        return cls(finder, GazeCorrection.fitted(pictures, np.stack([each.gaze for each in found]), gaze, is_open))

    def estimate(self, picture: EyePicture) -> GazeEstimate:
        """Return a picture's gaze."""
        found = self.finder.look(picture)
        return GazeEstimate(self.correction(picture, found.gaze), found.openness)


@dataclass(frozen=True)
class OwnError:
    """How far an estimator is off on true pictures."""

    error_deg: Float[np.ndarray, " n"]
    """Angle between estimated and true gaze, of every picture."""
    is_open: np.ndarray
    """Which of them show open eyes; the others are rejected and do not enter the figures."""

    def as_json(self) -> dict[str, Any]:
        """Return mean, median and 90th percentile in degrees, and the share of pictures that were rejected."""
        kept = self.error_deg[self.is_open]
        if len(kept) == 0:
            raise ValueError(f"gaze estimator: found no open eyes in any of {len(self.is_open)} true frames")
        return {
            "error_deg": round(float(kept.mean()), 4),
            "error_median_deg": round(float(np.median(kept)), 4),
            "error_90th_deg": round(float(np.quantile(kept, 0.9)), 4),
            "frames": len(self.is_open),
            "rejected_frames": int((~self.is_open).sum()),
        }


def own_error(estimator: GazeEstimator, pictures: Sequence[EyePicture], gaze: Float[np.ndarray, "n 2"]) -> OwnError:
    """Estimate the gaze of true pictures and compare."""
    found = [estimator.estimate(picture) for picture in pictures]
    error = angles_deg(np.stack([each.gaze for each in found]), gaze)
    return OwnError(error, np.array([each.is_open for each in found]))
