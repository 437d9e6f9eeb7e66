"""Renders the demo head through a NerFace-style pinhole camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerface_ns.synthetic.head_mesh import HeadMesh
from nerface_ns.synthetic.noise import smoothstep
from nerface_ns.synthetic.rasterizer import rasterize, shade, vertex_normals

NECK_HEIGHTS = (-0.155, -0.085)
"""Between these heights in metres the torso passes into the head."""
UNITS_PER_METRE = 0.6
"""World units of the written files for a metre of the head model: the camera stands about 0.5 away, as NerFace's."""

# Camera frame x right, y DOWN, z forward. Rows: key direction, fill direction, key, fill and ambient strength, and
# how far diffuse light of each colour wraps into the shade, a cheap stand-in for light that skin scatters.
_LIGHTS = np.array([[-0.42, -0.52, -0.74], [0.75, -0.10, -0.65], [0.72, 0.16, 0.30], [0.30, 0.16, 0.11]])
LIGHTS = _LIGHTS / np.array([*np.linalg.norm(_LIGHTS[:2], axis=1), 1.0, 1.0])[:, None]


@dataclass
class PinholeCamera:
    """A camera as the NerFace format means it: pixel (column i, row j) looks along ((i - cx) / f, (j - cy) / f, 1)."""

    camera_to_world: np.ndarray
    """(4, 4) OpenGL pose: x right, y up, looking along -z."""
    focal_px: float
    center_px: tuple[float, float]
    """cx, cy: column and row, without half-pixel offset."""
    height: int
    width: int

    def view(self, world: np.ndarray) -> np.ndarray:
        """World points (..., 3) in the camera frame x right, y down, z forward."""
        rotation, position = self.camera_to_world[:3, :3], self.camera_to_world[:3, 3]
        return ((world - position) @ rotation) * np.array([1.0, -1.0, -1.0])

    def project(self, world: np.ndarray) -> np.ndarray:
        """Columns and rows (..., 2) of world points, in the format's pixel coordinates."""
        return self.project_view(self.view(world))

    def project_view(self, view: np.ndarray) -> np.ndarray:
        """Columns and rows (..., 2) of points in the camera frame."""
        return self.focal_px * view[..., :2] / view[..., 2:] + np.array(self.center_px)


@dataclass
class RenderedHead:
    """One picture of the head with what a frame record needs."""

    color: np.ndarray
    """(H, W, 3) sRGB in [0, 1], premultiplied by alpha."""
    alpha: np.ndarray
    """(H, W) coverage in [0, 1]."""
    face_box: np.ndarray
    """y0, y1, x0, x1 as fractions, around every pixel that is at least half covered."""
    region_boxes: dict[str, np.ndarray]
    """"mouth" and "eyes", as fractions clipped to the image."""
    depth: np.ndarray
    """(S*H, S*W) distance along the viewing axis at the raster's samples, inf where empty."""


def torso_share(points: np.ndarray) -> np.ndarray:
    """By how much points (..., 3) of the neutral head, metres, belong to the torso: (...,) in [0, 1]."""
    return 1.0 - smoothstep(*NECK_HEIGHTS, points[..., 1])


def render_head(
    mesh: HeadMesh,
    expression: np.ndarray,
    camera: PinholeCamera,
    samples: int = 3,
    torso_camera: PinholeCamera | None = None,
) -> RenderedHead:
    """Render a head.

    Args:
        mesh: The head.
        expression: (K,) coefficients.
        camera: Which sees it; the head is at the origin.
        samples: Raster samples a pixel, per side.
        torso_camera: Camera before which the torso rests: it stays in the picture where this one sees it, and the neck
            bends. None turns all of it with the head.

    Raises:
        ValueError: Nothing of the head lies in the image.
    """
    points, attributes = mesh.posed(expression)
    world = points * UNITS_PER_METRE
    view = camera.view(world)
    if torso_camera is not None:
        share = torso_share(mesh.points)[:, None]
        view = (1.0 - share) * view + share * torso_camera.view(world)
    pixels = camera.project_view(view)
    raster = (pixels + 0.5) * samples - 0.5
    depth, owner = rasterize(raster, view[:, 2], mesh.triangles, camera.height * samples, camera.width * samples)
    normals = vertex_normals(view, mesh.triangles, mesh.weld)
    color, alpha = shade(
        owner, raster, view, normals, attributes, mesh.triangles, mesh.materials, mesh.texture, LIGHTS, samples
    )
    size = (camera.height, camera.width)
    boxes = {name: _points_box(pixels[mesh.regions[name]], size) for name in ("mouth", "eyes")}
    return RenderedHead(color, alpha, mask_box(alpha), boxes, depth)


def mask_box(alpha: np.ndarray) -> np.ndarray:
    """Smallest box (y0, y1, x0, x1 as fractions) around pixels with coverage of at least a half."""
    rows, columns = (np.flatnonzero((alpha >= 0.5).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise ValueError("The head lies outside the image: no pixel is half covered.")
    height, width = alpha.shape
    return np.array([rows[0] / height, (rows[-1] + 1) / height, columns[0] / width, (columns[-1] + 1) / width])


def _points_box(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Box as fractions around points in format pixel coordinates, at least a pixel large and inside the image."""
    height, width = size
    box = []
    for values, length in ((pixels[:, 1], height), (pixels[:, 0], width)):
        low = np.clip((values.min() + 0.5) / length, 0.0, 1.0 - 1.0 / length)
        box += [low, np.clip((values.max() + 0.5) / length, low + 1.0 / length, 1.0)]
    return np.array(box)
