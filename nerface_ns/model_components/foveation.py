"""Pictures that are sharp where one looks, on the face, and coarse elsewhere, for a page that has to keep up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

import torch
from jaxtyping import Float, Int
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.configs.base_config import PrintableConfig
from torch import Tensor

SOFT_EDGE = 0.2
"""Share of the sharp part's radius over which it passes into the coarse one."""


@dataclass
class FoveationConfig(PrintableConfig):
    """How much of a picture is rendered pixel by pixel."""

    radius: float = 0.0
    """Radius of the sharp part round the head's middle, as a share of the scene box's longest side; 0 renders all
    pixels."""
    block: int = 4
    """Elsewhere one ray stands for so many pixels in both directions."""


class Foveation:
    """The pixels of one picture that are rendered, and how the others follow from them.

    Args:
        size: Height and width in pixels.
        centre: Row and column of the sharp part's middle, in pixels.
        radius: Of the sharp part, in pixels.
        block: Distance of the rays elsewhere, in pixels.
    """

    def __init__(self, size: Tuple[int, int], centre: Tuple[float, float], radius: float, block: int) -> None:
        self.size, self.block = size, block
        rows, columns = (torch.arange(count) for count in size)
        distance = torch.hypot(rows[:, None] + 0.5 - centre[0], columns[None] + 0.5 - centre[1])
        sharpness = ((radius - distance) / max(SOFT_EDGE * radius, 1e-6)).clamp(0, 1)
        self.first = tuple(min(block // 2, (count - 1) // 2) for count in size)
        is_coarse = torch.zeros(size, dtype=torch.bool)
        is_coarse[self.first[0] :: block, self.first[1] :: block] = True
        self.coarse_size = tuple(len(range(first, count, block)) for first, count in zip(self.first, size))
        is_rendered = (is_coarse | (sharpness > 0)).flatten()
        self.pixels: Int[Tensor, " num_rendered"] = is_rendered.nonzero()[:, 0]
        """Numbers of the rendered pixels, row by row."""
        self._sharpness = sharpness.flatten()[self.pixels]
        self._is_coarse = is_coarse.flatten()[self.pixels]
        self.name = (size, centre, radius, block)
        """Tells foveations apart."""

    def fill(self, values: Float[Tensor, "num_rendered channels"]) -> Float[Tensor, "num_pixels channels"]:
        """Return all pixels: the sharp part as it was rendered, the coarse one bilinear between its rays."""
        device = values.device
        coarse = values[self._is_coarse.to(device)].T.reshape(1, -1, *self.coarse_size)
        places = []
        for first, count, number in zip(self.first, self.size, self.coarse_size):
            place = (torch.arange(count, device=device) - first) / self.block
            places.append(place.clamp(0, number - 1) * (2 / max(number - 1, 1)) - 1)
        grid = torch.stack(torch.meshgrid(*places, indexing="ij")[::-1], dim=-1)[None]
        smooth = torch.nn.functional.grid_sample(coarse, grid, align_corners=True, padding_mode="border")
        image = smooth[0].flatten(1).T.contiguous()
        pixels, sharpness = self.pixels.to(device), self._sharpness.to(device)[:, None]
        image[pixels] = torch.where(sharpness >= 1, values, torch.lerp(image[pixels], values, sharpness))
        return image


def foveation_of(config: FoveationConfig, camera: Cameras, box: Float[Tensor, "2 3"]) -> Optional[Foveation]:
    """Return the foveation of a camera's picture; None where all of its pixels are rendered.

    Args:
        config: Settings.
        camera: A `Cameras` of one.
        box: Least and greatest corner of the scene box.

    Raises:
        ValueError: A setting is out of its range.
    """
    if not config.radius >= 0 or config.block < 1:
        raise ValueError(f"foveation: expected a radius of 0 or more and a block of 1 or more, got {config}")
    if config.radius == 0 or config.block == 1:
        return None
    pose = camera.camera_to_worlds.reshape(3, 4).cpu()
    local = (box.cpu().mean(dim=0) - pose[:, 3]) @ pose[:, :3]
    depth = -float(local[2])
    if depth <= 0:
        return None
    focal = float(camera.fx.flatten()[0]), float(camera.fy.flatten()[0])
    column = float(camera.cx.flatten()[0]) + focal[0] * float(local[0]) / depth
    row = float(camera.cy.flatten()[0]) - focal[1] * float(local[1]) / depth
    length = float((box[1] - box[0]).max())
    size = int(camera.height.flatten()[0]), int(camera.width.flatten()[0])
    return Foveation(size, (row, column), config.radius * length * focal[1] / depth, config.block)
