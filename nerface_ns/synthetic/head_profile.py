"""The demo head's smooth base: a loft through hand-set front, side and back profile curves, in metres.

Head frame: x towards the person's left, y up, z out of the face; the origin lies between the ears.
"""

from __future__ import annotations

import numpy as np

EYE_KNOT, MOUTH_KNOT = 5, 8
"""Knots whose rows are the closed eyelids' seam and the lips' seam."""

# One knot a line: front (y, z), side (x, y, z), back (y, z), rows up to the next knot, squareness of the section.
_KNOTS = np.array(
    [
        [0.1240, -0.012, 0.0000, 0.1240, -0.012, 0.1240, -0.012, 7, 2.0],  # crown
        [0.1210, 0.018, 0.0330, 0.1195, -0.014, 0.1190, -0.048, 7, 2.0],
        [0.1080, 0.050, 0.0590, 0.1030, -0.014, 0.1000, -0.082, 12, 2.1],
        [0.0850, 0.071, 0.0725, 0.0740, -0.014, 0.0700, -0.100, 36, 2.2],  # hairline
        [0.0500, 0.0815, 0.0765, 0.0420, -0.014, 0.0350, -0.105, 34, 2.2],  # brows
        [0.0245, 0.0800, 0.0760, 0.0220, -0.012, 0.0120, -0.102, 26, 2.2],  # eyelid seam
        [0.0010, 0.0790, 0.0735, -0.0005, -0.008, -0.0080, -0.093, 28, 2.2],
        [-0.0250, 0.0785, 0.0700, -0.0200, -0.004, -0.0260, -0.080, 24, 2.2],  # nose base
        [-0.0470, 0.0780, 0.0660, -0.0360, 0.000, -0.0410, -0.068, 28, 2.15],  # lip seam
        [-0.0710, 0.0755, 0.0615, -0.0510, 0.004, -0.0540, -0.061, 16, 2.1],
        [-0.0890, 0.0700, 0.0555, -0.0635, 0.006, -0.0640, -0.058, 9, 2.0],  # chin
        [-0.0975, 0.0550, 0.0490, -0.0730, 0.002, -0.0730, -0.057, 7, 2.0],
        [-0.0985, 0.0370, 0.0475, -0.0830, -0.006, -0.0830, -0.058, 7, 2.0],  # under the chin
        [-0.1080, 0.0230, 0.0475, -0.0980, -0.014, -0.0970, -0.060, 9, 2.0],  # neck
        [-0.1320, 0.0150, 0.0490, -0.1170, -0.018, -0.1140, -0.064, 9, 2.0],
        [-0.1580, 0.0170, 0.0600, -0.1350, -0.021, -0.1310, -0.071, 9, 2.1],  # collar
        [-0.1730, 0.0300, 0.0950, -0.1500, -0.023, -0.1460, -0.083, 7, 2.2],
        [-0.1900, 0.0460, 0.1500, -0.1670, -0.024, -0.1660, -0.097, 7, 2.3],  # shoulders
        [-0.2150, 0.0600, 0.1920, -0.1950, -0.024, -0.2000, -0.106, 6, 2.4],
        [-0.2600, 0.0720, 0.2080, -0.2500, -0.022, -0.2500, -0.110, 5, 2.4],
        [-0.3600, 0.0780, 0.2120, -0.3600, -0.020, -0.3600, -0.110, 0, 2.4],
    ]
)


def _catmull_rom(values: np.ndarray, before: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Interpolate rows of `values` at fractional row positions; `before` is the phantom row ahead of the first."""
    padded = np.vstack([before, values, 2 * values[-1] - values[-2]])
    index = np.minimum(position.astype(int), len(values) - 2)
    t = (position - index)[:, None]
    p0, p1, p2, p3 = (padded[index + k] for k in range(4))
    return 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)


def row_positions(density: float) -> tuple[np.ndarray, int, int]:
    """Fractional knot position of every mesh row, and the rows of the eyelids' and the lips' seam."""
    counts = np.maximum(np.round(_KNOTS[:-1, 7] * density).astype(int), 2)
    position = np.concatenate([k + np.arange(count) / count for k, count in enumerate(counts)] + [[len(counts)]])
    return position, int(counts[:EYE_KNOT].sum()), int(counts[:MOUTH_KNOT].sum())


def column_azimuths(density: float) -> np.ndarray:
    """Azimuth of every mesh column from -pi to pi (both the back seam), 0 at the face's middle, densest there."""
    half = round(118 * density)
    side = np.arange(-half, half + 1) / half
    return np.pi * np.sign(side) * (0.33 * np.abs(side) + 0.67 * np.abs(side) ** 2.2)


def loft(position: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Points (rows, columns, 3) of the base surface through the profile curves."""
    first = _KNOTS[1]
    before = np.array([first[5], first[6], -first[2], first[3], first[4], first[0], first[1], 0, first[8]])
    curves = _catmull_rom(_KNOTS, before, position)
    front_y, front_z, side_x, side_y, side_z, back_y, back_z, _, power = (c[:, None] for c in curves.T)
    sine, cosine = np.sin(azimuth)[None], np.cos(azimuth)[None]
    radius = (np.abs(sine) ** power + np.abs(cosine) ** power) ** (-1.0 / power)
    ahead = cosine >= 0
    y = side_y + np.where(ahead, front_y - side_y, back_y - side_y) * cosine**2
    z = side_z + np.where(ahead, front_z - side_z, side_z - back_z) * radius * cosine
    return np.stack([side_x * radius * sine, y, z], axis=-1)
