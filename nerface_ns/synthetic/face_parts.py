"""What is not skin: eyeballs, teeth, tongue, mouth cavity, lip insides, lashes and ears."""

from __future__ import annotations

import numpy as np

from nerface_ns.synthetic.head_sculpt import EYE_RADIUS, MOUTH_Y, eye_slit_profile, mouth_slit_profile
from nerface_ns.synthetic.mesh_part import Material, MeshPart, grid_part, srgb255
from nerface_ns.synthetic.noise import fractal_noise, gaussian, smoothstep

PUPIL_DEG, IRIS_DEG = 11.0, 27.5
"""Angles of the pupil's and the iris' edge from the gaze axis."""


def eyeball(iris_color: tuple[int, int, int] = (92, 128, 122)) -> MeshPart:
    """An eyeball about the origin, looking along +z, its rings denser where the colours change."""
    rings = np.radians(
        [0, 4, 8, 10.4, 11.6, 14, 16, 18, 20, 22, 24, 25.6, 26.8, 28.2, 29.4, 32, 36, 41, 47, 54, 62, 71, 81, 92, 105]
    )
    spokes = np.linspace(0, 2 * np.pi, 65)
    cornea = 1.0 + 0.05 * gaussian(np.degrees(rings) / 22.0) * smoothstep(np.radians(31), np.radians(16), rings)
    sine, cosine = np.sin(rings) * cornea, np.cos(rings) * cornea
    points = EYE_RADIUS * np.stack(
        [sine[:, None] * np.cos(spokes), sine[:, None] * np.sin(spokes), np.repeat(cosine[:, None], 65, 1)], axis=-1
    )
    degrees = np.degrees(rings)[:, None, None]
    circle = np.stack([np.cos(spokes), np.sin(spokes)], -1)[None] * 5.0 + degrees * np.array([0.02, 0.03])
    fibres = fractal_noise(circle, seed=21, octaves=3)[..., None]
    iris = srgb255(*iris_color, 0.5) * (1.0 + 0.9 * fibres) + srgb255(150, 105, 52) * gaussian((degrees - 13) / 5.0)
    iris = iris * (1.0 - 0.75 * smoothstep(23.0, 27.5, degrees))
    white = srgb255(232, 228, 222, 0.5) + (srgb255(226, 190, 180, 0.5) - srgb255(232, 228, 222, 0.5)) * smoothstep(
        38.0, 75.0, degrees
    )
    colors = np.where(degrees < PUPIL_DEG, srgb255(12, 10, 10, 0.5), iris)
    colors = np.where(degrees < IRIS_DEG, colors, white)
    colors[..., 3] = 0.55
    return grid_part(points, Material.WET, colors)


def eye_corners(closed_skin: np.ndarray, eye_row: int, side: int) -> MeshPart:
    """Pink tissue that fills the corners between eyeball and lids: the closed lids' surface, set back; it stays still.

    Args:
        closed_skin: Skin points (rows, columns, 3) with closed lids, metres.
        eye_row: Upper side of the eyelids' seam.
        side: +1 for the person's left eye.
    """
    x, z = side * closed_skin[eye_row, :, 0], closed_skin[eye_row, :, 2]
    columns = np.flatnonzero((eye_slit_profile(x) > 0) & (x > 0) & (z > 0.02))
    height = closed_skin[:, columns].mean(axis=1)[:, 1] - closed_skin[eye_row, columns].mean(axis=0)[1]
    rows = np.flatnonzero(np.abs(height) < 0.0085)
    points = closed_skin[np.ix_(rows, columns)] - np.array([0.0, 0.0, 0.0028])
    nasal = smoothstep(0.028, 0.020, side * points[..., :1])
    white, pink = srgb255(206, 176, 168, 0.3), srgb255(190, 120, 110, 0.4)
    return grid_part(points, Material.WET, white + (pink - white) * nasal)


def _tooth_row(edge_y: float, root_y: float, front_z: float, half_width: float, widths: np.ndarray) -> MeshPart:
    """A curved row of teeth; `widths` are the teeth from the middle outward, in shares of the half arc."""
    angle = np.linspace(-1.25, 1.25, 91)
    share = np.abs(angle) / 1.25
    borders = np.concatenate([[0.0], np.cumsum(widths)])
    border = np.min(np.abs(share[:, None] - borders), axis=1)
    gap = gaussian(border / 0.012)
    along = np.array([0.0, 0.04, 0.12, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0])[:, None]
    bulge = 0.0012 * np.sin(np.pi * np.minimum(along + 0.12, 1.0)) - 0.0010 * gap - 0.0008 * (along == 0)
    edge = edge_y + np.sign(root_y - edge_y) * (0.0006 * gap + 0.0022 * share**2)
    depth = front_z - 0.0300 * (1.0 - np.cos(angle)) + bulge * np.cos(angle)
    x = np.broadcast_to((half_width + bulge) * np.sin(angle), depth.shape)
    y = edge + (root_y - edge) * along
    gum = smoothstep(0.66, 0.78, along + 0.06 * gap)[..., None]
    tooth = srgb255(238, 232, 218, 0.25) * (1.0 - 0.55 * gap - 0.25 * share**1.5)[None, :, None]
    return grid_part(np.stack([x, y, depth], -1), Material.WET, tooth + (srgb255(178, 92, 92, 0.2) - tooth) * gum)


def mouth_inside() -> list[MeshPart]:
    """Upper teeth, lower teeth, tongue and the dark cavity behind them."""
    upper = _tooth_row(MOUTH_Y - 0.0050, MOUTH_Y + 0.0105, 0.0765, 0.0225, np.array([0.23, 0.18, 0.2, 0.2, 0.19]))
    lower = _tooth_row(MOUTH_Y - 0.0010, MOUTH_Y - 0.0150, 0.0735, 0.0210, np.array([0.16, 0.18, 0.2, 0.22, 0.24]))
    lower.jaw = np.ones(len(lower.points))
    theta, phi = np.linspace(0, np.pi, 15)[:, None], np.linspace(0, 2 * np.pi, 25)[None]
    ball = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta) + 0 * phi, np.sin(theta) * np.sin(phi)], -1)
    tongue = ball * np.array([0.0165, 0.0065, 0.0250]) + np.array([0.0, MOUTH_Y - 0.0115, 0.0455])
    tongue[..., 1] -= 0.0015 * gaussian(tongue[..., 0] / 0.003)
    tongue_part = grid_part(tongue, Material.WET, srgb255(186, 88, 88, 0.2), jaw=np.ones(tongue[..., 0].size))
    theta = np.linspace(0.0, np.pi / 2, 12)[:, None]
    bag = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), -np.cos(theta) + 0 * phi], -1)
    points = bag * np.array([0.0245, 0.0190, 0.0500]) + np.array([0.0, MOUTH_Y - 0.001, 0.0685])
    depth = smoothstep(0.0, -0.9, bag[..., 2:])
    colors = srgb255(112, 40, 40) + (srgb255(26, 8, 9) - srgb255(112, 40, 40)) * depth
    cavity = grid_part(points, Material.DARK, colors, jaw=smoothstep(0.006, -0.010, points[..., 1] - MOUTH_Y).ravel())
    return [upper, lower, tongue_part, cavity]


def seam_roll(skin: np.ndarray, row: int, offsets: np.ndarray, material: Material, color: np.ndarray) -> MeshPart:
    """A strip that leaves one row of the skin by `offsets` (steps, columns, 3) and copies that row's movement.

    Args:
        skin: Skin points (rows, columns, 3), seams doubled.
        row: Row in `skin` the strip starts from.
    """
    columns = np.arange(skin.shape[1])[np.abs(offsets).max(axis=(0, 2)) > 0]
    columns = np.arange(columns.min() - 1, columns.max() + 2)
    points = np.concatenate([skin[row : row + 1, columns], skin[row, columns][None] + offsets[:, columns]])
    follows = np.tile(row * skin.shape[1] + columns, len(points))
    return grid_part(points, material, color, follows=follows)


def lip_and_lid_rolls(skin: np.ndarray, eye_row: int, mouth_row: int) -> list[MeshPart]:
    """Insides of the lips, rims of the lids, and lashes.

    Args:
        skin: Skin points (rows, columns, 3) with doubled seams: `eye_row` and `eye_row + 1` are the two sides of
            the eyelids' seam, `mouth_row` and `mouth_row + 1` those of the lips' seam.
    """
    parts = []
    steps = np.array([0.3, 0.6, 1.0, 1.6, 2.4])[:, None]
    inside = mouth_slit_profile(skin[mouth_row, :, 0]) * (skin[mouth_row, :, 2] > 0.02)
    for row, sign in ((mouth_row, 1.0), (mouth_row + 1, -1.0)):
        rise = sign * 0.0016 * steps**2 * inside
        roll = np.stack([0 * rise, rise, -0.0030 * steps * inside], axis=-1)
        parts.append(seam_roll(skin, row, roll, Material.WET, srgb255(150, 68, 66, 0.1)))
    profile = eye_slit_profile(skin[eye_row, :, 0]) * (skin[eye_row, :, 2] > 0.02)
    outward = np.sign(skin[eye_row, :, 0]) * smoothstep(0.024, 0.046, np.abs(skin[eye_row, :, 0]))
    for half in (-1, 1):
        lid = profile**0.6 * (np.sign(skin[eye_row, :, 0]) == half)
        rim = np.stack([0 * lid, 0 * lid, -0.0030 * lid], axis=-1)[None]
        parts.append(seam_roll(skin, eye_row, rim, Material.FLESH, srgb255(120, 70, 62)))
        parts.append(seam_roll(skin, eye_row + 1, rim, Material.FLESH, srgb255(205, 140, 128, 0.3)))
        length = (profile**0.4 * (0.35 + 0.65 * np.abs(outward)) * (np.sign(skin[eye_row, :, 0]) == half))[None]
        lash_steps = np.array([0.5, 1.0])[:, None]
        lash = np.stack(
            [0.0016 * outward * length * lash_steps, 0.0008 * length * lash_steps**2, 0.0028 * length * lash_steps], -1
        )
        parts.append(seam_roll(skin, eye_row, lash, Material.DARK, srgb255(34, 24, 20)))
    return parts


def ear(side: int) -> MeshPart:
    """An outer ear; `side` is +1 for the person's left."""
    radius, angle = np.linspace(0.0, 1.0, 22)[:, None], np.linspace(0, 2 * np.pi, 57)[None]
    back, up = radius * np.cos(angle), radius * np.sin(angle)
    width = 0.0180 * (1.0 - 0.30 * smoothstep(0.1, -1.0, up))
    lean = back * width + 0.0035 * up
    ring = np.sqrt(back**2 + up**2)
    helix = smoothstep(0.72, 0.88, ring) * smoothstep(-0.98, -0.2, up) * smoothstep(-1.0, 0.0, back)
    ridge = gaussian((ring - 0.60) / 0.10) * smoothstep(-0.5, 0.3, back)
    concha = gaussian((back + 0.10) / 0.38, (up + 0.12) / 0.40)
    tragus = gaussian((back + 0.68) / 0.16, (up + 0.12) / 0.20)
    flare = 0.0150 * np.maximum((back + 1.0) / 2.0, 0.0) ** 0.85 - 0.0025
    out = flare + 0.0030 * helix + 0.0022 * ridge - 0.0036 * concha + 0.0035 * tragus
    out = out - 0.0030 * smoothstep(0.93, 1.0, ring) * smoothstep(-0.6, 0.2, back)
    points = np.stack([0.0730 + out + 0.10 * 0.032 * up, 0.0000 + 0.0315 * up, -0.0145 - lean], axis=-1)
    shade = np.clip(1.0 - 0.60 * concha + 0.12 * (helix + ridge) - 0.10 * (1 - helix) * (ring > 0.66), 0.3, 1.1)
    color = srgb255(214, 148, 124, 0.06) * shade[..., None]
    points[..., 0] *= side
    return grid_part(points, Material.FLESH, color)
