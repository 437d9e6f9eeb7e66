"""The head's motion against that of a made-up head, ray-traced in closed form."""

import numpy as np
import pytest
from drawn_eyes import lens, look_at_origin

from nerface_ns.evaluation.gaze_head_motion import head_motion, head_pixels

SIZE, RADIUS = 96, 0.06
EYES = np.array([0.3, 0.5, 0.3, 0.7])


def ball(pose: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture, distance and opacity of a bumpy-coloured ball that was turned and shifted."""
    fx, fy, cx, cy = lens(SIZE)
    place = np.arange(SIZE) + 0.5
    x, y = np.meshgrid(place, place)
    ray = np.stack([(x - cx) / fx, -(y - cy) / fy, -np.ones_like(x)], axis=-1) @ pose[:3, :3].T
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    to_center = shift - pose[:3, 3]
    along = ray @ to_center
    room = RADIUS**2 - (to_center @ to_center - along**2)
    distance = along - np.sqrt(np.maximum(room, 0.0))
    points = (pose[:3, 3] + ray * distance[..., None] - shift) @ turn
    waves = np.array([[150.0, 40, 20], [-60, 130, 30], [90, -100, 140], [30, 170, -80]])
    color = 0.5 + 0.1 * np.sin(points @ waves.T + np.arange(4)).sum(axis=-1)
    color = np.where(room > 0, color, 0.2)
    return np.repeat(color[..., None], 3, axis=-1), distance, (room > 0).astype(float)


def about_y(angle_deg: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def motion(turn: np.ndarray, shift: np.ndarray, eyes_change: float = 0.0):
    pose = look_at_origin(0.2, 0.1)
    first, distance, opacity = ball(pose, np.eye(3), np.zeros(3))
    second, _, _ = ball(pose, turn, shift)
    second[32:46, 32:64] += eyes_change
    return head_motion(first, second, distance, head_pixels(opacity, EYES), pose[:3], lens(SIZE))


@pytest.mark.parametrize("angle_deg", [0.3, 1.5, -3.0])
def test_turn_is_found(angle_deg):
    found = motion(about_y(angle_deg), np.zeros(3))
    assert found.turn_deg == pytest.approx(abs(angle_deg), rel=0.06, abs=0.05)


def test_shift_is_found_and_is_no_turn():
    """A thousandth of a unit upward, half a unit away, seen through a lens of 355 pixels."""
    found = motion(np.eye(3), np.array([0.0, 0.001, 0.0]))
    assert found.shift_px == pytest.approx(0.001 / 0.45 * lens(SIZE)[0], rel=0.1)
    assert found.turn_deg < 0.1


def test_what_changes_between_the_eyes_alone_is_no_motion():
    found = motion(np.eye(3), np.zeros(3), eyes_change=0.4)
    assert found.turn_deg < 1e-6 and found.shift_px < 1e-6


def test_pixels_are_head_without_eyes():
    opacity = np.zeros((40, 40))
    opacity[5:35, 5:35] = 1.0
    pixels = head_pixels(opacity, np.array([0.25, 0.5, 0.0, 1.0]))
    rows = np.flatnonzero(pixels.any(axis=1))
    assert rows.min() == 23 and rows.max() == 31
    assert np.flatnonzero(pixels.any(axis=0)).tolist() == list(range(8, 32))


def test_head_that_cannot_be_seen():
    pose, picture = look_at_origin(0.2, 0.1), np.zeros((SIZE, SIZE, 3))
    distance, none = picture[..., 0], np.zeros((SIZE, SIZE), dtype=bool)
    with pytest.raises(ValueError, match="expected at least 50 pixels of the head, got 0"):
        head_motion(picture, picture, distance, none, pose[:3], lens(SIZE))
