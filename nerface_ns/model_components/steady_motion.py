"""Takes what trackers' errors change at random from frame to frame out of a head's motion, before any training.

A head has mass, so its motion is slow and shows in a recording's low frequencies alone; independent errors of single
frames show in all. How strong both are is read off the spectrum, and least squares do the rest. Errors that last longer
than a few frames stay: those are for refinement.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.model_components.trajectory_smoothness import LONGEST_GAP

FEWEST_FRAMES = 24
"""A shorter recording does not tell motion from noise."""
STIFFNESSES = np.geomspace(1e-3, 1e7, 121)
"""Candidates for the noise's variance over that of the acceleration in a frame; the least means that there is none."""


def steady_poses(
    camera_to_world: Float[Tensor, "num_frames 3 4"], times: Float[Tensor, "num_frames"]
) -> Float[Tensor, "num_frames 3 4"]:
    """Return the cameras of a head that moves as tracked, without the errors of single frames.

    Args:
        camera_to_world: Tracked poses of the training frames.
        times: Places of the frames on the recording, in any order.
    """
    from scipy.spatial.transform import Rotation

    if len(times) < FEWEST_FRAMES:
        return camera_to_world
    poses = camera_to_world.double().cpu().numpy()
    order = np.argsort(times.double().cpu().numpy(), kind="stable")
    gaps = np.diff(times.double().cpu().numpy()[order])
    world_to_camera = poses[order, :, :3].transpose(0, 2, 1)
    head = -np.einsum("nij,nj->ni", world_to_camera, poses[order, :, 3])
    rotation = Rotation.from_matrix(world_to_camera)
    mean = rotation.mean()
    vectors = steady((rotation * mean.inv()).as_rotvec(), gaps)
    steadied = (Rotation.from_rotvec(vectors) * mean).as_matrix().transpose(0, 2, 1)
    position = -np.einsum("nij,nj->ni", steadied, steady(head, gaps))
    result = np.empty_like(poses)
    result[order] = np.concatenate([steadied, position[:, :, None]], axis=2)
    return torch.from_numpy(result).to(camera_to_world)


def steady(motion: Float[np.ndarray, "n 3"], gaps: Float[np.ndarray, "gaps"]) -> Float[np.ndarray, "n 3"]:
    """Return a motion without white noise: the least sum of squared changes and of weighted squared accelerations.

    Args:
        motion: Places in the order of time.
        gaps: Times between them.
    """
    from scipy.linalg import solveh_banded

    weight = stiffness(motion)
    if weight <= STIFFNESSES[0]:
        return motion
    usual = np.median(gaps[gaps > 0]) if (gaps > 0).any() else 1.0
    gaps = gaps / usual
    counts = ((gaps > 0) & (gaps <= LONGEST_GAP)).astype(float)
    rate = counts / np.maximum(gaps, 1e-3)
    # As `TrajectorySmoothness`: the change of velocity, over the root of the time that it takes.
    share = counts[1:] * counts[:-1] / np.sqrt(np.maximum((gaps[1:] + gaps[:-1]) / 2, 1e-3))
    before, after = share * rate[:-1], share * rate[1:]
    middle = -before - after
    bands = np.zeros((3, len(motion)))
    bands[0, 2:] = before * after
    bands[1, 1:-1] = before * middle
    bands[1, 2:] += middle * after
    bands[2, :-2] = before**2
    bands[2, 1:-1] += middle**2
    bands[2, 2:] += after**2
    bands *= weight
    bands[2] += 1
    return solveh_banded(bands, motion)


def stiffness(motion: Float[np.ndarray, "n 3"]) -> float:
    """Return the most likely variance of white noise over that of white acceleration, from a motion's cosine transform.

    The squared coefficient of a frequency is expected at the noise's variance plus the acceleration's over the fourth
    power of the frequency. Frames count as evenly spaced; a few missing ones make motion look a little rougher.
    """
    from scipy.fft import dct

    count = len(motion)
    power = np.asarray(dct(motion, axis=0, norm="ortho"))[1:] ** 2
    if power.max() <= 0:
        return float(STIFFNESSES[0])
    fourth = (2 - 2 * np.cos(np.pi * np.arange(1, count) / count))[:, None] ** 2

    def surprise(weight: float) -> float:
        """Return how little a stiffness explains the motion, twice its negative log-likelihood."""
        shape = 1 + 1 / (weight * fourth)
        return power.size * np.log((power / shape).mean()) + motion.shape[1] * np.log(shape).sum()

    return float(min(STIFFNESSES, key=surprise))
