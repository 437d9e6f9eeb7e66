"""Where the head is: scene box, near and far plane from cameras and face boxes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

ORIGIN_PRIOR = 0.02
"""Weight of "the head is at the origin" beside one camera's vote; decides the depth when all cameras look alike."""

OUTLIER_SHARE = 0.01
"""Share of frames whose box may stick out on either side: one wild detection must not grow the scene."""

CARVE_CELLS = 32
"""Cells along each axis of the grid that the boxes carve; half a cell is put back around what remains."""

CARVE_SHARE = 0.95
"""A cell stays when it is in so many of the frames' boxes, where the frames can tell."""


def pixel_directions(
    intrinsics_px: Float[np.ndarray, "n 4"], pixel: Float[np.ndarray, "n *points 2"]
) -> Float[np.ndarray, "n *points 3"]:
    """Directions in the camera's frame, scaled to depth 1.

    Args:
        intrinsics_px: fx, fy, cx, cy.
        pixel: x and y where pixel (i, j) has its centre at (i + 0.5, j + 0.5).
    """
    fx, fy, cx, cy = (intrinsics_px[:, k].reshape(-1, *[1] * (pixel.ndim - 2)) for k in range(4))
    return np.stack([(pixel[..., 0] - cx) / fx, -(pixel[..., 1] - cy) / fy, -np.ones(pixel.shape[:-1])], axis=-1)


def head_center(
    camera_to_world: Float[np.ndarray, "n 4 4"],
    intrinsics_px: Float[np.ndarray, "n 4"],
    boxes_px: Float[np.ndarray, "n 4"],
) -> Float[np.ndarray, "3"]:
    """Point nearest, in the least-squares sense, to the rays through the boxes' centres.

    A weak pull to the origin (`ORIGIN_PRIOR`), where every format puts the head, settles the depth of sequences whose
    cameras all look from one side.

    Args:
        camera_to_world: OpenGL cameras.
        intrinsics_px: fx, fy, cx, cy.
        boxes_px: y0, y1, x0, x1.
    """
    middle = np.stack([boxes_px[:, 2:].mean(axis=1), boxes_px[:, :2].mean(axis=1)], axis=-1)
    local = pixel_directions(intrinsics_px, middle)
    direction = np.einsum("nij,nj->ni", camera_to_world[:, :3, :3], local)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    across = np.eye(3) - direction[:, :, None] * direction[:, None, :]
    votes = np.einsum("nij,nj->ni", across, camera_to_world[:, :3, 3])
    return np.linalg.solve(across.mean(axis=0) + ORIGIN_PRIOR * np.eye(3), votes.mean(axis=0))


def estimate_scene_box(
    camera_to_world: Float[np.ndarray, "n 4 4"],
    intrinsics_px: Float[np.ndarray, "n 4"],
    boxes: Float[np.ndarray, "n 4"],
    image_size: tuple[int, int],
    margin: float,
) -> Float[np.ndarray, "2 3"]:
    """Axis-aligned box around what the frames' boxes show.

    First the corners of each frame's box are put at the head centre's depth, and the scene box spans all of them but
    for `OUTLIER_SHARE`. Along the world axis that the cameras look along the boxes say little, so there it reaches as
    far from the head's centre as it does across. Then everything is carved away that lies outside the frames' boxes.
    `margin` at last scales it about its middle.

    Args:
        camera_to_world: OpenGL cameras.
        intrinsics_px: fx, fy, cx, cy.
        boxes: y0, y1, x0, x1 as fractions of the image.
        image_size: Height and width in pixels.
        margin: Factor on the size.

    Returns:
        Lower and upper corner.

    Raises:
        ValueError: A camera looks away from the head.
    """
    boxes_px = boxes * np.array(image_size)[[0, 0, 1, 1]]
    center = head_center(camera_to_world, intrinsics_px, boxes_px)
    corners = boxes_px[:, [[2, 0], [3, 0], [2, 1], [3, 1]]]
    rotation, origin = camera_to_world[:, :3, :3], camera_to_world[:, :3, 3]
    depth = -np.einsum("nij,ni->nj", rotation, center - origin)[:, 2]
    if (depth <= 0).any():
        index = int(np.argmin(depth))
        raise ValueError(
            f"expected every training camera to look at the head near {center.round(3).tolist()}, got frame {index} "
            "looking away; set the scene_box by hand if this is meant"
        )
    local = pixel_directions(intrinsics_px, corners) * depth[:, None, None]
    points = np.einsum("nij,nkj->nki", rotation, local) + origin[:, None]
    low = np.quantile(points.min(axis=1), OUTLIER_SHARE, axis=0)
    high = np.quantile(points.max(axis=1), 1 - OUTLIER_SHARE, axis=0)
    look_axis = int(np.argmax(np.abs(rotation[:, :, 2].mean(axis=0))))
    reach = np.delete(high - low, look_axis).max() / 2
    low[look_axis] = min(low[look_axis], center[look_axis] - reach)
    high[look_axis] = max(high[look_axis], center[look_axis] + reach)
    low, high = _carve(camera_to_world, intrinsics_px, boxes_px, image_size, low, high)
    middle, half = (low + high) / 2, (high - low) / 2 * margin
    return np.stack([middle - half, middle + half])


def _carve(
    camera_to_world: Float[np.ndarray, "n 4 4"],
    intrinsics_px: Float[np.ndarray, "n 4"],
    boxes_px: Float[np.ndarray, "n 4"],
    image_size: tuple[int, int],
    low: Float[np.ndarray, "3"],
    high: Float[np.ndarray, "3"],
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Shrink a box to the cells that lie in the frames' boxes; a frame says nothing of cells outside its image."""
    # What touches the image's edge goes on beyond it.
    limits = np.array(image_size)[[0, 0, 1, 1]] * np.array([0, 1, 0, 1])
    is_open = np.abs(boxes_px - limits) <= 1
    boxes_px = np.where(is_open, np.array([-np.inf, np.inf, -np.inf, np.inf]), boxes_px)
    cell = (high - low) / CARVE_CELLS
    steps = np.stack(np.meshgrid(*[np.arange(CARVE_CELLS) + 0.5] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    points = low + steps * cell
    votes = np.zeros(len(points))
    for pose, (fx, fy, cx, cy), (y0, y1, x0, x1) in zip(camera_to_world, intrinsics_px, boxes_px):
        local = (points - pose[:3, 3]) @ pose[:3, :3]
        depth = np.maximum(-local[:, 2], 1e-9)
        x, y = fx * local[:, 0] / depth + cx, -fy * local[:, 1] / depth + cy
        is_unseen = (y < 0) | (y > image_size[0]) | (x < 0) | (x > image_size[1])
        votes += is_unseen | ((y >= y0) & (y <= y1) & (x >= x0) & (x <= x1))
    kept = points[votes >= CARVE_SHARE * len(boxes_px)]
    if len(kept) == 0:
        return low, high
    return kept.min(axis=0) - cell / 2, kept.max(axis=0) + cell / 2


def estimate_near_far(
    camera_to_world: Float[np.ndarray, "n 4 4"], scene_box: Float[np.ndarray, "2 3"]
) -> tuple[float, float]:
    """Distances from the cameras to the box: the least to its surface and the greatest to a corner.

    A camera inside the box gets a near plane of 1 % of the far plane.
    """
    origin = camera_to_world[:, :3, 3]
    outside = np.maximum(np.maximum(scene_box[0] - origin, origin - scene_box[1]), 0)
    near = np.linalg.norm(outside, axis=1).min()
    far = np.linalg.norm(np.maximum(np.abs(origin - scene_box[0]), np.abs(origin - scene_box[1])), axis=1).max()
    return float(max(near, 0.01 * far)), float(far)
