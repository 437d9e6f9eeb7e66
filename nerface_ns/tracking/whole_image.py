"""Reads and writes images whole, with errors that name them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

PNG_LEVEL = 1
"""Compression of PNG files: more costs four times the time for a tenth of the size."""


def write_image(path: Path, image: UInt8[np.ndarray, "height width *channels"]) -> None:
    """Write a PNG file (RGB or grey) aside and rename it.

    Raises:
        ValueError: It cannot be written.
    """
    stored = image[..., ::-1] if image.ndim == 3 else image
    _, content = cv2.imencode(".png", np.ascontiguousarray(stored), [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL])
    write_bytes(path, content.tobytes())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file aside and rename it, so that it is there whole or not at all.

    Raises:
        ValueError: It cannot be written.
    """
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise ValueError(
            f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
        ) from error


def read_image(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read an image as RGB.

    Raises:
        ValueError: It is missing or no image.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path}: expected an image, got a file that does not decode; remove it and run again")
    return np.ascontiguousarray(image[..., ::-1])


def read_grey(path: Path) -> UInt8[np.ndarray, "height width"]:
    """Read an image of one channel.

    Raises:
        ValueError: It is missing or no image.
    """
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"{path}: expected an image, got a file that does not decode; remove it and run again")
    return np.asarray(image)
