"""The rasteriser against a slow loop and closed forms."""

import numpy as np

from nerface_ns.synthetic.face_parts import eyeball
from nerface_ns.synthetic.head_sculpt import EYE_RADIUS
from nerface_ns.synthetic.mesh_part import grid_triangles
from nerface_ns.synthetic.rasterizer import rasterize, vertex_normals


def _slow_rasterize(pixels, depths, triangles, height, width):
    """Nearest triangle and depth of each sample by solving for barycentric coordinates."""
    depth, owner = np.full((height, width), np.inf), np.full((height, width), -1)
    for number, corners in enumerate(triangles):
        system = np.vstack([pixels[corners].T, np.ones(3)])
        for row, column in np.ndindex(height, width):
            weights = np.linalg.solve(system, [column, row, 1.0])
            if weights.min() >= 0:
                z = 1.0 / (weights @ (1.0 / depths[corners]))
                if z < depth[row, column]:
                    depth[row, column], owner[row, column] = z, number
    return depth, owner


def test_rasterize_matches_slow_loop():
    """Depth and owner of random overlapping triangles equal those of a loop over all samples."""
    random = np.random.default_rng(0)
    pixels, depths = random.uniform(-4, 22, (24, 2)), random.uniform(0.3, 2.0, 24)
    triangles = random.permutation(24).reshape(8, 3).astype(np.int32)
    depth, owner = rasterize(pixels, depths, triangles, 15, 18)
    expected_depth, expected_owner = _slow_rasterize(pixels, depths, triangles, 15, 18)
    np.testing.assert_array_equal(owner, expected_owner)
    np.testing.assert_allclose(depth, expected_depth, rtol=1e-9)


def test_sphere_depth_and_silhouette_match_closed_form():
    """A sphere covers exactly the rays that meet it, at the depth where they do."""
    ball = eyeball()
    points = ball.points / np.linalg.norm(ball.points, axis=1, keepdims=True) * EYE_RADIUS
    view = points * np.array([1.0, -1.0, -1.0]) + np.array([0.002, -0.001, 0.1])
    focal, size = 300.0, 96
    pixels = focal * view[:, :2] / view[:, 2:] + size / 2
    depth, owner = rasterize(pixels, view[:, 2], ball.triangles, size, size)
    column, row = np.meshgrid(np.arange(size), np.arange(size))
    ray = np.stack([(column - size / 2) / focal, (row - size / 2) / focal, np.ones((size, size))], axis=-1)
    along, center = np.sum(ray**2, -1), np.array([0.002, -0.001, 0.1])
    discriminant = (ray @ center) ** 2 - along * (center @ center - EYE_RADIUS**2)
    expected = (ray @ center - np.sqrt(np.maximum(discriminant, 0.0))) / along
    inside, outside, front = discriminant > 4e-6, discriminant < 0, discriminant > 6e-5
    assert inside.sum() > 3000 and outside.sum() > 2000
    assert (owner[inside] >= 0).all() and (owner[outside] < 0).all()
    np.testing.assert_allclose(depth[front], expected[front], atol=1e-4)


def test_nearer_triangle_wins_in_either_order():
    """The z-buffer, not drawing order, decides."""
    pixels = np.array([[0, 0], [9, 0], [0, 9], [0, 0], [9, 0], [0, 9]], dtype=float)
    depths = np.array([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    for triangles, nearer in (([[0, 1, 2], [3, 4, 5]], 1), ([[3, 4, 5], [0, 1, 2]], 0)):
        _, owner = rasterize(pixels, depths, np.array(triangles, dtype=np.int32), 8, 8)
        assert set(owner[owner >= 0]) == {nearer}


def test_shared_edges_leave_no_cracks():
    """A warped grid that spans the raster covers every sample."""
    random = np.random.default_rng(1)
    row, column = np.meshgrid(np.linspace(-3, 42, 16), np.linspace(-3, 42, 16), indexing="ij")
    pixels = np.stack([column, row], -1).reshape(-1, 2) + random.uniform(-1, 1, (256, 2))
    _, owner = rasterize(pixels, random.uniform(0.5, 1, 256), grid_triangles(16, 16), 40, 40)
    assert (owner >= 0).all()


def test_welded_vertices_share_normals():
    """Two triangles folded along a doubled edge get the mean normal there."""
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=float)
    triangles = np.array([[0, 1, 2], [3, 4, 5]], dtype=np.int32)
    normals = vertex_normals(points, triangles, np.array([0, 1, 2, 0, 2, 5], dtype=np.int32))
    np.testing.assert_allclose(normals[[0, 3]], np.full((2, 3), [np.sqrt(0.5), 0, np.sqrt(0.5)]), atol=1e-12)
    np.testing.assert_allclose(normals[1], [0, 0, 1], atol=1e-12)
