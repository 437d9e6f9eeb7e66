"""Side-by-side pictures of a render and its truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

ERROR_AT_WHITE = 0.25
"""Mean absolute colour difference at which the error's colour map ends."""
LABEL_HEIGHT_PX = 18


def colors_to_bytes(image: Float[Tensor, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Round colours in [0, 1] to the nearest of 256 levels."""
    return (image.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()


def write_png(path: Path, image: Float[Tensor, "height width 3"]) -> None:
    """Write colours in [0, 1] as an 8-bit PNG, making the folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colors_to_bytes(image)).save(path)


def error_image(
    render: Float[Tensor, "height width 3"], truth: Float[Tensor, "height width 3"]
) -> Float[Tensor, "height width 3"]:
    """Colour the mean absolute difference, black at none and bright at `ERROR_AT_WHITE`."""
    from nerfstudio.utils.colormaps import apply_float_colormap

    error = (render.clamp(0, 1) - truth).abs().mean(dim=-1, keepdim=True)
    return apply_float_colormap((error / ERROR_AT_WHITE).clamp(0, 1), "inferno")


def comparison_columns(
    truth: Float[Tensor, "height width 3"],
    outputs: Mapping[str, Tensor],
    near_far: tuple[float, float] | None = None,
) -> dict[str, Float[Tensor, "height width 3"]]:
    """Return what stands side by side, by label: truth, render, error, accumulation, depth.

    Args:
        truth: Colours in [0, 1].
        outputs: The model's outputs for one image; only "rgb" must be there.
        near_far: Depths at the ends of the colour map; the image's own without it.
    """
    from nerfstudio.utils.colormaps import apply_depth_colormap

    truth = truth.to(outputs["rgb"].device)
    columns = {
        "truth": truth,
        "render": outputs["rgb"].clamp(0, 1),
        "error": error_image(outputs["rgb"], truth),
    }
    if "accumulation" in outputs:
        columns["accumulation"] = outputs["accumulation"].clamp(0, 1).expand(-1, -1, 3)
    if "depth" in outputs:
        near, far = near_far or (None, None)
        columns["depth"] = apply_depth_colormap(outputs["depth"], outputs.get("accumulation"), near, far)
    return columns


def label_strip(width: int, text: str) -> UInt8[np.ndarray, "strip width 3"]:
    """Draw a line of text, white on dark, as wide as the image above which it stands."""
    import cv2

    strip = np.full((LABEL_HEIGHT_PX, width, 3), 24, dtype=np.uint8)
    cv2.putText(strip, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (235, 235, 235), 1, cv2.LINE_AA)
    return strip


def comparison_image(
    truth: Float[Tensor, "height width 3"],
    outputs: Mapping[str, Tensor],
    near_far: tuple[float, float] | None = None,
    labels: bool = False,
) -> Float[Tensor, "image_height image_width 3"]:
    """Lay truth, render, error, accumulation and depth side by side.

    Args:
        truth: Colours in [0, 1].
        outputs: The model's outputs for one image.
        near_far: Depths at the ends of the colour map; the image's own without it.
        labels: Whether a line above each column names it.
    """
    columns = comparison_columns(truth, outputs, near_far)
    if labels:
        strips = {name: torch.from_numpy(label_strip(image.shape[1], name)) for name, image in columns.items()}
        columns = {name: torch.cat([strips[name].to(image) / 255, image]) for name, image in columns.items()}
    return torch.cat(list(columns.values()), dim=1)
