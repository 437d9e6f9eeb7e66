"""Where in the head a recording's eyes are, from the boxes that its frames have round them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Type

import torch
from jaxtyping import Float
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor

TOWARDS_CENTRE = 1e-4
"""Weight of the scene box's centre among the frames' rays, each of which weighs 1: it decides the eyes' depth only
where the head turns by less than about half a degree, which shows none."""


@dataclass
class GazeRegionConfig(InstantiateConfig):
    """The box in the head that gaze may move."""

    _target: Type = field(default_factory=lambda: GazeRegion)
    """Target class to instantiate."""
    scale: float = 1.0
    """Factor on its width and height, which are those of the frames' eyes boxes."""
    depth_share: float = 1.0
    """Its depth as a share of its height and width's geometric mean."""


class GazeRegion:
    """Finds the eyes' region.

    Args:
        config: Its size.
    """

    def __init__(self, config: GazeRegionConfig, **_: Any) -> None:
        self.config = config

    def find(
        self,
        cameras: Cameras,
        camera_to_world: Float[Tensor, "num_frames 3 4"],
        eyes_boxes: Float[Tensor, "num_frames 4"],
        aabb: Float[Tensor, "2 3"],
    ) -> Float[Tensor, "2 3"]:
        """Return its least and greatest corner.

        Args:
            cameras: Of the training frames, for their lens.
            camera_to_world: Where they stand.
            eyes_boxes: y0, y1, x0, x1 as fractions of the images.
            aabb: Scene box, within which the eyes are.

        Raises:
            ValueError: The frames' boxes do not meet within the scene box.
        """
        boxes, aabb = eyes_boxes.double().cpu(), aabb.double().cpu()
        pose = camera_to_world.detach().double().cpu()
        focal = torch.cat([cameras.fx, cameras.fy], dim=-1).double().cpu()
        optical = torch.cat([cameras.cx, cameras.cy], dim=-1).double().cpu()
        size = torch.cat([cameras.width, cameras.height], dim=-1).double().cpu()
        low, high = boxes[:, [2, 0]] * size, boxes[:, [3, 1]] * size
        slopes = ((low + high) / 2 - optical) / focal * torch.tensor([1.0, -1.0])
        local = torch.cat([slopes, -torch.ones_like(slopes[:, :1])], dim=-1)
        directions = torch.nn.functional.normalize(torch.einsum("nij,nj->ni", pose[:, :, :3], local), dim=-1)
        centre = nearest_point(pose[:, :, 3], directions, aabb.mean(dim=0))
        if not ((centre > aabb[0]) & (centre < aabb[1])).all():
            raise ValueError(
                f"eyes boxes: expected them to meet within the scene box {aabb.tolist()}, got {centre.tolist()}; "
                "check the boxes and the cameras"
            )
        depth = -torch.einsum("ni,ni->n", centre - pose[:, :, 3], pose[:, :, 2])
        extent = ((high - low) / focal * depth[:, None]).median(dim=0).values * self.config.scale
        half = torch.stack([extent[0], extent[1], self.config.depth_share * extent.prod().sqrt()]) / 2
        return torch.stack([centre - half, centre + half]).float()


def nearest_point(
    origins: Float[Tensor, "num_rays 3"], directions: Float[Tensor, "num_rays 3"], centre: Float[Tensor, "3"]
) -> Float[Tensor, "3"]:
    """Return the point whose squared distances from rays, and a little from a centre, add up to the least.

    Args:
        origins, directions: The rays; directions have length 1.
        centre: See `TOWARDS_CENTRE`.
    """
    identity = torch.eye(3, dtype=origins.dtype)
    across = identity - directions[:, :, None] * directions[:, None, :]
    matrix = across.mean(dim=0) + TOWARDS_CENTRE * identity
    target = torch.einsum("nij,nj->i", across, origins) / len(origins) + TOWARDS_CENTRE * centre
    return torch.linalg.solve(matrix, target)
