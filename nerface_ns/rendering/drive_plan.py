"""Plan of `nerface-render drive`: a person shows what a driver did."""

from __future__ import annotations

from typing import Optional

from nerface_ns.rendering.driver_pictures import DriverPictures, driver_sound, has_pictures
from nerface_ns.rendering.head_camera import angle_outside_deg, head_poses
from nerface_ns.rendering.head_pose_config import HeadPoseConfig
from nerface_ns.rendering.render_plan import RenderPlan
from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.rendering.track_expression import track_expression
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.retargeting import RetargetingConfig
from nerface_ns.tracks.track_editing import resample

FAR_VIEW_DEG = 15.0
"""Angle to the nearest training camera from which on a view is called far: the back of a head was never seen."""


def drive_plan(
    subject: RenderSubject,
    track: ExpressionTrack,
    retargeting: RetargetingConfig,
    head: HeadPoseConfig,
    frames_per_s: Optional[float] = None,
    camera_frame: Optional[int] = None,
    side_by_side: bool = True,
    sound: bool = True,
) -> RenderPlan:
    """Retarget a track and place the cameras.

    Args:
        subject: The person.
        track: The driver.
        retargeting: How expressions are carried over.
        head: How the head moves.
        frames_per_s: Rate of the output; the track's without it.
        camera_frame: What the command says of the person's own camera.
        side_by_side: Whether the driver's pictures, where the track names them, stand beside.
        sound: Whether the driver's sound, where there is one, is kept.
    """
    rate = track.frames_per_s if frames_per_s is None else frames_per_s
    driver = track if rate == track.frames_per_s else resample(track, rate)
    driven = track_expression(subject, driver, retargeting, driver.times_s)
    mode, poses = head_poses(head, driver, subject, camera_frame)
    far = int((angle_outside_deg(poses, subject.poses, subject.pivot) > FAR_VIEW_DEG).sum())
    warnings = driven.warnings
    if far:
        warnings.append(
            f"{far} of {len(driver)} frames look at the head from over {FAR_VIEW_DEG:g} deg aside of "
            "every training camera"
        )
    return RenderPlan(
        shots=subject.shots(poses, driven.expression, gaze=driven.gaze),
        frames_per_s=rate,
        extrapolation=driven.extrapolation,
        beside=DriverPictures(track, rate) if side_by_side and has_pictures(track) else None,
        titles=("driver", "avatar"),
        sound=driver_sound(track) if sound else None,
        warnings=warnings,
        details={"track": track.source, "head_pose": mode},
    )
