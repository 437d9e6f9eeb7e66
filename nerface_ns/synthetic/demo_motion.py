"""Random but plausible performances: talking, blinking, gaze shifts and head movement, deterministic by seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerface_ns.synthetic.expressions import (
    EXPRESSION_NAMES,
    GAZE_PITCH_LIMIT,
    GAZE_YAW_LIMIT,
    expression_index,
    set_gaze,
)
from nerface_ns.synthetic.noise import fractal_noise

FRAMES_PER_SECOND = 7.0
"""Tracks advance by 1 / this per frame: slow enough that frames differ, fast enough to look continuous."""
YAW_LIMIT_DEG, PITCH_LIMIT_DEG, ROLL_LIMIT_DEG = 30.0, 11.0, 7.0
CAMERA_DISTANCE = 0.5
"""World units, NerFace's scale."""
AIM = np.array([0.0, -0.021, 0.0])
"""World point (about the chin) that cameras look at, so that the shoulders are in the picture."""


@dataclass(frozen=True)
class _Gesture:
    """Pulses of one dimension or a left-right pair, one at a random time in each of equal stretches of the track."""

    per_second: float
    seconds: tuple[float, float]
    peak: tuple[float, float]
    one_sided: float = 0.0
    """Largest share by which one side may stay behind the other."""


_GESTURES = {
    "jawOpen": _Gesture(0.25, (0.8, 2.0), (0.4, 1.0)),
    "jawLeft": _Gesture(0.18, (0.8, 1.6), (0.4, 1.0)),
    "jawRight": _Gesture(0.18, (0.8, 1.6), (0.4, 1.0)),
    "mouthPucker": _Gesture(0.28, (0.7, 1.6), (0.4, 1.0)),
    "mouthFunnel": _Gesture(0.28, (0.6, 1.4), (0.4, 1.0)),
    "cheekPuff": _Gesture(0.18, (0.9, 2.0), (0.4, 1.0)),
    "browInnerUp": _Gesture(0.22, (0.8, 2.2), (0.3, 1.0)),
    "mouthSmile": _Gesture(0.32, (1.2, 3.5), (0.4, 1.0), 0.6),
    "mouthFrown": _Gesture(0.24, (1.0, 2.2), (0.4, 1.0), 0.4),
    "browDown": _Gesture(0.20, (0.9, 2.2), (0.3, 1.0), 0.4),
    "browOuterUp": _Gesture(0.26, (0.9, 2.2), (0.4, 1.0), 0.8),
    "eyeBlink": _Gesture(0.40, (0.42, 0.75), (0.85, 1.05), 0.0),
    "eyeWide": _Gesture(0.18, (0.9, 2.0), (0.4, 1.0), 0.0),
    "eyeSquint": _Gesture(0.18, (0.9, 2.0), (0.4, 1.0), 0.3),
}
_MOUTH_SHARES = {
    **{"jawOpen": 0.7, "mouthPucker": 1.0, "mouthFunnel": 1.0},
    **{"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5, "mouthFrownLeft": 0.5, "mouthFrownRight": 0.5},
}
"""How much of what a mouth can do each shape takes."""


def expression_track(num_frames: int, seed: int) -> np.ndarray:
    """Expression vectors (num_frames, K) in [0, 1]; the same seed and length always give the same track."""
    random = np.random.default_rng([seed, 1])
    seconds = np.arange(num_frames) / FRAMES_PER_SECOND
    track = np.zeros((num_frames, len(EXPRESSION_NAMES)))
    for name, gesture in _GESTURES.items():
        count = max(round(gesture.per_second * seconds[-1]), 1)
        for start in (np.arange(count) + random.uniform(0.0, 1.0, count)) * seconds[-1] / count:
            length, peak = random.uniform(*gesture.seconds), random.uniform(*gesture.peak)
            pulse = peak * np.sin(np.pi * np.clip((seconds - start) / length + 0.5, 0.0, 1.0)) ** 2
            behind = random.uniform(0.0, gesture.one_sided) * np.eye(2)[random.integers(2)]
            for column, share in zip(_columns(name), 1.0 - behind):
                track[:, column] = np.maximum(track[:, column], pulse * share)
    track[:, expression_index("jawOpen")] += _talking(seconds, seed)
    _relax(track)
    for row, (pitch, yaw) in zip(track, _gaze_track(seconds, random)):
        set_gaze(row, pitch, yaw)
    return np.clip(track, 0.0, 1.0)


def _columns(name: str) -> list[int]:
    """The column of a dimension, or the two of a left-right pair."""
    names = [name] if name in EXPRESSION_NAMES else [f"{name}Left", f"{name}Right"]
    return [expression_index(each) for each in names]


def _talking(seconds: np.ndarray, seed: int) -> np.ndarray:
    """Jaw opening of speech: syllables within phrases."""
    syllables = np.abs(_smooth(seconds * 2.1, seed + 100))
    phrases = np.clip(0.5 + 1.6 * _smooth(seconds * 0.35, seed + 101), 0.0, 1.0)
    return 0.75 * syllables * phrases


def _smooth(position: np.ndarray, seed: int) -> np.ndarray:
    """Smooth noise within about [-1, 1] along a line."""
    return 1.7 * fractal_noise(np.asarray(position)[:, None], seed, octaves=2)


def _relax(track: np.ndarray) -> None:
    """Scale down mouth shapes that add up to more than a mouth can do, and brows or lids pulled both ways, in place."""
    columns = [expression_index(name) for name in _MOUTH_SHARES]
    total = track[:, columns] @ np.array(list(_MOUTH_SHARES.values()))
    track[:, columns] *= (1.15 / np.maximum(total, 1.15))[:, None]
    for side in ("Left", "Right"):
        for weaker, stronger in (("mouthFrown", "mouthSmile"), ("browDown", "browOuterUp"), ("eyeSquint", "eyeWide")):
            track[:, expression_index(weaker + side)] *= 1.0 - track[:, expression_index(stronger + side)].clip(0, 1)


def _gaze_track(seconds: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Gaze (n, 2: pitch up, yaw towards +x) in radians: fixations joined by quick shifts."""
    num_fixations = int(seconds[-1] / 0.5) + 4
    starts = np.cumsum(random.uniform(0.5, 1.4, num_fixations)) - 1.0
    targets = random.uniform(-0.95, 0.95, (num_fixations, 2)) * np.array([GAZE_PITCH_LIMIT, GAZE_YAW_LIMIT])
    targets[::3] *= 0.15
    shift = np.clip((seconds[:, None] - starts[None, 1:]) / 0.25, 0.0, 1.0)
    return targets[0] + (shift * shift * (3 - 2 * shift)) @ np.diff(targets, axis=0)


def camera_track(num_frames: int, seed: int) -> np.ndarray:
    """Poses (num_frames, 4, 4) of a camera that the moving head sees around it; yaw spans its whole range."""
    seconds = np.arange(num_frames) / FRAMES_PER_SECOND
    tracks = [_smooth(seconds * rate + 17.3, seed + 200 + k) for k, rate in enumerate((0.42, 0.5, 0.33, 0.4, 0.4, 0.3))]
    yaw, pitch, roll, right, up, near = tracks
    yaw = yaw / max(np.abs(yaw).max(), 1e-6)
    return np.stack(
        [
            camera_pose(y * YAW_LIMIT_DEG, p * PITCH_LIMIT_DEG, r * ROLL_LIMIT_DEG, 0.008 * a, 0.006 * b, 0.02 * c)
            for y, p, r, a, b, c in zip(yaw, pitch, roll, right, up, near)
        ]
    )


def side_cameras(num_frames: int, seed: int) -> np.ndarray:
    """Poses (num_frames, 4, 4) further aside than any of `camera_track`: 34 to 48 degrees, sides alternating."""
    random = np.random.default_rng([seed, 3])
    return np.stack(
        [
            camera_pose(random.uniform(34.0, 48.0) * (1 if k % 2 else -1), random.uniform(-12.0, 12.0), 0.0)
            for k in range(num_frames)
        ]
    )


def camera_pose(
    yaw_deg: float, pitch_deg: float, roll_deg: float, right: float = 0.0, up: float = 0.0, farther: float = 0.0
) -> np.ndarray:
    """OpenGL pose (4, 4) of a camera about `CAMERA_DISTANCE` from `AIM`.

    Args:
        yaw_deg, pitch_deg, roll_deg: Towards the person's left (+x), upward, and about the viewing axis.
        right, up, farther: Shift of the camera along its own axes, world units.
    """
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians([yaw_deg, -pitch_deg, roll_deg])) for f in (np.cos, np.sin))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    pose = np.eye(4)
    pose[:3, :3] = about_y @ about_x @ about_z
    pose[:3, 3] = AIM + pose[:3, :3] @ np.array([right, up, CAMERA_DISTANCE + farther])
    return pose
