"""Where points seen in many pictures are, and how far from that the pictures show them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from nerface_ns.data.scene_bounds import pixel_directions

OPEN_DEPTH = 1e-9
"""Weight that keeps the equations solvable when all rays are parallel."""


def triangulate(
    camera_to_world: Float[np.ndarray, "frames 4 4"],
    intrinsics_px: Float[np.ndarray, "frames 4"],
    points_px: Float[np.ndarray, "frames points 2"],
) -> Float[np.ndarray, "points 3"]:
    """Points nearest, in the least-squares sense, to their rays in OpenGL cameras."""
    local = pixel_directions(intrinsics_px, points_px)
    rays = np.einsum("nij,npj->pni", camera_to_world[:, :3, :3], local)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    across = np.eye(3) - rays[..., :, None] * rays[..., None, :]
    votes = np.einsum("pnij,nj->pi", across, camera_to_world[:, :3, 3]) / len(camera_to_world)
    return np.linalg.solve(across.mean(axis=1) + OPEN_DEPTH * np.eye(3), votes[..., None])[..., 0]


def project(
    points: Float[np.ndarray, "points 3"],
    camera_to_world: Float[np.ndarray, "frames 4 4"],
    intrinsics_px: Float[np.ndarray, "frames 4"],
) -> tuple[Float[np.ndarray, "frames points 2"], Float[np.ndarray, "frames points"]]:
    """Pixels of points, and their depths, which are negative behind a camera."""
    local = np.einsum("nji,npj->npi", camera_to_world[:, :3, :3], points - camera_to_world[:, None, :3, 3])
    depth = -local[..., 2]
    safe = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    fx, fy, cx, cy = (intrinsics_px[:, k, None] for k in range(4))
    return np.stack([fx * local[..., 0] / safe + cx, -fy * local[..., 1] / safe + cy], axis=-1), depth


def misfit(
    camera_to_world: Float[np.ndarray, "frames 4 4"],
    intrinsics_px: Float[np.ndarray, "frames 4"],
    points_px: Float[np.ndarray, "frames points 2"],
) -> tuple[float, float]:
    """How badly cameras explain the pictures.

    Returns:
        Root mean square distance of the sightings from the triangulated points' pixels, and the share of sightings in
        front of the camera.
    """
    points = triangulate(camera_to_world, intrinsics_px, points_px)
    seen, depth = project(points, camera_to_world, intrinsics_px)
    distance = np.linalg.norm(seen - points_px, axis=-1)
    return float(np.sqrt(np.mean(np.minimum(distance, 1e6) ** 2))), float((depth > 0).mean())
