"""Where the camera stands while a driver's track plays: in this project's data a turning head is a moving camera."""

from __future__ import annotations

import math
from typing import Optional

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.rendering.head_pose_config import HeadPoseConfig
from nerface_ns.rendering.posed_camera import middle_camera, turn_about
from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.tracks.expression_track import ExpressionTrack


def orbit_poses(
    camera_to_world: Float[Tensor, "3 4"],
    pivot: Float[Tensor, " 3"],
    phases: Float[np.ndarray, " num_frames"],
    yaw_deg: float,
    pitch_deg: float,
) -> list[Float[Tensor, "3 4"]]:
    """Return cameras on an ellipse about the line from a point to a camera.

    Args:
        camera_to_world: The camera in the middle of the ellipse.
        pivot: The point, the centre of the head.
        phases: Places on the ellipse in rounds, 0 above the middle, a quarter to the camera's right.
        yaw_deg, pitch_deg: Half of the ellipse's axes.
    """
    angles = [2 * math.pi * float(phase) for phase in phases]
    return [
        turn_about(camera_to_world, pivot, yaw_deg * math.sin(angle), pitch_deg * math.cos(angle)) for angle in angles
    ]


def relative_poses(
    driver: Float[np.ndarray, "num_frames 3 4"],
    driver_neutral: Float[np.ndarray, "3 4"],
    own: Float[np.ndarray, "3 4"],
) -> Float[np.ndarray, "num_frames 3 4"]:
    """Move a person's camera about their head as a driver's camera moves about the driver's.

    Both heads' axes point the same way, so a turn keeps its axis and angle. Shifts are scaled by the ratio of the
    neutral cameras' distances: the two data sets may have different units and lenses.

    Args:
        driver: The driver's cameras in their head's frame.
        driver_neutral: The camera of the driver's neutral pose.
        own: The person's camera that stands for that pose.
    """
    turn = driver[:, :, :3] @ driver_neutral[:, :3].T
    scale = np.linalg.norm(own[:, 3]) / max(np.linalg.norm(driver_neutral[:, 3]), 1e-9)
    shift = scale * (driver[:, :, 3] - turn @ driver_neutral[:, 3])
    return np.concatenate([turn @ own[:, :3], (turn @ own[:, 3] + shift)[:, :, None]], axis=2)


def head_poses(
    config: HeadPoseConfig, driver: ExpressionTrack, subject: RenderSubject, camera_frame: Optional[int]
) -> tuple[str, list[Float[Tensor, "3 4"]]]:
    """Return which mode applies and the camera of every frame of the driver's track.

    Args:
        config: The mode.
        driver: The track, at the rate at which it is shown.
        subject: The person.
        camera_frame: What the command says of the person's own camera.

    Raises:
        ValueError: The mode needs poses that the track does not have, a training frame that is not named, or a frame
            that does not exist.
    """
    mode, own = config.mode, subject.own_camera.camera_to_worlds[0]
    if mode == "auto":
        mode = "own" if driver.camera_to_world is None else "driver"
    if mode == "fixed" and camera_frame is None:
        raise ValueError("--head.mode fixed: expected --camera-frame, the training frame whose camera is meant")
    if mode in ("driver", "driver-absolute"):
        return mode, list(torch.from_numpy(_driver_poses(mode, config, driver, own.double().numpy())).float())
    if mode == "recorded":
        count = len(subject.poses)
        there_and_back = [*range(count), *range(count - 2, 0, -1)]
        order = subject.order
        rows = [int(order[there_and_back[index % len(there_and_back)]]) for index in range(len(driver))]
        return mode, [subject.poses[row] for row in rows]
    if mode == "orbit":
        if not config.orbit_period_s > 0:
            raise ValueError(f"--head.orbit-period-s {config.orbit_period_s}: expected a positive duration")
        phases = np.arange(len(driver)) / driver.frames_per_s / config.orbit_period_s
        return mode, orbit_poses(own, subject.pivot, phases, config.orbit_yaw_deg, config.orbit_pitch_deg)
    return mode, [own] * len(driver)


def _driver_poses(
    mode: str, config: HeadPoseConfig, driver: ExpressionTrack, own: Float[np.ndarray, "3 4"]
) -> Float[np.ndarray, "num_frames 3 4"]:
    poses = driver.camera_to_world
    if poses is None:
        raise ValueError(f"{driver.source}: --head.mode {mode} needs head poses, and this track has none")
    if mode == "driver-absolute":
        return poses
    frame = config.driver_neutral_frame
    if frame is None:
        frame = middle_camera(torch.from_numpy(poses))
    elif not 0 <= frame < len(driver):
        raise ValueError(f"{driver.source}: --head.driver-neutral-frame {frame}: expected 0..{len(driver) - 1}")
    return relative_poses(poses, poses[frame], own)


def angle_outside_deg(
    poses: list[Float[Tensor, "3 4"]], train_poses: Float[Tensor, "num_train 3 4"], pivot: Float[Tensor, " 3"]
) -> Float[Tensor, " num_frames"]:
    """Return for every camera the angle, seen from a point, to the nearest training camera."""
    train, asked = (
        torch.nn.functional.normalize(cameras[:, :, 3] - pivot, dim=-1) for cameras in (train_poses, torch.stack(poses))
    )
    return torch.rad2deg(torch.arccos((asked @ train.T).amax(dim=1).clamp(-1, 1)))
