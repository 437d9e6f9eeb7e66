"""Procedural albedo of skin, hair and jumper, painted in the mesh's own grid coordinates."""

from __future__ import annotations

import cv2
import numpy as np

from nerface_ns.synthetic.demo_people import DEMO_PEOPLE, DemoPerson
from nerface_ns.synthetic.head_sculpt import (
    EYE_SLIT_CENTER,
    MOUTH_HALF_WIDTH,
    MOUTH_Y,
    collar_height,
    hair_height,
    strand_coordinates,
)
from nerface_ns.synthetic.mesh_part import srgb_to_linear
from nerface_ns.synthetic.noise import fractal_noise, gaussian, smoothstep, value_noise

_NUM_FRECKLES = 150
_MOLES = np.array([[-0.036, -0.028], [0.047, -0.048], [0.022, 0.068], [-0.012, -0.069]])
"""Places of the moles, x and y in metres."""


def _mix(color: np.ndarray, target: tuple[int, int, int], amount: np.ndarray) -> np.ndarray:
    """Blend sRGB colours (..., 3) in [0, 1] towards an 8-bit colour."""
    return color + (np.asarray(target, np.float32) / 255.0 - color) * amount[..., None]


def paint_head(
    points: np.ndarray,
    feature_points: np.ndarray,
    azimuth: np.ndarray,
    seam_y: np.ndarray,
    size: int,
    person: DemoPerson = DEMO_PEOPLE[0],
) -> np.ndarray:
    """Paint the head's texture.

    Args:
        points: Base surface grid (rows, columns, 3), metres: places hair and jumper.
        feature_points: Sculpted surface grid with closed lids: places everything on the face.
        azimuth: Azimuth of the columns.
        seam_y: Height of the closed lids' seam in each column.
        size: Texture height and width in texels.
        person: Whose colours.

    Returns:
        (size, size, 4) linear red, green, blue and highlight strength, float32; texel centres span the grid's edges.
    """
    rows = np.linspace(0, points.shape[0] - 1, size, dtype=np.float32)
    columns = np.linspace(0, points.shape[1] - 1, size, dtype=np.float32)
    maps = np.broadcast_to(columns[None], (size, size)).copy(), np.broadcast_to(rows[:, None], (size, size)).copy()
    base = cv2.remap(points.astype(np.float32), *maps, cv2.INTER_LINEAR)
    surface = cv2.remap(feature_points.astype(np.float32), *maps, cv2.INTER_LINEAR)
    texel_azimuth = np.interp(columns, np.arange(len(azimuth)), azimuth)[None].astype(np.float32)
    texel_seam = np.interp(columns, np.arange(len(azimuth)), seam_y)[None].astype(np.float32)
    front = smoothstep(0.0, 0.03, surface[..., 2])

    color = _skin(surface, person)
    color = _freckles(color, surface)
    gloss = 0.09 + 0.05 * gaussian(surface[..., 0] / 0.02, (surface[..., 1] + 0.01) / 0.03) * front
    color, lips = _lips_and_nostrils(color, surface, front, person)
    color = _eyes_and_brows(color, surface, texel_seam, front, person)
    gloss = gloss + 0.16 * lips
    color, gloss = _hair(color, gloss, base, np.broadcast_to(texel_azimuth, base.shape[:2]), person)
    color, gloss = _jumper(color, gloss, base, person)
    return np.concatenate([srgb_to_linear(np.clip(color, 0, 1)), gloss[..., None]], -1).astype(np.float32)


def _skin(p: np.ndarray, person: DemoPerson) -> np.ndarray:
    """Skin with flushed cheeks, nose and chin, mottling, pores and a shaven beard."""
    x, y = np.abs(p[..., 0]), p[..., 1]
    front = smoothstep(-0.01, 0.04, p[..., 2])
    color = np.broadcast_to(np.asarray(person.skin, np.float32) / 255.0, p.shape).copy()
    mottle = fractal_noise(p * 160.0, seed=5, octaves=3)
    flush = 0.36 * gaussian((x - 0.043) / 0.020, (y + 0.012) / 0.017)
    flush = flush + 0.38 * gaussian(x / 0.015, (y + 0.016) / 0.012) + 0.18 * gaussian(x / 0.02, (y + 0.081) / 0.012)
    color = _mix(color, person.flush, np.clip(flush * front * (1 + 0.8 * mottle) + 0.10 * mottle, 0, 1))
    color = _mix(color, (170, 112, 104), 0.30 * gaussian((x - 0.031) / 0.020, (y - 0.016) / 0.009) * front)
    beard = smoothstep(-0.019, -0.047, y + 0.25 * np.maximum(x - 0.03, 0)) * smoothstep(-0.112, -0.095, y)
    beard = np.maximum(beard, 0.8 * gaussian(x / 0.022, (y + 0.037) / 0.006)) * smoothstep(0.005, 0.03, p[..., 2])
    bristle = value_noise(p * 900.0, seed=9) * (0.7 + 0.6 * value_noise(p * 240.0, seed=10))
    color = _mix(color, (122, 100, 96), np.clip(beard * (0.15 + 0.20 * smoothstep(0.35, 0.8, bristle)), 0, 1))
    return color * (1.0 + 0.05 * fractal_noise(p * 700.0, seed=7, octaves=2))[..., None]


def _freckles(color: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Freckles on nose and cheeks and a few moles, drawn as soft spots of 0.5 to 1.4 mm, seen from the front."""
    random = np.random.default_rng(12)
    x = random.choice([-1.0, 1.0], _NUM_FRECKLES) * random.normal(0.028, 0.013, _NUM_FRECKLES)
    spots = np.stack([x, random.normal(0.002, 0.010, _NUM_FRECKLES)], axis=-1)
    radii, strengths = random.uniform(0.0005, 0.0012, _NUM_FRECKLES), random.uniform(0.12, 0.36, _NUM_FRECKLES)
    spots = np.concatenate([spots, _MOLES])
    radii, strengths = np.append(radii, [0.0014] * len(_MOLES)), np.append(strengths, [0.75] * len(_MOLES))
    step, reach = 4, max(p.shape[0] // 70, 6)
    coarse = p[::step, ::step]
    hidden = np.where(coarse[..., 2] > 0.02, 0.0, 1.0)
    amount = np.zeros(p.shape[:2], np.float32)
    for spot, radius, strength in zip(spots, radii, strengths):
        nearest = int(np.argmin(np.sum((coarse[..., :2] - spot) ** 2, axis=-1) + hidden))
        row, column = step * (nearest // coarse.shape[1]), step * (nearest % coarse.shape[1])
        window = slice(max(row - reach, 0), row + reach), slice(max(column - reach, 0), column + reach)
        squared = np.sum((p[window][..., :2] - spot) ** 2, axis=-1)
        amount[window] = np.maximum(amount[window], strength * np.exp(-squared / radius**2))
    return _mix(color, (140, 80, 56), amount)


def _lips_and_nostrils(
    color: np.ndarray, p: np.ndarray, front: np.ndarray, person: DemoPerson
) -> tuple[np.ndarray, np.ndarray]:
    """Red lips with a cupid's bow, the seam's shadow, and dark nostrils; also returns the lips' mask."""
    x, y = p[..., 0], p[..., 1]
    taper = np.maximum(1.0 - (x / (MOUTH_HALF_WIDTH + 0.0015)) ** 2, 0.0)
    bow = 0.0014 * gaussian((np.abs(x) - 0.006) / 0.005) - 0.0010 * gaussian(x / 0.0025)
    top = MOUTH_Y + (0.0068 + bow) * taper**0.8
    bottom = MOUTH_Y - 0.0105 * taper**0.65
    lips = smoothstep(top + 0.0009, top - 0.0007, y) * smoothstep(bottom - 0.0011, bottom + 0.0009, y)
    lips = lips * front * smoothstep(0.0, 0.10, taper)
    lines = fractal_noise(np.stack([x * 900.0, y * 120.0], -1), seed=31, octaves=2)
    shade = 1.0 + 0.16 * lines - 0.14 * gaussian((y - (MOUTH_Y + 0.003)) / 0.003)
    color = color + (np.asarray(person.lip, np.float32) / 255.0 * shade[..., None] - color) * (0.88 * lips)[..., None]
    seam = gaussian((y - MOUTH_Y) / 0.0011) * smoothstep(0.0, 0.05, taper) * front
    color = _mix(color, (96, 40, 40), 0.65 * seam)
    nostril = gaussian((np.abs(x) - 0.0076) / 0.0034, (y + 0.0250) / 0.0024) * front
    return _mix(color, (58, 26, 22), np.clip(1.25 * nostril, 0, 0.92)), lips


def _eyes_and_brows(
    color: np.ndarray, p: np.ndarray, seam_y: np.ndarray, front: np.ndarray, person: DemoPerson
) -> np.ndarray:
    """Lid crease, lash line and brows made of strokes."""
    x, y = np.abs(p[..., 0]), p[..., 1]
    height = y - seam_y
    across = smoothstep(0.0185, 0.0150, np.abs(x - EYE_SLIT_CENTER)) * front
    color = _mix(color, (150, 96, 84), 0.40 * gaussian((height - 0.0125) / 0.0035) * across)
    color = _mix(color, (40, 26, 22), 0.85 * smoothstep(0.0024, 0.0008, height) * (height >= 0) * across)
    color = _mix(color, (120, 74, 66), 0.45 * smoothstep(0.0020, 0.0, -height) * (height < 0) * across)
    along = (x - 0.0110) / 0.0390
    center = 0.0455 + 0.0215 * along - 0.0215 * along**2 * (0.55 + 0.45 * along)
    ends = smoothstep(-0.06, 0.24, along) * smoothstep(1.04, 0.80, along)
    thickness = (0.0048 - 0.0026 * np.clip(along, 0, 1)) * ends
    shape = smoothstep(1.15, 0.55, np.abs(y - center) / np.maximum(thickness, 1e-5)) * (thickness > 1e-4)
    stroke = np.stack([(x - 0.9 * (y - center)) * 1100.0, (y - center) * 240.0 + x * 60.0], -1)
    hairs = smoothstep(0.05, 0.55, value_noise(stroke, seed=17))
    return _mix(color, person.brow, np.clip(shape * (0.45 + 0.55 * hairs) * front, 0, 0.93))


def _hair(
    color: np.ndarray, gloss: np.ndarray, p: np.ndarray, azimuth: np.ndarray, person: DemoPerson
) -> tuple[np.ndarray, np.ndarray]:
    """Combed strands in two browns that thin out at the hairline."""
    strands = strand_coordinates(p, azimuth)
    locks = 0.5 + fractal_noise(strands * np.array([12.0, 12.0, 2.5]), seed=41, octaves=2)
    fine = 0.5 + fractal_noise(strands * np.array([55.0, 55.0, 5.0]), seed=45, octaves=2)
    tone = np.clip(smoothstep(0.25, 0.80, 0.5 * locks + 0.5 * fine), 0, 1)
    dark, light = (np.asarray(c, np.float32) / 255.0 for c in (person.hair_dark, person.hair_light))
    cover = smoothstep(-0.0025, 0.0015, hair_height(p, azimuth) + 0.007 * (fine - 0.5))
    hair = dark + (light - dark) * tone[..., None]
    return color + (hair - color) * cover[..., None], gloss + (0.04 + 0.08 * tone - gloss) * cover


def _jumper(color: np.ndarray, gloss: np.ndarray, p: np.ndarray, person: DemoPerson) -> tuple[np.ndarray, np.ndarray]:
    """A knitted, striped jumper, painted a little beyond its edge."""
    cover = smoothstep(0.0012, -0.0004, p[..., 1] - collar_height(p))
    level = p[..., 1] + 0.10 * np.sqrt(p[..., 0] ** 2 + 0.04**2)
    wave = np.mod(level, 0.030) / 0.030
    stripe = smoothstep(0.60, 0.64, wave) * smoothstep(0.96, 0.92, wave) * (level < -0.170)
    around = np.arctan2(p[..., 0], p[..., 2])
    knit = 0.90 + 0.10 * np.sin(around * 150.0) * np.sin(p[..., 1] * 1800.0)
    cloth = _mix(np.broadcast_to(np.asarray(person.jumper, np.float32) / 255.0, p.shape), person.stripe, stripe)
    cloth = cloth * (knit * (1.0 + 0.16 * fractal_noise(p * 90.0, seed=51)))[..., None]
    return color + (cloth - color) * cover[..., None], gloss * (1 - cover)
