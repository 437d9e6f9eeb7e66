"""Fitted photographs of a new person as a dataset in NerFace's format, which a training reads beside the known ones."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.data.frame_json import FrameFile, FrameRecord, write_frame_file
from nerface_ns.fitting.fitted_photo import FittedPhoto

SEEN = 0.5
"""Opacity of the fitted head from which on a pixel belongs to its box."""
BEHIND = 0.5
"""Grey behind a person whom masks cut out."""


def write_photo_dataset(
    folder: Path, photos: Sequence[FittedPhoto], opacity: Sequence[Tensor], own_camera: Any
) -> Path:
    """Write photographs as seen through the training cameras' lens.

    All of them are training frames, and the frames of the other splits too, for there is nothing to hold out.

    Args:
        folder: Made anew; what it held is lost.
        photos: With poses, expressions and lenses; masks for all or for none of them.
        opacity: Of the fitted heads as `own_camera` sees them, each (height, width).
        own_camera: A training camera (a `Cameras` of one) of the known person, whose lens and size the frames get.
    """
    import cv2

    height, width = int(own_camera.height[0]), int(own_camera.width[0])
    focal = float(own_camera.fx[0]), float(own_camera.fy[0])
    center = float(own_camera.cx[0]), float(own_camera.cy[0])
    are_masked = all(photo.view.photo.alpha is not None for photo in photos)
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "train").mkdir(parents=True)
    records = []
    for number, (fitted, seen) in enumerate(zip(photos, opacity)):
        name, photo = f"train/f_{number:04d}", fitted.view.photo
        colours = _through_lens(photo.image, fitted.view.camera, own_camera)
        if are_masked:
            assert photo.alpha is not None
            alpha = _through_lens(photo.alpha[..., None], fitted.view.camera, own_camera, cv2.BORDER_CONSTANT)
            colours = alpha[..., None] * colours + (1 - alpha[..., None]) * BEHIND
            (partial / "masks" / "train").mkdir(parents=True, exist_ok=True)
            _write_png(partial / "masks" / f"{name}.png", alpha)
        _write_png(partial / f"{name}.png", colours)
        pose = np.eye(4)
        pose[:3] = fitted.shown.pose.double().numpy()
        expression = fitted.shown.expression.float().numpy()
        records.append(FrameRecord(f"./{name}", pose, expression, face_box=_box(seen)))
    if are_masked:
        (partial / "bg").mkdir()
        _write_png(partial / "bg" / "00050.png", np.full((height, width, 3), BEHIND))
    names = tuple(photos[0].view.model.expression_names)
    # The format counts columns and rows from pixels' centres.
    content = FrameFile(*focal, (center[0] - 0.5) / width, (center[1] - 0.5) / height, names, records)
    for split in ("train", "val", "test"):
        write_frame_file(partial / f"transforms_{split}.json", content)
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    return folder


def _through_lens(
    image: Float[Tensor, "height width channels"], camera: Any, own_camera: Any, border: int | None = None
) -> np.ndarray:
    """A picture as another camera in the same place sees it; beyond its edges their colours go on."""
    import cv2

    height, width = int(own_camera.height[0]), int(own_camera.width[0])
    values = [[float(getattr(which, name)[0]) for name in ("fx", "fy", "cx", "cy")] for which in (camera, own_camera)]
    (fx, fy, cx, cy), (own_fx, own_fy, own_cx, own_cy) = values
    columns = ((np.arange(width) + 0.5 - own_cx) / own_fx * fx + cx - 0.5).astype(np.float32)
    rows = ((np.arange(height) + 0.5 - own_cy) / own_fy * fy + cy - 0.5).astype(np.float32)
    maps = np.broadcast_to(columns, (height, width)).copy(), np.broadcast_to(rows[:, None], (height, width)).copy()
    shrink = own_fy / fy
    source = image.numpy()
    if shrink < 1:  # what is sampled at fewer places is averaged first
        blur = 0.5 * (1 / shrink - 1) + 0.2
        source = cv2.GaussianBlur(source, (0, 0), blur)
    border = cv2.BORDER_REPLICATE if border is None else border
    return np.clip(cv2.remap(source, *maps, cv2.INTER_LINEAR, borderMode=border), 0, 1)


def _box(seen: Float[Tensor, "height width"]) -> np.ndarray:
    """Upper, lower, left and right edge of a head, as shares of the picture; all of it where there is none."""
    is_seen = seen.numpy() > SEEN
    rows, columns = np.flatnonzero(is_seen.any(axis=1)), np.flatnonzero(is_seen.any(axis=0))
    if len(rows) == 0:
        return np.array([0.0, 1.0, 0.0, 1.0])
    height, width = is_seen.shape
    return np.array([rows[0] / height, (rows[-1] + 1) / height, columns[0] / width, (columns[-1] + 1) / width])


def _write_png(path: Path, image: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)).save(path)


@torch.no_grad()
def seen_opacity(fitted: FittedPhoto, own_camera: Any) -> Float[Tensor, "height width"]:
    """Return how opaque the model's head is, as a training camera at the fitted pose sees it."""
    from nerface_ns.rendering.posed_camera import posed_camera

    camera = posed_camera(own_camera, fitted.shown.pose, fitted.shown.expression)
    return fitted.view.model.get_outputs_for_camera(camera)["accumulation"][..., 0].cpu()
