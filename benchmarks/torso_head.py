"""The scanned head on a standing bust, as a mesh that the demo head's renderer takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torso_bust import paint_shirt, texel_places
from torso_scan import PLAIN_PARTS, HeadScan, eye_part, plain_part, read_albedos, read_head_scan, skin_part

from nerface_ns.synthetic.expressions import EXPRESSION_NAMES, eye_gaze
from nerface_ns.synthetic.head_mesh import HeadMesh, gaze_rotation
from nerface_ns.synthetic.head_renderer import torso_share
from nerface_ns.synthetic.mesh_part import MeshPart
from nerface_ns.synthetic.rasterizer import rasterize, vertex_normals
from nerface_ns.tracks.name_matching import match_matrix

LIGHT_DIRECTIONS, LIGHT_RASTER = 64, 224
"""Directions from which the head is looked at to find what light arrives, and samples a side of each look."""
LIGHT_BIAS = 0.004
"""Metres behind the nearest surface that still count as lit."""
DARKEST = 0.35
"""Share of their colour that teeth, tongue and eyes keep where no light arrives: light shines through lips and lids."""


@dataclass
class ModelHead(HeadMesh):
    """The head on its bust. `deltas` holds (K, V, 3): lids have none of their own here."""

    expression_names: tuple[str, ...]
    """Names of the coefficients."""
    eye_centers: np.ndarray
    """(2, 3) left and right eyeball, metres."""

    def posed(self, expression: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (V, 3) and attributes (V, 4) for an expression (K,)."""
        points = self.points.copy()
        for number in np.flatnonzero(expression):
            points += self.deltas[number] * np.float32(expression[number])
        for name, gaze, center in zip(("left_eyeball", "right_eyeball"), self.eye_gaze(expression), self.eye_centers):
            members = self.regions[name]
            points[members] = (self.points[members] - center) @ gaze_rotation(*gaze).T + center
        return points, self.attributes

    def eye_gaze(self, expression: np.ndarray) -> np.ndarray:
        """Gaze (2 eyes: left, right; pitch up, yaw towards +x) in radians, by the demo head's angles."""
        return eye_gaze(match_matrix(self.expression_names, EXPRESSION_NAMES) @ expression)


def read_model_head(folder: Path, texture_size: int = 1024) -> ModelHead:
    """Read the head model and give it a bust; the face's part of the texture has `texture_size` texels a side.

    Raises:
        FileNotFoundError: A file of the model is not there.
    """
    scan = read_head_scan(folder)
    skin, texels = skin_part(scan, texture_size)
    (left, left_center), (right, right_center) = (eye_part(scan, side) for side in ("Left", "Right"))
    parts = [skin, *(plain_part(scan, name) for name in PLAIN_PARTS), left, right]
    starts = np.cumsum([0] + [len(part.points) for part in parts])
    points = np.concatenate([part.points for part in parts])
    triangles = np.concatenate([part.triangles + start for part, start in zip(parts, starts)]).astype(np.int32)
    weld = np.arange(len(points), dtype=np.int32)
    _, first, again = np.unique(np.round(skin.points * 1e6), axis=0, return_index=True, return_inverse=True)
    weld[: len(skin.points)] = first[again.ravel()]
    deltas = _deltas(scan, parts) * (1 - torso_share(points))[:, None].astype(np.float32)
    # Behind closed lips nothing would be lit.
    yawning = points + deltas[scan.expression_names.index("jawOpen")]
    light = arriving_light(yawning, vertex_normals(yawning, triangles, weld), triangles)
    attributes = np.concatenate([part.attributes for part in parts])
    attributes[: starts[1], 2] = light[: starts[1]]
    attributes[starts[1] :, :3] *= DARKEST + (1 - DARKEST) * light[starts[1] :, None]
    albedo = read_albedos(folder, texture_size)
    places = texel_places(skin.points, skin.triangles, texels, albedo.shape[:2])
    return ModelHead(
        points=points,
        attributes=attributes,
        triangles=triangles,
        materials=np.concatenate([np.full(len(part.triangles), part.material, np.uint8) for part in parts]),
        weld=weld,
        deltas=deltas,
        followers=np.zeros((2, 0), np.int64),
        texture=paint_shirt(albedo, places).astype(np.float32),
        regions={
            "mouth": _moved_skin(deltas[:, : starts[1]], scan, ("mouthFunnel",), 0.6),
            "eyes": _moved_skin(deltas[:, : starts[1]], scan, ("eyeBlink_L", "eyeBlink_R"), 0.1),
            "left_eyeball": np.arange(starts[-3], starts[-2]),
            "right_eyeball": np.arange(starts[-2], starts[-1]),
        },
        expression_names=scan.expression_names,
        eye_centers=np.stack([left_center, right_center]),
    )


def _deltas(scan: HeadScan, parts: list[MeshPart]) -> np.ndarray:
    """(K, V, 3) offsets of all parts; what follows nothing has none."""
    still = np.zeros((len(scan.deltas), 1, 3), np.float32)
    moves = [
        np.repeat(still, len(part.points), axis=1) if part.follows is None else scan.deltas[:, part.follows]
        for part in parts
    ]
    return np.concatenate(moves, axis=1)


def _moved_skin(deltas: np.ndarray, scan: HeadScan, names: tuple[str, ...], share: float) -> np.ndarray:
    """Vertices that some coefficients move by more than a share of the most that they move any."""
    lengths = np.linalg.norm(deltas[[scan.expression_names.index(name) for name in names]], axis=-1)
    return np.flatnonzero((lengths > share * lengths.max(axis=1, keepdims=True)).any(axis=0))


def arriving_light(points: np.ndarray, normals: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return the share (V,) of the light from all around that reaches each vertex past the rest of the mesh.

    The head is looked at along directions spread evenly; a vertex is lit from where it is seen.
    """
    number = np.arange(LIGHT_DIRECTIONS) + 0.5
    height, turn = 1 - 2 * number / LIGHT_DIRECTIONS, np.pi * (1 + 5**0.5) * number
    ring = np.sqrt(1 - height**2)
    lit, total = np.zeros(len(points)), np.full(len(points), 1e-9)
    scale, far = LIGHT_RASTER / np.ptp(points, axis=0).max() / 2**0.5, 100.0
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    for direction in np.stack([ring * np.cos(turn), height, ring * np.sin(turn)], axis=-1):
        across = np.cross(direction, [0.3, 0.2, 0.9])
        axes = np.stack([across / np.linalg.norm(across), np.cross(direction, across) / np.linalg.norm(across)])
        samples = (points - middle) @ axes.T * scale + LIGHT_RASTER / 2
        depths = far - (points - middle) @ direction
        nearest, _ = rasterize(samples, depths, triangles, LIGHT_RASTER, LIGHT_RASTER)
        column, row = np.clip(np.round(samples).astype(int), 0, LIGHT_RASTER - 1).T
        weight = np.maximum(normals @ direction, 0)
        lit += weight * (depths <= nearest[row, column] + LIGHT_BIAS)
        total += weight
    return lit / total
