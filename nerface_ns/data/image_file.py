"""What goes wrong with image files, and how large they may be."""

from __future__ import annotations

import struct
from pathlib import Path

from PIL import Image

DAMAGED = (
    OSError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow raises for damaged files beside `ValueError`, and for headers that claim more pixels than twice its
`MAX_IMAGE_PIXELS`."""


def check_image_header(path: Path) -> None:
    """Refuse a file that is no image, or claims to be so large that decoding it takes the machine's memory.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no such image.
    """
    try:
        with Image.open(path):
            pass
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected an image here, found none") from error
    except DAMAGED as error:
        raise ValueError(f"{path}: expected a readable image, got {error}") from error
