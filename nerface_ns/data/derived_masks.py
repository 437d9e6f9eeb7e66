"""Mattes made of what a format has instead: an alpha channel, a parsing, a segmentation.

They are written once into the user's cache (`XDG_CACHE_HOME` or ~/.cache)/nerface-ns/masks, named for the source file,
its size and change time, so a changed source gives another matte and a stale one is never read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from nerface_ns.data.frame_store import user_cache_dir
from nerface_ns.data.image_file import DAMAGED

MaskRule = Literal["alpha", "parsing_head", "parsing_person", "labels"]
"""What makes the matte: the alpha channel; of a parsing in AD-NeRF's colours the head, pure blue, or the person, all
but pure white; all labels but 0."""

FORMAT_VERSION = 2
"""Counted up when a rule changes."""

PROGRESS_FROM_FRAMES = 300
"""Deriving mattes shows a progress bar from so many on."""


def derive_masks(paths: Sequence[Path], rule: MaskRule) -> list[Path]:
    """Matte files of these sources, made where they are not there yet.

    Raises:
        FileNotFoundError: A source is missing.
        ValueError: A source is damaged or has no alpha channel, or the cache cannot be written.
    """
    from nerfstudio.utils.rich_utils import CONSOLE
    from rich.progress import track

    folder = user_cache_dir() / "masks"
    targets = [folder / f"{_key(path, rule)}.png" for path in paths]
    wanted = [(path, target) for path, target in zip(paths, targets) if not target.is_file()]
    if not wanted:
        return targets
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            done = pool.map(_derive, *zip(*wanted), repeat(rule))
            if len(wanted) >= PROGRESS_FROM_FRAMES:
                done = track(done, f"Deriving {len(wanted)} mattes", len(wanted), console=CONSOLE, transient=True)
            for _ in done:
                pass
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{folder}: cannot hold mattes ({error}); set XDG_CACHE_HOME to another place") from error
    return targets


def mask_of(path: Path, rule: MaskRule) -> UInt8[np.ndarray, "height width"]:
    """The matte that one source file gives.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no whole image, or has no alpha channel although the rule needs one.
    """
    try:
        with Image.open(path) as image:
            if rule == "alpha":
                if "A" not in image.getbands():
                    raise ValueError(f"{path}: expected an image with an alpha channel, got Pillow mode {image.mode}")
                return np.asarray(image.getchannel("A"))
            if rule == "labels":
                return (np.asarray(image.convert("L") if image.mode != "P" else image) > 0).astype(np.uint8) * 255
            colour = np.asarray(image.convert("RGB"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected an image here, found none") from error
    except DAMAGED as error:
        raise ValueError(f"{path}: expected a whole image, got a damaged one: {error}") from error
    covered = (colour == (0, 0, 255)).all(axis=-1) if rule == "parsing_head" else (colour != 255).any(axis=-1)
    return covered.astype(np.uint8) * 255


def _derive(path: Path, target: Path, rule: MaskRule) -> None:
    """Write one matte aside, then give it its name."""
    aside = target.with_name(f"{target.stem}.{os.getpid()}.partial")
    try:
        Image.fromarray(mask_of(path, rule)).save(aside, format="PNG")
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _key(path: Path, rule: MaskRule) -> str:
    """Hash of all that decides a matte's pixels."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected an image here, found none") from error
    text = f"{FORMAT_VERSION} {rule} {path.resolve()} {status.st_size} {status.st_mtime_ns}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
