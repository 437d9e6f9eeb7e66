"""Pieces of the demo head's mesh and how they are joined."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Sequence

import numpy as np


class Material(IntEnum):
    """How the renderer shades a triangle."""

    SKIN = 0
    """Attributes are texture u, v, occlusion; seen from behind it is the dark inside of the head."""
    FLESH = 1
    """Skin shading with vertex colours, two-sided: ears and lids."""
    WET = 2
    """Vertex colours and tight highlights: eyes, teeth, tongue."""
    DARK = 3
    """Vertex colours without highlights: mouth cavity and lashes."""


@dataclass
class MeshPart:
    """Vertices, triangles and the way they follow expressions."""

    points: np.ndarray
    """(V, 3) metres, head frame, neutral face."""
    triangles: np.ndarray
    """(T, 3) vertex numbers."""
    material: Material
    attributes: np.ndarray
    """(V, 4) linear red, green, blue, highlight strength; for SKIN: u, v, occlusion, unused."""
    follows: np.ndarray | None = None
    """(V,) skin vertices whose movement each vertex copies; None when it doesn't."""
    jaw: np.ndarray | None = None
    """(V,) share of the jaw's rigid movement; None when the skull carries it."""


def grid_triangles(rows: int, columns: int, skip_rows: Sequence[int] = ()) -> np.ndarray:
    """Two triangles for each cell of a row-major vertex grid, leaving out the cells below the rows in `skip_rows`."""
    row = np.array([r for r in range(rows - 1) if r not in set(skip_rows)])
    corner = (row[:, None] * columns + np.arange(columns - 1)[None]).ravel()
    right, below, opposite = corner + 1, corner + columns, corner + columns + 1
    return np.concatenate([np.stack([corner, below, right], 1), np.stack([right, below, opposite], 1)]).astype(np.int32)


def grid_part(points: np.ndarray, material: Material, colors: np.ndarray, **extra) -> MeshPart:
    """A part from a grid of points (rows, columns, 3) and colours (rows, columns, 4) or (4,)."""
    rows, columns = points.shape[:2]
    attributes = np.broadcast_to(colors, (rows, columns, 4)).reshape(-1, 4).astype(np.float32)
    return MeshPart(points.reshape(-1, 3), grid_triangles(rows, columns), material, attributes, **extra)


def srgb_to_linear(color: Sequence[float] | np.ndarray) -> np.ndarray:
    """Convert sRGB values in [0, 1] to linear light (IEC 61966-2-1)."""
    value = np.asarray(color, dtype=np.float32)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def srgb255(red: float, green: float, blue: float, highlight: float = 0.0) -> np.ndarray:
    """Vertex attributes (4,) from an 8-bit sRGB colour and a highlight strength."""
    return np.append(srgb_to_linear(np.array([red, green, blue]) / 255.0), np.float32(highlight))
