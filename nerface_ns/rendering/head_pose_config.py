"""How the head moves while a driver's track plays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Optional

HeadPose = Literal["auto", "own", "driver", "driver-absolute", "recorded", "fixed", "orbit"]


@dataclass
class HeadPoseConfig:
    """How the head moves before the camera."""

    mode: HeadPose = "auto"
    """"own": still, as in the person's own camera (the training camera nearest to their mean); "driver": the driver's
    motion relative to their neutral pose, from the person's own camera on; "driver-absolute": the driver's poses as
    they stand in the track; "recorded": the person's own recorded motion, frame by frame, there and back; "fixed":
    still, as in training frame --camera-frame; "orbit": the camera circles about the head; "auto": "driver" where the
    track has poses, else "own"."""
    driver_neutral_frame: Optional[int] = None
    """Frame of the track in which the driver's head is neutral; the one nearest to their mean position without it."""
    orbit_yaw_deg: float = 20.0
    """How far the orbit goes to each side."""
    orbit_pitch_deg: float = 5.0
    """How far the orbit goes up and down."""
    orbit_period_s: float = 6.0
    """Duration of one round of the orbit."""
