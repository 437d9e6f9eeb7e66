"""Which pixels to train on: more of the face, some of mouth and eyes for certain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Tuple, Type

import numpy as np
import torch
from jaxtyping import Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor

from nerface_ns.data.frame_regions import FrameRegions
from nerface_ns.data.pixel_boxes import box_area, face_box_to_pixels, pick, pixel_in_box, pixel_outside_box


@dataclass
class FacePixelSamplerConfig(InstantiateConfig):
    """How training pixels are drawn within an image, and how many in the first steps."""

    _target: Type = field(default_factory=lambda: FacePixelSampler)
    """Target class to instantiate."""
    face_box_weight: float = 0.9
    """Weight of each pixel inside the face box; pixels outside weigh 1 minus this. 0.5 draws evenly (NeRFace, 0.9)."""
    region_share: float = 0.25
    """Share of the rays that are drawn from the mouth and eyes boxes, each region alike, when the data have them."""
    region_shares: Tuple[Tuple[str, float], ...] = ()
    """Shares of the rays by region instead, such as mouth 0.2 eyes 0.1 hair 0.1; the rest goes by the face box's
    weights. A region is a box of the data's (mouth, eyes, face), what a parsing shows (background, face, mouth, eyes,
    hair, torso), or head and background after the mattes, whichever there is first. In a frame without a pixel of a
    region that region's rays go by the face box's weights."""
    replacement: bool = True
    """Whether a step may draw a pixel twice; without, an image must have as many pixels as rays (NeRFace: without)."""
    first_rays_share: float = 0.125
    """Rays of the first training step over those of a later one. A field that begins opaque has many samples on a ray
    and much to learn from any of them, so that small steps, and more of them, bring it on sooner."""
    growth_steps: int = 200
    """Steps in which the number of rays grows to the whole, evenly; 0 for whole steps from the first on (NeRFace)."""
    transposed_box: bool = False
    """Swap the face box's rows and columns, as NerFace's released code does by mistake: it numbers the weights row by
    row and the pixels column by column. Square images only."""


class FacePixelSampler:
    """Draws pixels exactly after the weights of `FacePixelSamplerConfig`.

    All randomness comes from torch's global CPU generator, so a seed fixes the rays and differs between processes.

    Args:
        config: Weights.
        num_rays_per_batch: Rays to draw; may be changed later.
        face_boxes: Fractions, one box per image; without them pixels outside mouth and eyes are drawn evenly.
        region_boxes: Fractions by region name.
        height, width: Image size in pixels.
        regions: Where regions are, which `region_shares` needs.
    """

    def __init__(
        self,
        config: FacePixelSamplerConfig,
        num_rays_per_batch: int,
        face_boxes: Float[Tensor, "images 4"] | None,
        region_boxes: dict[str, Float[Tensor, "images 4"]],
        height: int,
        width: int,
        regions: FrameRegions | None = None,
    ) -> None:
        if not 0 <= config.face_box_weight <= 1:
            raise ValueError(f"face_box_weight: expected a number in [0, 1], got {config.face_box_weight}")
        if not 0 <= config.region_share <= 1:
            raise ValueError(f"region_share: expected a number in [0, 1], got {config.region_share}")
        if config.region_share > 0 and not config.replacement:
            raise ValueError(f"region_share: expected 0 where replacement is False, got {config.region_share}")
        if not 0 < config.first_rays_share <= 1:
            raise ValueError(f"first_rays_share: expected above 0 and at most 1, got {config.first_rays_share}")
        if config.growth_steps < 0:
            raise ValueError(f"growth_steps: expected 0 or more, got {config.growth_steps}")
        if config.transposed_box and height != width:
            raise ValueError(f"transposed_box: expected square images, got {height} x {width}")
        self.config = config
        self.num_rays_per_batch = num_rays_per_batch
        self.height, self.width = height, width
        self.face_boxes = None if face_boxes is None else face_box_to_pixels(face_boxes.cpu(), height, width).numpy()
        if self.face_boxes is not None and config.transposed_box:
            self.face_boxes = self.face_boxes[:, [2, 3, 0, 1]]
        boxes_px = [face_box_to_pixels(boxes.cpu(), height, width).numpy() for boxes in region_boxes.values()]
        self.region_boxes = np.stack(boxes_px) if boxes_px and config.region_share > 0 else None
        self.regions = regions
        if config.region_shares:
            _check_shares(config, regions)
            self.region_boxes = None

    def set_num_rays_per_batch(self, num_rays_per_batch: int) -> None:
        """Draw so many rays from now on."""
        self.num_rays_per_batch = num_rays_per_batch

    def sample(self, images: Int[Tensor, " batch"]) -> Int[Tensor, "rays 3"]:
        """Draw pixels, as evenly over the images given as their number allows.

        Args:
            images: Image indices to draw from.

        Returns:
            Image, row, column per ray, grouped by image.
        """
        return self._draw_pixels(images, self.num_rays_per_batch)

    def draw(
        self, images: Int[Tensor, " batch"], step: int
    ) -> tuple[Int[Tensor, "rays 3"], Int[Tensor, "patches size size"] | None]:
        """Draw the pixels of a training step as `sample` does, and None, because none of them form patches."""
        return self._draw_pixels(images, self.rays_at(step, len(images))), None

    def rays_at(self, step: int, num_images: int) -> int:
        """Return how many rays a training step has: at least one for each of its images."""
        share = self.config.first_rays_share
        if step < self.config.growth_steps:
            share += (1 - share) * step / self.config.growth_steps
            return min(max(int(share * self.num_rays_per_batch), num_images), self.num_rays_per_batch)
        return self.num_rays_per_batch

    def _draw_pixels(self, images: Int[Tensor, " batch"], num_rays: int) -> Int[Tensor, "rays 3"]:
        """Draw so many single pixels."""
        image = images.numpy()[np.arange(num_rays) * len(images) // num_rays]
        if not self.config.replacement:
            return torch.from_numpy(self._sample_distinct(image))
        chance = torch.rand(4, num_rays, dtype=torch.float64).numpy()
        pixel = self._sample_face_box(image, chance[0], chance[1])
        if self.region_boxes is not None:
            in_region = self._sample_regions(image, chance[3], chance[1])
            pixel = np.where(chance[2] < self.config.region_share, in_region, pixel)
        if self.config.region_shares:
            pixel = self._sample_shares(image, pixel, chance[2], chance[3])
        row, column = np.divmod(pixel, self.width)
        return torch.from_numpy(np.stack([image, row, column], axis=-1))

    def _sample_distinct(self, image: Int[np.ndarray, " rays"]) -> Int[np.ndarray, "rays 3"]:
        """Draw each image's pixels one after the other after their weights, none of them twice."""
        drawn = []
        for number, count in zip(*np.unique(image, return_counts=True)):
            weight = np.full((self.height, self.width), 1.0)
            if self.face_boxes is not None:
                y0, y1, x0, x1 = self.face_boxes[number]
                weight[:] = 1 - self.config.face_box_weight
                weight[y0:y1, x0:x1] = self.config.face_box_weight
            if count > (weight > 0).sum():
                raise ValueError(
                    f"replacement False: expected at most {(weight > 0).sum()} rays of an image, as many as it has "
                    f"pixels with a weight, got {count}"
                )
            # The first of exponential waiting times at these rates is a draw, so is the next of the others.
            chance = torch.rand(weight.size, dtype=torch.float64).numpy()
            with np.errstate(divide="ignore"):
                waiting = -np.log1p(-chance) / weight.flatten()
            pixel = np.argpartition(waiting, count - 1)[:count]
            drawn.append(np.stack([np.full(count, number), *np.divmod(pixel, self.width)], axis=-1))
        return np.concatenate(drawn)

    def _sample_regions(
        self,
        image: Int[np.ndarray, " rays"],
        which: Float[np.ndarray, " rays"],
        position: Float[np.ndarray, " rays"],
    ) -> Int[np.ndarray, " rays"]:
        """Pixel numbers from one of the image's regions, drawn evenly."""
        assert self.region_boxes is not None
        region = pick(which, np.full_like(image, len(self.region_boxes)))
        box = self.region_boxes[region, image]
        return pixel_in_box(box, pick(position, box_area(box)), self.width)

    def _sample_shares(
        self,
        image: Int[np.ndarray, " rays"],
        pixel: Int[np.ndarray, " rays"],
        which: Float[np.ndarray, " rays"],
        position: Float[np.ndarray, " rays"],
    ) -> Int[np.ndarray, " rays"]:
        """Pixel numbers, some of them replaced by those of regions."""
        assert self.regions is not None
        names = [name for name, _ in self.config.region_shares]
        ends = np.cumsum([share for _, share in self.config.region_shares])
        region = np.searchsorted(ends, which, side="right")
        for place, name in enumerate(names):
            rays = np.flatnonzero(region == place)
            drawn = self.regions.draw(name, image[rays], position[rays])
            pixel[rays] = np.where(drawn < 0, pixel[rays], drawn)
        return pixel

    def _sample_face_box(
        self,
        image: Int[np.ndarray, " rays"],
        side: Float[np.ndarray, " rays"],
        position: Float[np.ndarray, " rays"],
    ) -> Int[np.ndarray, " rays"]:
        """Pixel numbers after the face box's weights."""
        num_pixels = self.height * self.width
        if self.face_boxes is None:
            return pick(position, np.full_like(image, num_pixels))
        box = self.face_boxes[image]
        area = box_area(box)
        inside_weight = self.config.face_box_weight * area
        outside_weight = (1 - self.config.face_box_weight) * (num_pixels - area)
        # A box that fills the image leaves nothing outside, whatever the weights say.
        is_inside = (side * (inside_weight + outside_weight) < inside_weight) | (area == num_pixels)
        inside = pixel_in_box(box, pick(position, area), self.width)
        outside = pixel_outside_box(box, pick(position, num_pixels - area), self.width)
        return np.where(is_inside, inside, outside)


def _check_shares(config: FacePixelSamplerConfig, regions: FrameRegions | None) -> None:
    """Refuse shares that cannot be drawn.

    Raises:
        ValueError: A share is out of its range, or a region is named twice.
    """
    names, shares = [name for name, _ in config.region_shares], [share for _, share in config.region_shares]
    if min(shares) <= 0 or sum(shares) > 1 + 1e-6:
        raise ValueError(f"region_shares: expected shares above 0 that sum to at most 1, got {config.region_shares}")
    if len(set(names)) != len(names):
        raise ValueError(f"region_shares: expected each region once, got {names}")
    if not config.replacement:
        raise ValueError(f"region_shares: expected none where replacement is False, got {config.region_shares}")
    if regions is None:
        raise ValueError(f"region_shares: expected data with regions, got none for {names}")
