"""Rendered frames kept beside the output until it is whole, so that a render that was stopped goes on."""

from __future__ import annotations

import hashlib
import re
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nerface_ns.rendering.picture_layout import AnyPicture

FRAME_NAME = re.compile(r"[0-9a-f]{32}(\.png|(\.[0-9a-f]{8})?\.part)")


class FinishedFrames:
    """A folder of pictures, each named by a fingerprint of everything that it shows.

    A frame that is asked for twice, in one video or after another try with other options, is rendered once.

    Args:
        output: The file or folder that the frames are for; the pictures lie beside it in `OUTPUT.frames`.
    """

    def __init__(self, output: Path) -> None:
        self.folder = output.with_name(f"{output.name}.frames")

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def read(self, key: str) -> AnyPicture:
        """Return a finished frame.

        Raises:
            ValueError: The file is damaged.
        """
        from PIL import Image

        try:
            return np.asarray(Image.open(self._path(key)))
        except OSError as error:
            raise ValueError(f"{self._path(key)}: not readable ({error}); delete it and run again") from error

    def write(self, key: str, picture: AnyPicture) -> None:
        """Keep a frame, whole or not at all; other processes may be writing the same one."""
        from PIL import Image

        self.folder.mkdir(exist_ok=True)
        partial = self._path(key).with_suffix(f".{secrets.token_hex(4)}.part")
        Image.fromarray(picture).save(partial, format="PNG", compress_level=1)
        partial.replace(self._path(key))

    def remove(self) -> None:
        """Delete the frames; files of other names, and then the folder, are left alone."""
        if not self.folder.is_dir():
            return
        for file in self.folder.iterdir():
            if FRAME_NAME.fullmatch(file.name):
                file.unlink()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.png"


def fingerprint(*parts: Any) -> str:
    """Return 32 hexadecimal digits that tell values, tensors and mappings of them apart."""
    digest = hashlib.sha256()
    for part in parts:
        _add(digest, part)
    return digest.hexdigest()[:32]


def file_fingerprint(path: Path) -> str:
    """Return a fingerprint of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _add(digest: Any, part: Any) -> None:
    if isinstance(part, torch.Tensor):
        part = part.detach().cpu().contiguous().numpy()
    if isinstance(part, np.ndarray):
        digest.update(f"{part.dtype}{part.shape}".encode())
        digest.update(np.ascontiguousarray(part).tobytes())
    elif isinstance(part, dict):
        for name in sorted(part):
            _add(digest, name)
            _add(digest, part[name])
    else:
        digest.update(f"{part!r};".encode())
