"""PSNR on the same pixels of the same held-out frames, whatever the model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nerface_ns.conditioning import keys


class FixedPixels:
    """Evenly spread frames of a split, and random pixels of each.

    Args:
        pipeline: Knows the data; any model's will do.
        split: The split.
        num_frames: Frames of it.
        pixels_per_frame: Pixels of each frame; 0 for whole frames.
        seed: Decides the pixels.
    """

    def __init__(self, pipeline: Any, split: str, num_frames: int, pixels_per_frame: int, seed: int = 0) -> None:
        outputs = pipeline.datamanager.dataparser.get_dataparser_outputs(split=split)
        dataset = pipeline.datamanager.dataset_type(dataparser_outputs=outputs)
        chosen = np.linspace(0, len(dataset) - 1, min(num_frames, len(dataset))).round().astype(int).tolist()
        self.frame_names = [str(outputs.metadata["frame_names"][index]) for index in chosen]
        self.cameras = [dataset.cameras[index : index + 1] for index in chosen]
        images = [dataset.get_data(index)["image"][..., :3] for index in chosen]
        height, width = images[0].shape[:2]
        self.is_whole = not 0 < pixels_per_frame < height * width
        count = height * width if self.is_whole else pixels_per_frame
        generator = torch.Generator().manual_seed(seed)
        self.pixels = [torch.randperm(height * width, generator=generator)[:count].sort().values for _ in chosen]
        self.truth = [image.reshape(-1, 3)[pixels] for image, pixels in zip(images, self.pixels)]

    @torch.no_grad()
    def psnr(self, model: Any) -> float:
        """Return the mean over the frames of the PSNR on their pixels."""
        was_training = model.training
        model.eval()
        values = []
        for camera, pixels, truth in zip(self.cameras, self.pixels, self.truth):
            colours = render_pixels(model, camera, None if self.is_whole else pixels).cpu()
            error = float(((colours.clamp(0, 1) - truth) ** 2).mean())
            values.append(-10 * math.log10(max(error, 1e-12)))
        model.train(was_training)
        return sum(values) / len(values)

    def as_json(self) -> dict[str, Any]:
        """Say what is scored."""
        what = "all pixels" if self.is_whole else "a fixed random subset of pixels, the same for every method"
        return {"frames": self.frame_names, "pixels_per_frame": len(self.pixels[0]), "pixels": what}


def render_pixels(model: Any, camera: Any, pixels: Tensor | None) -> Tensor:
    """Return colours (num_pixels, 3) of a camera's picture as `get_outputs_for_camera` renders it.

    Args:
        model: In evaluation mode.
        camera: One camera with its frame's conditions.
        pixels: Numbers row by row; None for all.
    """
    camera = camera.to(model.device)
    if pixels is None:
        return model.get_outputs_for_camera(camera)["rgb"].reshape(-1, 3)
    condition = model.get_camera_condition(camera)
    height, width = int(camera.height[0]), int(camera.width[0])
    bare = camera.reshape((1,))[0:1]
    bare.metadata = None
    centres = torch.stack([pixels // width, pixels % width], dim=-1).to(model.device) + 0.5
    first = torch.zeros(len(pixels), 1, dtype=torch.long, device=model.device)
    rays = bare.generate_rays(camera_indices=first, coords=centres)
    rays.metadata[keys.PIXEL_POSITION] = centres.flip(-1) / torch.tensor([width, height], device=model.device)
    colours = []
    for start in range(0, len(pixels), model.config.eval_num_rays_per_chunk):
        chunk = rays[start : start + model.config.eval_num_rays_per_chunk]
        rows = torch.zeros(len(chunk), dtype=torch.long, device=model.device)
        colours.append(model.render_rays(chunk, condition, rows, width / height)["rgb"])
    return torch.cat(colours)
