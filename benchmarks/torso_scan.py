"""ICT-FaceKit's head (MIT) with Lee Perry-Smith's shape and skin (CC BY 3.0): its files, and the parts of a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from torso_bust import bust_grid, open_edge

from nerface_ns.synthetic.face_parts import eyeball
from nerface_ns.synthetic.head_sculpt import EYE_RADIUS
from nerface_ns.synthetic.mesh_part import Material, MeshPart, grid_triangles, srgb255, srgb_to_linear

MODEL, IDENTITY = "ict_facekit.npz", "ict_lps_identity.npz"
ALBEDOS = ("ict_face_albedo_lps_ccby.png", "ict_backhead_albedo_lps_ccby.png")
HEAD_DROP = 0.010
"""Metres by which the head hangs lower than the model's: the chin then has the demo head's height, and the neck bends
below it."""
SKIN_GLOSS = 0.07
IRIS = (104, 92, 72)
PLAIN_PARTS = {
    "M_GumsTongue": (Material.WET, srgb255(170, 84, 82, 0.15)),
    "M_Teeth": (Material.WET, srgb255(226, 219, 204, 0.2)),
}
"""What has one colour; lashes, tears and veils over the eyes, which want transparency, are left out."""


@dataclass
class HeadScan:
    """What the head model's files hold."""

    points: np.ndarray
    """(V, 3) metres, neutral face."""
    triangles: np.ndarray
    """(T, 3)."""
    materials: np.ndarray
    """(T,) names."""
    texture_points: np.ndarray
    """(U, 2) texture u, v upward; the back of the head has u from 1 to 2."""
    texture_triangles: np.ndarray
    """(T, 3) texture points of the triangles."""
    deltas: np.ndarray
    """(K, V, 3) metres at coefficient 1."""
    expression_names: tuple[str, ...]
    """Names of the coefficients."""


def read_head_scan(folder: Path) -> HeadScan:
    """Read the head model.

    Raises:
        FileNotFoundError: A file of it is not there.
    """
    for name in (MODEL, IDENTITY, *ALBEDOS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name}: expected this file of the head model here, found none")
    with np.load(folder / MODEL) as model, np.load(folder / IDENTITY) as identity:
        return HeadScan(
            points=0.01 * identity["neutral"].astype(np.float64) - np.array([0, HEAD_DROP, 0]),
            triangles=model["f"],
            materials=model["materials"][model["fmat"]],
            texture_points=model["vt"],
            texture_triangles=model["ft"],
            deltas=np.float32(0.01) * model["expr"],
            expression_names=tuple(model["expr_names"].tolist()),
        )


def read_albedos(folder: Path, size: int) -> np.ndarray:
    """Return the texture (size, 1.5 size, 4), linear: the face, and beside it the back of the head over the bust's."""
    face, back = (cv2.imread(str(folder / name))[..., ::-1] for name in ALBEDOS)
    half = size // 2
    back = cv2.resize(back, (half, half), interpolation=cv2.INTER_AREA)
    bust = np.broadcast_to(back[-half // 16 :].mean(axis=(0, 1)), back.shape).astype(np.uint8)
    face = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)
    color = srgb_to_linear(np.concatenate([face, np.concatenate([back, bust])], axis=1) / 255)
    return np.concatenate([color, np.full((*color.shape[:2], 1), SKIN_GLOSS, np.float32)], axis=-1)


def skin_part(scan: HeadScan, size: int) -> tuple[MeshPart, np.ndarray]:
    """Return skin and bust, vertices doubled where the texture is cut, and their texels (V, 2: column, row)."""
    is_back = scan.materials == "M_BackHead"
    is_skin = is_back | (scan.materials == "M_Face")
    half = size // 2
    u, v = scan.texture_points.T
    face_texels = np.stack([u, 1 - v], axis=-1) * (size - 1)
    back_texels = np.stack([u - 1, 1 - v], axis=-1) * (half - 1) + np.array([size, 0])
    texels = np.where(u[:, None] > 1, back_texels, face_texels)
    corners = np.stack([scan.triangles, scan.texture_triangles], axis=-1)[is_skin]
    pairs, triangles = np.unique(corners.reshape(-1, 2), axis=0, return_inverse=True)
    edge = open_edge(scan.triangles[is_skin])
    bust = bust_grid(scan.points, scan.triangles[is_skin], edge)
    rows, columns = bust.shape[:2]
    down, around = np.mgrid[0:rows, 0:columns]
    bust_texels = np.stack([around / (columns - 1), down / (rows - 1)], axis=-1) * (half - 1) + np.array([size, half])
    part = MeshPart(
        points=np.concatenate([scan.points[pairs[:, 0]], bust.reshape(-1, 3)]),
        triangles=np.concatenate([triangles.reshape(-1, 3), len(pairs) + grid_triangles(rows, columns)]),
        material=Material.SKIN,
        attributes=np.zeros((len(pairs) + rows * columns, 4), np.float32),
        follows=np.concatenate([pairs[:, 0], np.tile(np.append(edge, edge[0]), rows)]),
    )
    texels = np.concatenate([texels[pairs[:, 1]], bust_texels.reshape(-1, 2)])
    part.attributes[:, :2] = texels / (np.array([size * 3 // 2, size]) - 1)
    return part, texels


def plain_part(scan: HeadScan, name: str) -> MeshPart:
    """Return a part of `PLAIN_PARTS`."""
    material, color = PLAIN_PARTS[name]
    used, triangles = np.unique(scan.triangles[scan.materials == name], return_inverse=True)
    attributes = np.tile(color, (len(used), 1)).astype(np.float32)
    return MeshPart(scan.points[used], triangles.reshape(-1, 3), material, attributes, follows=used)


def eye_part(scan: HeadScan, side: str) -> tuple[MeshPart, np.ndarray]:
    """Return the "Left" or "Right" eyeball, looking straight ahead, and its centre (3,)."""
    ball = scan.points[np.unique(scan.triangles[scan.materials == f"M_Sclera{side}"])]
    low, high = ball.min(axis=0), ball.max(axis=0)
    radius = (high[0] - low[0]) / 2
    # Its back is round, its front has the cornea.
    center = np.array([*(low + high)[:2] / 2, low[2] + radius])
    eye = eyeball(IRIS)
    eye.points = center + eye.points * radius / EYE_RADIUS
    return eye, center
