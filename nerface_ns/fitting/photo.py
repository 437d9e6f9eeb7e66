"""Reads the photographs that are fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nerface_ns.data.image_file import DAMAGED

BLACK = 8
"""Level of 255 up to which a pixel of a border is black."""
LEAST_SIDE_PX = 16
"""Smaller pictures show no face."""
LEAST_CONTRAST = 0.01
"""Standard deviation of the colours under which a picture shows nothing."""
OPAQUE = 250
"""Level of 255 from which on an alpha channel hides nothing."""


@dataclass(frozen=True)
class Photo:
    """A photograph without its black borders."""

    name: str
    """Name of the file."""
    image: Float[Tensor, "height width 3"]
    """Colours in [0, 1]."""
    alpha: Optional[Float[Tensor, "height width"]] = None
    """Coverage of the person in [0, 1]; None where nobody said."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.image.shape[0]), int(self.image.shape[1])

    def resized(self, height: int, width: int) -> Photo:
        """Return the photograph at another size."""
        if (height, width) == self.size:
            return self
        alpha = None if self.alpha is None else _resize(self.alpha[..., None], height, width)[..., 0]
        return replace(self, image=_resize(self.image, height, width), alpha=alpha)


def read_photo(path: Path, mask: Optional[Path] = None, cut_borders: bool = True) -> Photo:
    """Read a photograph, turned as its camera says, and the mask in its alpha channel or in a file.

    Black borders, as of a film, are cut off: they are no part of the photograph.

    Args:
        path: Any image that Pillow reads.
        mask: Grey image of the same size, white on the person; goes before an alpha channel.
        cut_borders: Whether to cut black borders; not for runs that were recorded before black.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no image, a tiny one, one that shows nothing, or has a mask of another size or an empty one.
    """
    picture = _read_rgba(Path(path))
    if mask is not None:
        covered = _read_rgba(Path(mask))[..., :3].mean(axis=-1).round().astype(np.uint8)
        if covered.shape != picture.shape[:2]:
            expected, got = ("x".join(map(str, shape[1::-1])) for shape in (picture.shape[:2], covered.shape))
            raise ValueError(f"{mask}: expected a mask of {expected} pixels as {path}, got {got}")
        picture = np.concatenate([picture[..., :3], covered[..., None]], axis=-1)
    rows, columns = _content(picture[..., :3]) if cut_borders else (slice(None), slice(None))
    picture = picture[rows, columns]
    height, width = picture.shape[:2]
    if min(height, width) < LEAST_SIDE_PX:
        raise ValueError(f"{path}: expected a photo of at least {LEAST_SIDE_PX} pixels a side, got {width}x{height}")
    image = torch.from_numpy(picture[..., :3].astype(np.float32) / 255)
    if float(image.std(dim=(0, 1)).max()) < LEAST_CONTRAST:
        raise ValueError(f"{path}: expected a photo of a face, got a picture of one colour")
    alpha = None
    if mask is not None or picture[..., 3].min() < OPAQUE:
        alpha = torch.from_numpy(picture[..., 3].astype(np.float32) / 255)
        if float(alpha.max()) < 0.5:
            raise ValueError(f"{mask or path}: expected a mask that covers the person, got one that covers nothing")
    return Photo(Path(path).name, image, alpha)


def _read_rgba(path: Path) -> UInt8[np.ndarray, "height width 4"]:
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            if file.mode.startswith(("I", "F")):
                raise ValueError(f"{path}: expected 8 bits a channel, got Pillow mode {file.mode}")
            return np.asarray(ImageOps.exif_transpose(file).convert("RGBA"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected a photo here, found none") from error
    except DAMAGED as error:
        raise ValueError(f"{path}: expected a readable photo, got {error}") from error


def _content(image: UInt8[np.ndarray, "height width 3"]) -> tuple[slice, slice]:
    """Rows and columns without black borders; all of a picture that is black throughout."""
    spans = []
    for axis in (1, 0):
        lit = np.flatnonzero((image > BLACK).any(axis=(axis, 2)))
        spans.append(slice(int(lit[0]), int(lit[-1]) + 1) if len(lit) else slice(None))
    return spans[0], spans[1]


def _resize(image: Float[Tensor, "height width channels"], height: int, width: int) -> Tensor:
    """Average over pixels where the picture shrinks, as the frames of a dataset are."""
    import cv2

    shrinks = height < image.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized = cv2.resize(image.numpy(), (width, height), interpolation=method)
    return torch.from_numpy(np.ascontiguousarray(resized.reshape(height, width, -1))).clamp(0, 1)
