"""What the viewer's panel knows of an avatar's gaze: the recording's, its range, and the camera to look at."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.conditioning.gaze import gaze_towards
from nerface_ns.conditioning.recorded_track import RecordedTrack


class GazeSource:
    """Gazes of the recording and towards cameras.

    Args:
        model: An avatar whose eyes follow a gaze (`GazeFaceModel`).
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    @property
    def recorded(self) -> RecordedTrack:
        """The training frames' gaze along the recording."""
        return self._model.gaze_track

    @property
    def range_deg(self) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
        """Least and greatest pitch and yaw that the avatar tells apart, in degrees."""
        gaze_range = self._model.gaze_range
        margin = gaze_range.margin * (gaze_range.high - gaze_range.low)
        ends = (gaze_range.low - margin, gaze_range.high + margin)
        low, high = (torch.rad2deg(end).cpu().double().numpy() for end in ends)
        return low, high

    def recorded_at(self, time: float) -> Float[np.ndarray, "2"]:
        """Return the recording's gaze at a time in [0, 1]."""
        return self.recorded(torch.tensor([time]))[0].cpu().double().numpy()

    def of_frames(self, frame: int, other_frame: int, share: float) -> tuple[float, float]:
        """Return a training frame's gaze, or a blend of two."""
        gaze = torch.lerp(self.recorded.expression[frame], self.recorded.expression[other_frame], share)
        return float(gaze[0]), float(gaze[1])

    def random(self, generator: np.random.Generator) -> Float[np.ndarray, "2"]:
        """Draw a gaze evenly from the trained range."""
        low, high = (end.cpu().double().numpy() for end in (self._model.gaze_range.low, self._model.gaze_range.high))
        return generator.uniform(low, high)

    def at_camera(self, camera: Any) -> Float[Tensor, "2"]:
        """Return the gaze that meets a camera (a `Cameras` of one)."""
        eyes = self._model.eyes_position
        return gaze_towards(camera.camera_to_worlds.reshape(-1, 3, 4)[0, :, 3].to(eyes) - eyes)
