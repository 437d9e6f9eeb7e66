"""Tracks for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nerface_ns.tracks.expression_track import ExpressionTrack


def rotation(axis: tuple[float, float, float], angle: float) -> np.ndarray:
    """Rodrigues' formula."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def make_poses(count: int, seed: int = 0) -> np.ndarray:
    """Cameras (n, 3, 4) that turn about a fixed axis and drift."""
    random = np.random.default_rng([seed, 1])
    turns = np.stack([rotation((0.2, 1.0, -0.3), angle) for angle in random.uniform(-1, 1, count)])
    return np.concatenate([turns, random.uniform(-0.5, 0.5, (count, 3, 1))], axis=-1)


def make_track(count: int = 9, length: int = 3, seed: int = 0, full: bool = False, **changes) -> ExpressionTrack:
    """Random frames; a full track has all there is."""
    random = np.random.default_rng(seed)
    values = {
        "frames_per_s": 10.0,
        "names": tuple(f"name{index}" for index in range(length)),
        "expression": random.uniform(-1, 1, (count, length)),
        "source": "sample",
    }
    if full:
        values |= {
            "camera_to_world": make_poses(count, seed),
            "gaze": random.uniform(-0.5, 0.5, (count, 2)),
            "neutral": random.uniform(-1, 1, length),
            "frame_files": tuple(Path(f"/data/{index:04d}.png") for index in range(count)),
            "video": Path("/data/driver.mp4"),
            "video_start_s": 1.5,
        }
    return ExpressionTrack(**{**values, **changes})
