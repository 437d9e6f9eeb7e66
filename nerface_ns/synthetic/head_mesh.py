"""The whole demo head as one mesh that takes an expression vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerface_ns.synthetic import expressions as expr
from nerface_ns.synthetic.demo_people import DEMO_PEOPLE, DemoPerson
from nerface_ns.synthetic.face_parts import ear, eye_corners, eyeball, lip_and_lid_rolls, mouth_inside
from nerface_ns.synthetic.head_sculpt import EYE_RADIUS, EYE_X, EYE_Y, EYE_Z, LID_THICKNESS
from nerface_ns.synthetic.head_skin import HeadSkin, make_head_skin, skin_part
from nerface_ns.synthetic.mesh_part import Material, MeshPart
from nerface_ns.synthetic.noise import smoothstep

EYE_CENTERS = np.array([[EYE_X, EYE_Y, EYE_Z], [-EYE_X, EYE_Y, EYE_Z]])
"""Left and right eyeball centres, metres, head frame."""


@dataclass
class HeadMesh:
    """Neutral geometry, its movement per coefficient, and named vertex regions."""

    points: np.ndarray
    """(V, 3) metres, head frame, neutral face."""
    attributes: np.ndarray
    """(V, 4), see `Material`."""
    triangles: np.ndarray
    """(T, 3)."""
    materials: np.ndarray
    """(T,) `Material` values."""
    weld: np.ndarray
    """(V,) the first vertex at the same neutral place on the same surface; such vertices share normals."""
    deltas: np.ndarray
    """(K + 2, V, 3) offset per coefficient, then per closure of the left and the right lid."""
    followers: np.ndarray
    """(2, n) vertices that copy the movement of others, and those others."""
    texture: np.ndarray
    """(S, S, 4) linear colour and highlight strength of the skin."""
    regions: dict[str, np.ndarray]
    """Vertex numbers: "mouth", "eyes", "left_eyeball", "right_eyeball", "lids", "upper_lid_edges" (2, n)."""

    def posed(self, expression: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (V, 3) and attributes (V, 4) for an expression (K,)."""
        weights = np.concatenate([expression, expr.lid_closure(expression)])
        points = self.points.copy()
        for number in np.flatnonzero(weights):
            points += self.deltas[number] * np.float32(weights[number])
        points[self.regions["lids"]] = _outside_eyeballs(points[self.regions["lids"]])
        members, sources = self.followers
        points[members] = self.points[members] + points[sources] - self.points[sources]
        attributes = self.attributes.copy()
        for eye, (name, gaze) in enumerate(zip(("left_eyeball", "right_eyeball"), expr.eye_gaze(expression))):
            members = self.regions[name]
            points[members] = self.points[members] @ gaze_rotation(*gaze).T + EYE_CENTERS[eye]
            edge = points[self.regions["upper_lid_edges"][eye]]
            order = np.argsort(edge[:, 0])
            below = np.interp(points[members, 0], edge[order, 0], edge[order, 1]) - points[members, 1]
            attributes[members, :3] *= (0.42 + 0.58 * smoothstep(-0.0005, 0.0060, below))[:, None]
        return points, attributes


def gaze_rotation(pitch: float, yaw: float) -> np.ndarray:
    """Rotation that turns +z (straight ahead) to a gaze: pitch up, yaw towards +x, radians."""
    cp, sp, cy, sy = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return about_y @ about_x


def _outside_eyeballs(points: np.ndarray) -> np.ndarray:
    """Points that sank into an eyeball, pushed forward in z to the lids' place over it."""
    center = np.where(points[:, :1] > 0, EYE_CENTERS[0], EYE_CENTERS[1])
    offset = points - center
    room = (EYE_RADIUS + LID_THICKNESS) ** 2 - offset[:, 0] ** 2 - offset[:, 1] ** 2
    surface = center[:, 2] + np.sqrt(np.maximum(room, 0.0))
    moved = points.copy()
    moved[:, 2] = np.where(room > 0, np.maximum(points[:, 2], surface), points[:, 2])
    return moved


def make_head_mesh(density: float = 1.0, texture_size: int = 1024, person: DemoPerson = DEMO_PEOPLE[0]) -> HeadMesh:
    """Build a person's head; see `make_head_skin` for `density`."""
    skin = make_head_skin(density, texture_size, person)
    parts = [skin_part(skin), eyeball(person.iris), eyeball(person.iris), *mouth_inside(), ear(1), ear(-1)]
    parts += [eye_corners(skin.closed_points, skin.eye_row, side) for side in (1, -1)]
    parts += lip_and_lid_rolls(skin.points, skin.eye_row, skin.mouth_row)
    for part in parts:
        if part.material == Material.FLESH:
            part.attributes[:, :3] *= person.tint
    starts = np.cumsum([0] + [len(part.points) for part in parts])
    return HeadMesh(
        points=person.shaped(np.concatenate([part.points for part in parts])),
        attributes=np.concatenate([part.attributes for part in parts]),
        triangles=np.concatenate([part.triangles + start for part, start in zip(parts, starts)]).astype(np.int32),
        materials=np.concatenate([np.full(len(part.triangles), part.material, np.uint8) for part in parts]),
        weld=np.concatenate([_weld(part.points) + start for part, start in zip(parts, starts)]).astype(np.int32),
        deltas=_gather_deltas(skin, parts),
        followers=_followers(parts, starts),
        texture=skin.texture,
        regions=_regions(skin, starts),
    )


def _weld(points: np.ndarray) -> np.ndarray:
    """For each vertex of a part the first one at the same micrometre."""
    places = np.round(points * 1e6).astype(np.int64) @ np.array([1, 1 << 20, 1 << 40])
    _, first, inverse = np.unique(places, return_index=True, return_inverse=True)
    return first[inverse.ravel()]


def _gather_deltas(skin: HeadSkin, parts: list[MeshPart]) -> np.ndarray:
    """Offsets of all parts: the skin's own and rigid jaw movement."""
    moves = expr.skin_deltas(skin)
    skin_moves = np.zeros((len(expr.EXPRESSION_NAMES) + 2, len(parts[0].points), 3), np.float32)
    for name, delta in moves.items():
        skin_moves[expr.expression_index(name)] = delta
    skin_moves[-2:] = expr.lid_deltas(skin)
    gathered = [skin_moves]
    for part in parts[1:]:
        own = np.zeros((len(skin_moves), len(part.points), 3), np.float32)
        if part.jaw is not None:
            for name, delta in expr.jaw_deltas(part.points, part.jaw).items():
                own[expr.expression_index(name)] = delta
        gathered.append(own)
    return np.concatenate(gathered, axis=1)


def _followers(parts: list[MeshPart], starts: np.ndarray) -> np.ndarray:
    """(2, n) vertices of the parts that follow the skin, and the skin vertices they follow."""
    pairs = [(start + np.arange(len(p.points)), p.follows) for p, start in zip(parts, starts) if p.follows is not None]
    return np.concatenate([np.stack(pair) for pair in pairs], axis=1)


def _regions(skin: HeadSkin, starts: np.ndarray) -> dict[str, np.ndarray]:
    """Vertex numbers of the named regions; the skin is the first part, the eyeballs are the next two."""
    points = skin.closed_points.reshape(-1, 3)
    x, y, front = np.abs(points[:, 0]), points[:, 1], points[:, 2] > 0.02
    height = skin.mouth_height.ravel()
    columns = skin.points.shape[1]
    edge = skin.eye_row * columns + np.arange(columns)
    near_slit = edge[(np.abs(skin.points[skin.eye_row, :, 0]) > 0.014) & (skin.points[skin.eye_row, :, 2] > 0.02)]
    near_slit = near_slit[np.abs(skin.points.reshape(-1, 3)[near_slit, 0]) < 0.052]
    left = skin.points.reshape(-1, 3)[near_slit, 0] > 0
    return {
        "mouth": np.flatnonzero(front & (x < 0.029) & (np.abs(height) < 0.013)),
        "eyes": np.flatnonzero(front & (x > 0.010) & (x < 0.054) & (y > 0.010) & (y < 0.056)),
        "lids": np.flatnonzero(front & (x > 0.012) & (x < 0.052) & (y > 0.008) & (y < 0.046)),
        "left_eyeball": np.arange(starts[1], starts[2]),
        "right_eyeball": np.arange(starts[2], starts[3]),
        "upper_lid_edges": np.stack([near_slit[left], near_slit[~left]]),
    }
