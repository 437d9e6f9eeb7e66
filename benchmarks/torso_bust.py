"""The standing part of the benchmark's head: the scan's cut edge carried on to shoulders and chest, and a shirt."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import distance_transform_edt

from nerface_ns.synthetic.mesh_part import srgb255
from nerface_ns.synthetic.noise import fractal_noise, gaussian, smoothstep
from nerface_ns.synthetic.rasterizer import rasterize

BUST_ROWS = 25
"""Rows of vertices from the scan's edge to the hem."""
SHIRT, SHIRT_STRIPE = srgb255(52, 74, 112), srgb255(206, 198, 180)

# A ring a line: half width, z of front and back, y of front, sides and back, in metres.
_RINGS = np.array(
    [
        [0.190, 0.072, -0.128, -0.245, -0.180, -0.168],  # over the shoulders
        [0.226, 0.096, -0.140, -0.320, -0.265, -0.255],
        [0.232, 0.100, -0.140, -0.420, -0.400, -0.400],  # hem, below any picture
    ]
)
_MIDDLE_Z = -0.030


def open_edge(triangles: np.ndarray) -> np.ndarray:
    """Return the vertices around the one hole of a mesh, in order.

    Raises:
        ValueError: The mesh is closed or has several holes.
    """
    sides = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    directed = set(map(tuple, sides.tolist()))
    after = {first: second for first, second in directed if (second, first) not in directed}
    if not after:
        raise ValueError("expected a mesh with a hole, got a closed one")
    edge = [min(after)]
    while after[edge[-1]] != edge[0]:
        edge.append(after[edge[-1]])
    if len(edge) != len(after):
        raise ValueError(f"expected one hole, got one of {len(edge)} sides among {len(after)}")
    return np.array(edge)


def bust_grid(points: np.ndarray, triangles: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Return a surface (BUST_ROWS, n + 1, 3) that leaves a mesh's edge (n,) smoothly; its last column is its first."""
    inside = np.stack([_neighbours_middle(points, triangles, edge, vertex) for vertex in edge])
    start = points[edge]
    azimuth = np.arctan2(start[:, 0], start[:, 2] - _MIDDLE_Z)
    sine, cosine = np.sin(azimuth), np.cos(azimuth)
    radius = (np.abs(sine) ** 2.4 + np.abs(cosine) ** 2.4) ** (-1 / 2.4)
    rings = []
    for width, front_z, back_z, front_y, side_y, back_y in _RINGS:
        z = _MIDDLE_Z + np.where(cosine > 0, front_z - _MIDDLE_Z, _MIDDLE_Z - back_z) * radius * cosine
        y = side_y + np.where(cosine > 0, front_y - side_y, back_y - side_y) * cosine**2
        rings.append(np.stack([width * radius * sine, y, z], axis=-1))
    step = np.linalg.norm(start - inside, axis=-1).mean() / np.linalg.norm(rings[0] - start, axis=-1).mean()
    curves = CubicSpline([-step, 0, 1, 2, 3], np.stack([inside, start, *rings]))
    grid = curves(3 * np.linspace(0, 1, BUST_ROWS) ** 1.3)
    return np.concatenate([grid, grid[:, :1]], axis=1)


def _neighbours_middle(points: np.ndarray, triangles: np.ndarray, edge: np.ndarray, vertex: int) -> np.ndarray:
    """Mean place (3,) of a vertex' neighbours that don't lie on the edge."""
    around = np.setdiff1d(triangles[(triangles == vertex).any(axis=1)], edge)
    return points[around].mean(axis=0)


def texel_places(places: np.ndarray, triangles: np.ndarray, texels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the place on a surface of every texel.

    Args:
        places: (V, 3) vertices; triangles: (T, 3).
        texels: (V, 2) column and row of the vertices in the texture.
        size: Height and width of the texture.

    Returns:
        (height, width, 3); texels outside all triangles have the place of the nearest one inside, so that filtering
        across a seam of the texture meets the same paint.
    """
    _, owner = rasterize(texels, np.ones(len(texels)), triangles, *size)
    _, (rows, columns) = distance_transform_edt(owner < 0, return_indices=True)
    corners = triangles[owner[rows, columns]]
    first, second, third = (texels[corners[..., k]] for k in range(3))
    here = np.stack([columns, rows], axis=-1) - first
    to_second, to_third = second - first, third - first
    area = to_second[..., 0] * to_third[..., 1] - to_second[..., 1] * to_third[..., 0]
    along_second = (here[..., 0] * to_third[..., 1] - here[..., 1] * to_third[..., 0]) / area
    along_third = (to_second[..., 0] * here[..., 1] - to_second[..., 1] * here[..., 0]) / area
    shares = np.stack([1 - along_second - along_third, along_second, along_third], axis=-1)
    return (shares[..., None] * places[corners]).sum(axis=-2)


def paint_shirt(skin: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return a texture (H, W, 4) with a striped shirt below the neck.

    Args:
        skin: (H, W, 4) linear colour and highlight strength.
        places: (H, W, 3) place of each texel on the neutral body, metres.
    """
    x, y, z = places[..., 0], places[..., 1], places[..., 2]
    # Lower at the throat than at the nape.
    below = -0.124 - 0.034 * smoothstep(-0.06, 0.04, z) - y
    cover = smoothstep(-0.0008, 0.0008, below)[..., None]
    level = np.mod(below + 0.15 * np.abs(x), 0.026) / 0.026
    stripe = smoothstep(0.55, 0.60, level) * smoothstep(0.97, 0.92, level) * (below > 0.014)
    cloth = SHIRT + (SHIRT_STRIPE - SHIRT) * stripe[..., None]
    weave = 1 + 0.35 * fractal_noise(places * 160, seed=61) + 0.12 * fractal_noise(places * 900, seed=62, octaves=2)
    weave = weave * (1 - 0.45 * gaussian((below - 0.011) / 0.0016) - 0.5 * gaussian(below / 0.0016))
    cloth = np.concatenate([cloth[..., :3] * weave[..., None], np.zeros_like(cover)], axis=-1)
    return skin + (cloth - skin) * cover
