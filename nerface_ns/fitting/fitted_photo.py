"""A photograph, what was found in it, and how well the two agree."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.evaluation.comparison_image import ERROR_AT_WHITE, colors_to_bytes, error_image, label_strip
from nerface_ns.fitting.photo_view import SEEN_OPACITY, PhotoView, Shown, smoothed
from nerface_ns.tracks.fitted_state import FittedState

HEAD_OPACITY = 0.9
"""Opacity of the model's head from which on its correlation with the photograph is taken."""
COMPARISON_PX = 256
"""Height of smaller photographs on the comparison image."""


@dataclass
class FittedPhoto:
    """The result for one photograph."""

    view: PhotoView
    """The photograph with its camera."""
    shown: Shown
    """What the model was found to show it with."""
    render: Float[Tensor, "height width 3"]
    """What the model makes of it."""
    counted: Float[Tensor, "height width 1"]
    """1 where the two were compared."""
    figures: dict[str, Any] = field(default_factory=dict)
    """"psnr" and "mean_error" over the pixels that count, "correlation" over the head, "scene", "seconds"."""

    def state(self, names: tuple[str, ...], run: str, method: str) -> FittedState:
        """Return what is written to a file."""
        camera = self.view.camera
        gaze: Optional[Tensor] = self.shown.gaze
        return FittedState(
            names=names,
            expression=self.shown.expression.double().numpy(),
            latent_code=self.shown.code.double().numpy(),
            camera_to_world=self.shown.pose.double().numpy(),
            focal_px=(float(camera.fx[0]), float(camera.fy[0])),
            center_px=(float(camera.cx[0]), float(camera.cy[0])),
            size=self.view.photo.size,
            run=run,
            gaze=None if gaze is None else gaze.double().numpy(),
            method=method,
            photo=self.view.photo.name,
            figures=self.figures,
            identity=self._identity(),
        )

    def _identity(self) -> dict[str, float]:
        """Shares of persons by name, where the model knows several."""
        shares = (self.view.camera.metadata or {}).get(keys.IDENTITY_SHARES)
        if shares is None:
            return {}
        named = zip(self.view.model.identities.names, shares.flatten().tolist())
        return {name: round(share, 6) for name, share in named if share > 0}

    def comparison(self) -> UInt8[np.ndarray, "height width 3"]:
        """Return photo, fit and error side by side; pixels that were not compared are dark in the error."""
        error = error_image(self.render, self.view.truth) * self.counted
        columns = {"photo": self.view.photo.image, "fit": self.render, f"error (white: {ERROR_AT_WHITE})": error}
        factor = max(1, math.ceil(COMPARISON_PX / self.view.photo.size[0]))
        pictures = []
        for label, image in columns.items():
            picture = colors_to_bytes(image).repeat(factor, axis=0).repeat(factor, axis=1)
            pictures.append(np.concatenate([label_strip(picture.shape[1], label), picture]))
        return np.concatenate(pictures, axis=1)

    def write_comparison(self, path: Path) -> None:
        """Write the comparison as a PNG file, whole or not at all."""
        from PIL import Image

        partial = path.with_name(f"{path.name}.part")
        Image.fromarray(self.comparison()).save(partial, format="PNG")
        partial.replace(path)


@torch.no_grad()
def judge(model: Any, view: PhotoView, shown: Shown) -> FittedPhoto:
    """Render the whole picture and compare it."""
    outputs = {name: image.cpu() for name, image in model.get_outputs_for_camera(view.posed(shown)).items()}
    opacity, render = outputs["accumulation"], outputs["rgb"].clamp(0, 1)
    counted = torch.ones_like(opacity)
    if view.scene == "other":
        counted = (opacity > SEEN_OPACITY).float()
        render = (outputs["foreground"] / opacity.clamp(min=0.05)).clamp(0, 1) * counted
    difference = (render - view.truth) * counted
    share = float(counted.mean())
    error = float(difference.square().mean()) / share if share > 0 else float("inf")
    figures = {
        "psnr": round(-10 * math.log10(max(error, 1e-10)), 3),
        "mean_error": round(float(difference.abs().mean()) / max(share, 1e-9), 5),
        "correlation": round(head_correlation(render, view.truth, opacity), 4),
        "scene": view.scene,
        "size": list(view.photo.size),
    }
    return FittedPhoto(view, shown, render, counted, figures)


def head_correlation(
    render: Float[Tensor, "height width 3"],
    truth: Float[Tensor, "height width 3"],
    opacity: Float[Tensor, "height width 1"],
) -> float:
    """Return the correlation of brightness over the head; 0 where there is no head or nothing on it."""
    is_head = opacity[..., 0] > HEAD_OPACITY
    first, second = (smoothed(image).mean(dim=-1)[is_head].double() for image in (render, truth))
    if len(first) < 2:
        return 0.0
    first, second = first - first.mean(), second - second.mean()
    scale = float((first.square().sum() * second.square().sum()).sqrt())
    return float((first * second).sum()) / scale if scale > 1e-9 else 0.0
