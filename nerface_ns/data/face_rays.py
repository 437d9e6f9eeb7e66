"""Rays of chosen pixels, with the few numbers per ray that a face model needs."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from torch import Tensor

FIXED_COLUMNS = {
    "origins": 3,
    "directions": 3,
    "pixel_area": 1,
    "times": 1,
    "directions_norm": 1,
    "pixel_position": 2,
    "camera_rotation": 9,
}
"""What every ray has, by name and number of floats."""


class FaceRayGenerator:
    """Makes ray bundles of perspective pixels: the values of `Cameras.generate_rays`, several times faster.

    The work is numpy's, on one thread, and travels to the device as one array: a few thousand rays are too few for
    torch's thread pool, whose barriers cost more than the arithmetic, and for a copy per field.

    Args:
        cameras: Cameras of one split, all perspective, without distortion, of one image size, with times.
        device: Where bundles shall be.
        condition_keys: Entries of `cameras.metadata` that every ray shall carry.
    """

    def __init__(
        self,
        cameras: Cameras,
        device: torch.device | str = "cpu",
        condition_keys: tuple[str, ...] = ("frame_index",),
    ) -> None:
        self.device = device
        self.size_px = np.array([int(cameras.width.flatten()[0]), int(cameras.height.flatten()[0])], dtype=np.float32)
        metadata = cameras.metadata or {}
        self.conditions = {key: metadata[key].cpu().numpy() for key in condition_keys if key in metadata}
        center = torch.cat([cameras.cx, cameras.cy], dim=-1)
        # A camera's y points up, an image's down.
        focal = torch.cat([cameras.fx, -cameras.fy], dim=-1)
        poses, times = cameras.camera_to_worlds, cameras.times
        assert times is not None
        table = torch.cat([center, focal, poses[:, :3, 3], poses[:, :3, :3].flatten(1), times], dim=-1)
        self._table = table.float().cpu().numpy()

    def __call__(self, indices: Int[Tensor, "rays 3"]) -> RayBundle:
        """Rays through the centres of pixels.

        Args:
            indices: Camera, row, column, on the CPU.

        Returns:
            Bundle whose metadata holds the conditions, "directions_norm" (rays, 1), "camera_rotation" (rays, 9; rows
            of the camera-to-world rotation) and "pixel_position" (rays, 2; x and y of the centre in (0, 1), y down).
        """
        packed = torch.from_numpy(self._pack(indices.numpy())).to(self.device)
        columns = dict(zip(FIXED_COLUMNS, packed.split(list(FIXED_COLUMNS.values()), dim=-1)))
        camera = indices[:, 0].numpy()
        conditions = {key: torch.from_numpy(values[camera]).to(self.device) for key, values in self.conditions.items()}
        return RayBundle(
            origins=columns["origins"],
            directions=columns["directions"],
            pixel_area=columns["pixel_area"],
            camera_indices=indices[:, :1].to(self.device),
            times=columns["times"],
            metadata={
                **conditions,
                **{key: columns[key] for key in ("directions_norm", "pixel_position", "camera_rotation")},
            },
        )

    def _pack(self, indices: Int[np.ndarray, "rays 3"]) -> Float[np.ndarray, "rays columns"]:
        """All of `FIXED_COLUMNS` side by side, float32."""
        camera = self._table[indices[:, 0]]
        center, focal, origin = camera[:, 0:2], camera[:, 2:4], camera[:, 4:7]
        rotation, time = camera[:, 7:16], camera[:, 16:17]
        position = indices[:, :0:-1].astype(np.float32) + np.float32(0.5)
        slope = (position - center) / focal
        norm = np.sqrt(slope[:, :1] ** 2 + slope[:, 1:] ** 2 + 1)
        local = np.concatenate([slope / norm, -1 / norm], axis=-1)
        direction = np.einsum("rij,rj->ri", rotation.reshape(-1, 3, 3), local)
        area = _pixel_area(slope, focal, norm)
        return np.concatenate([origin, direction, area, time, norm, position / self.size_px, rotation], axis=-1)


def _pixel_area(
    slope: Float[np.ndarray, "rays 2"], focal: Float[np.ndarray, "rays 2"], norm: Float[np.ndarray, "rays 1"]
) -> Float[np.ndarray, "rays 1"]:
    """Product of the angles between a pixel's direction and those of its right and lower neighbours.

    The angle of a and a + d is |a x d| / (|a| |a + d|) up to its own cube, which needs no difference of near numbers.
    """
    step = 1 / focal
    neighbour_norm = np.sqrt(norm**2 + 2 * slope * step + step**2)
    across = np.sqrt(slope[:, ::-1] ** 2 + 1) * np.abs(step)
    angle = across / (norm * neighbour_norm)
    return angle[:, :1] * angle[:, 1:]
