"""Training pixels of which some form whole patches, from a given step on (after NeRFBlendShape's training code)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Tuple, Type

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerface_ns.data.face_pixel_sampler import FacePixelSampler, FacePixelSamplerConfig
from nerface_ns.data.frame_regions import FrameRegions
from nerface_ns.data.pixel_boxes import face_box_to_pixels

FACE, IMAGE = "face", "image"
"""Names of the face box and of the whole image among the places of patches."""


@dataclass
class PatchPixelSamplerConfig(FacePixelSamplerConfig):
    """Single pixels at first, later pixels and patches; a step with patches has all its rays."""

    _target: Type = field(default_factory=lambda: PatchPixelSampler)
    """Target class to instantiate."""
    patches_from_step: int = 20_000
    """First training step, counted from 0, that draws patches (NeRFBlendShape's code, 20,000 steps later than its
    first); negative never draws any."""
    patch_size: int = 32
    """Side of a patch in pixels (NeRFBlendShape, 32)."""
    num_patches: int = 1
    """Patches of a step, each in another of its images. Their rays are part of the step's rays, so one patch of 32
    leaves half of 2048 (NeRFBlendShape's code: two patches beside twice 1024 single pixels)."""
    patch_regions: Tuple[str, ...] = (FACE, "mouth")
    """Where patches lie, one place a step in turn: the data's "face" box, a region box of theirs such as "mouth" or
    "eyes", or the whole "image" (NeRFBlendShape's code: face box and mouth)."""


class PatchPixelSampler(FacePixelSampler):
    """Draws single pixels as `FacePixelSampler` does and, from a step on, patches beside them.

    Args:
        config: Weights, and the patches.
        num_rays_per_batch: Rays to draw, those of patches included; may be changed later.
        face_boxes: Fractions, one box per image.
        region_boxes: Fractions by region name.
        height, width: Image size in pixels.
        regions: Where regions are, which `region_shares` needs.

    Raises:
        ValueError: A patch does not fit the image, or the data have no box for one of its places.
    """

    config: PatchPixelSamplerConfig

    def __init__(
        self,
        config: PatchPixelSamplerConfig,
        num_rays_per_batch: int,
        face_boxes: Float[Tensor, "images 4"] | None,
        region_boxes: dict[str, Float[Tensor, "images 4"]],
        height: int,
        width: int,
        regions: FrameRegions | None = None,
    ) -> None:
        super().__init__(config, num_rays_per_batch, face_boxes, region_boxes, height, width, regions)
        self.patch_corners: list[tuple[np.ndarray, np.ndarray]] = []
        if config.patches_from_step < 0:
            return
        if not 2 <= config.patch_size <= min(height, width):
            raise ValueError(
                f"patch_size: expected 2 to {min(height, width)} pixels, so that a patch fits images of "
                f"{height} x {width}, got {config.patch_size}"
            )
        if config.num_patches < 1:
            raise ValueError(f"num_patches: expected at least 1, got {config.num_patches}")
        boxes = {**region_boxes, IMAGE: torch.tensor([[0.0, 1.0, 0.0, 1.0]])}
        if face_boxes is not None:
            boxes[FACE] = face_boxes
        if not config.patch_regions or not set(config.patch_regions) <= set(boxes):
            raise ValueError(
                f"patch_regions: expected names among {sorted(boxes)}, which these data have, "
                f"got {list(config.patch_regions)}"
            )
        self.patch_corners = [self._corner_range(boxes[name]) for name in config.patch_regions]

    def draw(
        self, images: Int[Tensor, " batch"], step: int
    ) -> tuple[Int[Tensor, "rays 3"], Int[Tensor, "patches size size"] | None]:
        """Draw the pixels of a training step.

        Returns:
            Image, row, column per ray, grouped by image; and where among these rays each patch's pixels are.

        Raises:
            ValueError: The step has too few rays for its patches.
        """
        if not 0 <= self.config.patches_from_step <= step:
            return super().draw(images, step)
        size, count = self.config.patch_size, self.config.num_patches
        num_random = self.num_rays_per_batch - count * size**2
        if num_random < 1:
            raise ValueError(
                f"train_num_rays_per_batch: expected more than the {count * size**2} rays of {count} patches of "
                f"{size} x {size}, got {self.num_rays_per_batch}"
            )
        owners = images[torch.arange(count) % len(images)]
        pixels = torch.cat([self._draw_pixels(images, num_random), self._draw_patches(owners, step)])
        rank = torch.empty(int(images.max()) + 1, dtype=torch.long)
        rank[images] = torch.arange(len(images))
        order = rank[pixels[:, 0]].argsort(stable=True)
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order))
        return pixels[order], place[num_random:].reshape(count, size, size)

    def _draw_patches(self, owners: Int[Tensor, " patches"], step: int) -> Int[Tensor, "rays 3"]:
        """Image, row, column of all pixels of one patch in each image given, row by row."""
        low, high = self.patch_corners[step % len(self.patch_corners)]
        image, size = owners.numpy(), self.config.patch_size
        chance = torch.rand(len(owners), 2, dtype=torch.float64).numpy()
        # The whole image is one box for all images.
        row = image if len(low) > 1 else np.zeros_like(image)
        first, last = low[row], high[row]
        corner = np.minimum(first + (chance * (last - first + 1)).astype(np.int64), last)
        inside = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), axis=-1).reshape(1, -1, 2)
        pixel = corner[:, None] + inside
        number = np.broadcast_to(image[:, None, None], (*pixel.shape[:2], 1))
        return torch.from_numpy(np.concatenate([number, pixel], axis=-1).reshape(-1, 3))

    def _corner_range(
        self, boxes: Float[Tensor, "boxes 4"]
    ) -> tuple[Int[np.ndarray, "boxes 2"], Int[np.ndarray, "boxes 2"]]:
        """First and last row and column, both inclusive, at which patches may begin: patches lie in the box.

        A patch longer than the box reaches over it instead, and all stay within the image.
        """
        size, limit = self.config.patch_size, np.array([self.height, self.width])
        box = face_box_to_pixels(boxes.cpu(), self.height, self.width).numpy()
        start, end = box[:, 0::2], box[:, 1::2] - size
        low, high = np.minimum(start, end), np.maximum(start, end)
        return np.clip(low, 0, limit - size), np.clip(high, 0, limit - size)
