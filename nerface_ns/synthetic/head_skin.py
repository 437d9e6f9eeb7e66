"""The demo head's skin: one grid from crown to jumper, cut open along the eyelids' and the lips' seams."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from nerface_ns.synthetic import head_sculpt as sculpt
from nerface_ns.synthetic.demo_people import DEMO_PEOPLE, DemoPerson
from nerface_ns.synthetic.head_profile import column_azimuths, loft, row_positions
from nerface_ns.synthetic.mesh_part import Material, MeshPart, grid_triangles
from nerface_ns.synthetic.noise import gaussian, smoothstep
from nerface_ns.synthetic.skin_texture import paint_head


@dataclass
class HeadSkin:
    """Skin grid of the neutral face; both seam rows are doubled, so a seam's two sides can part.

    Points are metres in the head frame, rows run from the crown down, columns around from the back.
    """

    points: np.ndarray
    """(rows, columns, 3), eyes open, mouth closed."""
    closed_points: np.ndarray
    """(rows, columns, 3), the same with closed eyelids."""
    row_knots: np.ndarray
    """(rows,) position along the profile, in knots."""
    eye_row: int
    """Row of the eyelids' seam on its upper side; the next row is its lower side."""
    mouth_row: int
    """Row of the lips' seam on its upper side; the next row is its lower side."""
    occlusion: np.ndarray
    """(rows, columns) share of ambient light that arrives."""
    texture: np.ndarray
    """(size, size, 4) linear colour and highlight strength."""
    texture_rows: np.ndarray
    """(rows,) vertical texture coordinate, 0..1; doubled rows share it."""

    @property
    def mouth_height(self) -> np.ndarray:
        """(rows, columns) height above the lips' seam in the same column, metres."""
        return self.points[..., 1] - self.points[self.mouth_row, :, 1][None]

    @property
    def below_mouth(self) -> np.ndarray:
        """(rows, 1) whether a row lies on the lower side of the lips' seam."""
        return (np.arange(len(self.points)) > self.mouth_row)[:, None]


def _grid_normals(points: np.ndarray) -> np.ndarray:
    """Outward unit normals of the skin grid by central differences, continuous across the back seam."""
    wrapped = np.concatenate([points[:, -2:-1], points, points[:, 1:2]], axis=1)
    normals = np.cross(np.gradient(points, axis=0), np.gradient(wrapped, axis=1)[:, 1:-1])
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.where(length > 1e-12, normals / np.maximum(length, 1e-12), np.array([0.0, 1.0, 0.0]))


def _occlusion(points: np.ndarray, normals: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Ambient light that reaches each point: less in hollows (two sizes) and on the throat under the chin."""
    wrap = 24
    padded = np.concatenate([points[:, -1 - wrap : -1], points, points[:, 1 : 1 + wrap]], axis=1)
    light = np.ones(points.shape[:2])
    for sigma, depth, strength in ((3.0, 0.0012, 0.30), (8.0, 0.0045, 0.40)):
        smooth = cv2.GaussianBlur(padded, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)[:, wrap:-wrap]
        hollow = np.sum((smooth - points) * normals, axis=-1) / depth
        light *= 1.0 - strength * np.clip(hollow, -0.35, 1.0)
    throat = gaussian((knots[:, None] - 12.9) / 1.3) * smoothstep(-0.05, 0.02, points[..., 2])
    return light * (1.0 - 0.50 * throat)


def make_head_skin(density: float, texture_size: int, person: DemoPerson = DEMO_PEOPLE[0]) -> HeadSkin:
    """Build the skin; `density` 1 gives about 290 x 237 vertices, spacing about 0.8 mm on the face."""
    knots, eye_row, mouth_row = row_positions(density)
    azimuth = column_azimuths(density)
    base = loft(knots, azimuth)
    base[0] = base[0].mean(axis=0)
    bare = sculpt.sculpt_features(base)
    closed = sculpt.cover_eyeballs(bare)
    seam_y = closed[eye_row, :, 1]
    thickness = sculpt.hair_thickness(base, np.broadcast_to(azimuth, base.shape[:2])) + sculpt.jumper_thickness(base)
    thickness[0], thickness[:, -1] = thickness[0].mean(), thickness[:, 0]
    layer = _grid_normals(base) * thickness[..., None]

    doubled = np.insert(np.arange(len(base)), [eye_row + 1, mouth_row + 1], [eye_row, mouth_row])
    above = (np.arange(len(doubled)) <= eye_row)[:, None]
    shift = sculpt.lid_shift(closed[doubled], seam_y, above)
    opened = bare[doubled] + shift[..., None] * np.array([0.0, 1.0, 0.0])
    opened = np.where(shift[..., None] != 0, sculpt.cover_eyeballs(opened), closed[doubled])
    normals = _grid_normals(closed + layer)
    return HeadSkin(
        points=opened + layer[doubled],
        closed_points=(closed + layer)[doubled],
        row_knots=knots[doubled],
        eye_row=eye_row,
        mouth_row=mouth_row + 1,
        occlusion=_occlusion(closed + layer, normals, knots)[doubled],
        texture=paint_head(base, closed, azimuth, seam_y, texture_size, person),
        texture_rows=doubled / (len(base) - 1.0),
    )


def skin_part(skin: HeadSkin) -> MeshPart:
    """The skin as a mesh part; the seams are open, vertices of closed stretches coincide."""
    rows, columns = skin.points.shape[:2]
    u = np.broadcast_to(np.linspace(0, 1, columns)[None], (rows, columns))
    v = np.broadcast_to(skin.texture_rows[:, None], (rows, columns))
    attributes = np.stack([u, v, skin.occlusion, np.zeros_like(u)], axis=-1).reshape(-1, 4).astype(np.float32)
    triangles = grid_triangles(rows, columns, skip_rows=(skin.eye_row, skin.mouth_row))
    return MeshPart(skin.points.reshape(-1, 3), triangles, Material.SKIN, attributes)
