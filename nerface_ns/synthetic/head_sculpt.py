"""Facial features sculpted into the lofted base: sockets, nose, cheeks, lips, chin, lids, hair and jumper."""

from __future__ import annotations

import numpy as np

from nerface_ns.synthetic.noise import fractal_noise, gaussian, smoothstep

EYE_X, EYE_Y, EYE_Z, EYE_RADIUS = 0.0315, 0.0275, 0.0590, 0.0138
"""Centre (x mirrored for the right eye) and radius of the eyeballs, metres."""
EYE_SLIT_CENTER, EYE_SLIT_HALF_WIDTH = 0.0320, 0.0172
LID_THICKNESS = 0.0013
LID_OPEN_UP, LID_OPEN_DOWN = 0.0090, 0.0027
"""How far the seam's upper and lower side stand apart in the neutral face, metres."""
LID_REACH_UP, LID_REACH_DOWN = 0.0235, 0.0130
MOUTH_Y, MOUTH_HALF_WIDTH = -0.0465, 0.0255


def eye_slit_profile(x: np.ndarray) -> np.ndarray:
    """1 at the middle of each eye's seam, 0 at its corners and beyond."""
    offset = (np.abs(x) - EYE_SLIT_CENTER) / EYE_SLIT_HALF_WIDTH
    return np.maximum(1.0 - offset**2, 0.0) ** 0.75


def mouth_slit_profile(x: np.ndarray) -> np.ndarray:
    """1 at the middle of the lips' seam, 0 at its corners and beyond."""
    return np.maximum(1.0 - (x / MOUTH_HALF_WIDTH) ** 2, 0.0) ** 0.6


def sculpt_features(points: np.ndarray) -> np.ndarray:
    """Base surface with sockets, brow ridge, nose, cheeks, chin and muzzle; eyes and mouth closed."""
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    front, ax = smoothstep(-0.005, 0.03, z) * (y > -0.105), np.abs(x)
    dx, dy, dz = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    dz -= 0.0125 * gaussian((ax - 0.030) / 0.0175, (y - 0.027) / 0.0135)  # sockets
    dz += 0.0040 * gaussian((ax - 0.026) / 0.024, (y - 0.048) / 0.010)  # brow ridge
    dz -= 0.0030 * gaussian(x / 0.012, (y - 0.032) / 0.010)  # nasion
    dx += np.sign(x) * 0.0035 * gaussian((ax - 0.055) / 0.02, (y + 0.002) / 0.018)  # cheek bones
    dz += 0.0045 * gaussian((ax - 0.041) / 0.018, (y + 0.002) / 0.016)
    dz -= 0.0030 * gaussian((ax - 0.046) / 0.014, (y + 0.038) / 0.016)  # hollow under them
    dx -= np.sign(x) * 0.0025 * gaussian((ax - 0.056) / 0.02, (y + 0.035) / 0.02)
    dz += 0.0050 * gaussian(x / 0.026, (y + 0.043) / 0.022)  # muzzle
    dz += 0.0060 * gaussian(x / 0.017, (y + 0.081) / 0.014)  # chin
    dz -= 0.0035 * gaussian(x / 0.020, (y + 0.0635) / 0.0045)  # groove above it
    fold = ax - (0.017 + 0.42 * np.maximum(-0.013 - y, 0.0))  # nose wing to mouth corner
    dz -= 0.0016 * gaussian(fold / 0.0035) * smoothstep(-0.053, -0.041, y) * smoothstep(-0.011, -0.021, y)
    nose_z, nose_y = _nose(x, y)
    lips = _lips(x, y)
    return points + front[..., None] * np.stack([dx, dy + nose_y, dz + nose_z + lips], axis=-1)


def _nose(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Forward and upward displacement of the nose, metres."""
    ax = np.abs(x)
    tip_y, base_y, root_y = -0.0120, -0.0265, 0.0420
    along = np.clip((root_y - y) / (root_y - tip_y), 0.0, 1.0)
    height = 0.0205 * along**1.25 * smoothstep(base_y, tip_y - 0.002, y)
    width = 0.0066 + 0.0052 * along
    ridge = height * np.exp(-(np.abs(x / width) ** 2.2))
    ball = 0.0038 * gaussian(x / 0.0100, (y + 0.0125) / 0.0085)
    wings = 0.0115 * gaussian((ax - 0.0138) / 0.0056, (y + 0.0165) / 0.0072)
    nostril = -0.0035 * gaussian((ax - 0.0075) / 0.0030, (y + 0.0230) / 0.0028)
    undercut = -0.0042 * gaussian(x / 0.0140, (y + 0.0170) / 0.0065)
    return ridge + ball + wings + nostril, undercut


def _lips(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Forward displacement of the red lips, their seam and the philtrum, metres."""
    taper = np.maximum(1.0 - (x / 0.0275) ** 2, 0.0) ** 0.7
    bow = 0.0012 * gaussian((np.abs(x) - 0.0065) / 0.005) - 0.0006 * gaussian(x / 0.003)
    upper = 0.0042 * gaussian((y - (MOUTH_Y + 0.0046 + bow)) / 0.0034)
    lower = 0.0058 * gaussian((y - (MOUTH_Y - 0.0058)) / 0.0044) * np.maximum(1.0 - (x / 0.026) ** 2, 0.0) ** 0.5
    seam = -0.0036 * gaussian((y - MOUTH_Y) / 0.0016)
    philtrum = -0.0012 * gaussian(x / 0.0030, (y + 0.0330) / 0.0055)
    corners = -0.0030 * gaussian((np.abs(x) - 0.0275) / 0.0045, (y - MOUTH_Y) / 0.0045)
    return taper * (upper + lower + seam) + philtrum + corners


def cover_eyeballs(points: np.ndarray) -> np.ndarray:
    """Points pushed forward in z so that skin lies just over the eyeballs, blended smoothly into the sockets."""
    radius = EYE_RADIUS + LID_THICKNESS
    squared = (np.abs(points[..., 0]) - EYE_X) ** 2 + (points[..., 1] - EYE_Y) ** 2
    sphere_z = EYE_Z + np.sqrt(np.maximum(radius**2 - squared, 0.0)) - 60.0 * np.maximum(squared - radius**2, 0.0)
    blend = 0.0022
    skin_z = points[..., 2]
    mix = np.clip(0.5 + 0.5 * (sphere_z - skin_z) / blend, 0.0, 1.0)
    covered = skin_z + (sphere_z - skin_z) * mix + blend * mix * (1.0 - mix)
    moved = points.copy()
    moved[..., 2] = np.where(skin_z > 0.02, covered, skin_z)
    return moved


def lid_shift(points: np.ndarray, seam_y: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Upward shift, metres, that opens closed lids to the neutral face.

    Args:
        points: Closed surface.
        seam_y: Height of the seam in each point's column, metres.
        above: Whether a point belongs to the seam's upper side.
    """
    distance = np.abs(points[..., 1] - seam_y)
    profile = eye_slit_profile(points[..., 0]) * (points[..., 2] > 0.02)
    up = LID_OPEN_UP * np.maximum(1.0 - distance / LID_REACH_UP, 0.0) ** 2
    down = LID_OPEN_DOWN * np.maximum(1.0 - distance / LID_REACH_DOWN, 0.0) ** 2
    return profile * np.where(above, up, -down)


def hair_height(points: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Height above the hairline, metres, negative on bare skin; the hairline is given by azimuth."""
    degrees = np.abs(np.degrees(azimuth))
    knots = [0, 12, 24, 34, 45, 56, 66, 76, 84, 92, 100, 112, 135, 180]
    heights = [0.0865, 0.088, 0.0895, 0.086, 0.073, 0.054, 0.034, 0.004, -0.006, 0.030, 0.020, -0.028, -0.062, -0.070]
    return points[..., 1] - np.interp(degrees, knots, heights) - 0.004 * fractal_noise(points * 130.0, seed=3)


def strand_coordinates(points: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Coordinates (..., 3) that run along combed hair slowly in the last entry and across it in the first two."""
    along = np.sqrt(points[..., 0] ** 2 + (points[..., 2] + 0.012) ** 2) + 1.2 * (0.124 - points[..., 1])
    swirl = azimuth + 3.5 * along + 0.35 * fractal_noise(points * 40.0, seed=12, octaves=2)
    return np.stack([np.sin(swirl), np.cos(swirl), 6.0 * along], axis=-1)


def hair_thickness(points: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Outward displacement of the hair, metres: thick on top with locks, short at the sides, thin at the hairline."""
    above = hair_height(points, azimuth)
    top = smoothstep(0.03, 0.10, points[..., 1])
    strands = strand_coordinates(points, azimuth)
    locks = fractal_noise(strands * np.array([7.0, 7.0, 2.5]), seed=11, octaves=3)
    full = 0.0035 + 0.0115 * top + (0.0015 + 0.0055 * top) * locks
    return np.where(above > 0, (0.0010 + full) * (1.0 - np.exp(-np.maximum(above, 0.0) / 0.0075)), 0.0)


def collar_height(points: np.ndarray) -> np.ndarray:
    """Height of the jumper's upper edge, metres; it dips at the throat."""
    return -0.138 - 0.016 * smoothstep(-0.03, 0.03, points[..., 2])


def jumper_thickness(points: np.ndarray) -> np.ndarray:
    """Outward displacement of the jumper with a rolled collar, metres; 0 on skin."""
    below = collar_height(points) - points[..., 1]
    return smoothstep(0.0, 0.0035, below) * (0.0055 + 0.0045 * gaussian((below - 0.006) / 0.0065))
