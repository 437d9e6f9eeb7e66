"""Parsing maps: which part of the person each pixel shows, by a face parser's labels or by colours."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from nerface_ns.data.frame_store import user_cache_dir
from nerface_ns.data.image_file import DAMAGED

REGION_NAMES = ("background", "face", "mouth", "eyes", "hair", "torso")
"""Regions that a parsing tells apart; a pixel holds its region's place in this list."""
BISENET_REGIONS = {
    # CelebAMask-HQ's 19 classes as the public BiSeNet parser numbers them (zllrunning/face-parsing.PyTorch).
    "background": (0,),
    "face": (1, 2, 3, 7, 8, 9, 10),
    "mouth": (11, 12, 13),
    "eyes": (4, 5, 6),
    "hair": (17, 18),
    "torso": (14, 15, 16),
}
"""Labels by region: skin, brows, ears and nose are the face; glasses belong to the eyes, hats to the hair, neck,
necklace and clothes to the torso."""
COLOUR_REGIONS = {
    "background": ((255, 255, 255),),
    "face": ((0, 0, 255),),
    "torso": ((0, 255, 0), (255, 0, 0)),
}
"""Colours by region in AD-NeRF's and NeRFBlendShape's parsings: the head with its hair is blue, the neck green, the
torso red."""
FORMAT_VERSION = 1
"""Counted up when a store's numbers change meaning."""


def read_regions(path: Path) -> UInt8[np.ndarray, "height width"]:
    """Read one parsing; an image of three channels holds colours, one of a single channel or a palette labels.

    Returns:
        Places in `REGION_NAMES`.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no whole image, or holds a label or colour that no region has.
    """
    try:
        with Image.open(path) as image:
            is_coloured = len(image.getbands()) >= 3
            stored = np.asarray(image.convert("RGB") if is_coloured else image)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected a parsing here, found none") from error
    except DAMAGED as error:
        raise ValueError(f"{path}: expected a whole image, got a damaged one: {error}") from error
    if stored.dtype == np.bool_ or stored.dtype.kind not in "iu" or (not is_coloured and stored.ndim != 2):
        raise ValueError(f"{path}: expected labels of 8 bits or colours, got {stored.dtype} of shape {stored.shape}")
    flat = _packed(stored) if is_coloured else stored.astype(np.int64)
    regions = np.full(flat.shape, 255, dtype=np.uint8)
    for name, labels in (COLOUR_REGIONS if is_coloured else BISENET_REGIONS).items():
        numbers = _packed(np.array(labels)) if is_coloured else labels
        regions[np.isin(flat, numbers)] = REGION_NAMES.index(name)
    unknown = stored[regions == 255]
    if len(unknown):
        known = sorted(colour for colours in COLOUR_REGIONS.values() for colour in colours) if is_coloured else "0..18"
        raise ValueError(
            f"{path}: expected {'the colours' if is_coloured else 'labels'} {known}, got {unknown[0].tolist()} in "
            f"{len(unknown)} pixels"
        )
    return regions


def _packed(colours: np.ndarray) -> np.ndarray:
    """One whole number for each colour."""
    return colours.astype(np.int64) @ np.array([65536, 256, 1])


class RegionLabels:
    """Regions of a split's frames at the size of training, in a memory-mapped file of the user's cache.

    Args:
        paths: The frames' parsings.
        image_size: Height and width of the stored images, which parsings must have.
        height, width: Size wanted; each pixel takes the region at its middle.

    Raises:
        FileNotFoundError: A parsing is missing.
        ValueError: One has another size, is damaged, or holds an unknown label.
    """

    def __init__(self, paths: Sequence[Path], image_size: tuple[int, int], height: int, width: int) -> None:
        self.paths = list(paths)
        path = user_cache_dir() / "regions" / f"{_store_key(paths, height, width)}.npy"
        if not path.is_file():
            _build_store(path, self.paths, image_size, height, width)
        self._frames: np.ndarray = np.load(path, mmap_mode="r")
        if self._frames.shape != (len(self.paths), height, width):
            raise ValueError(f"{path}: expected shape {(len(self.paths), height, width)}, got {self._frames.shape}")

    def mask(self, name: str, frame: int) -> Bool[np.ndarray, "height width"]:
        """Which pixels of a frame a region holds."""
        return np.asarray(self._frames[frame]) == REGION_NAMES.index(name)

    def at(self, name: str, frame: np.ndarray, row: np.ndarray, column: np.ndarray) -> Bool[np.ndarray, " pixels"]:
        """Whether pixels lie in a region."""
        return self._frames[frame, row, column] == REGION_NAMES.index(name)

    @cached_property
    def present(self) -> tuple[str, ...]:
        """The regions that some frame shows."""
        found = np.unique([number for frame in self._frames for number in np.unique(frame)])
        return tuple(name for place, name in enumerate(REGION_NAMES) if place in found)


def _store_key(paths: Sequence[Path], height: int, width: int) -> str:
    """Hash of all that decides a store's bytes."""
    digest = hashlib.sha256(f"{FORMAT_VERSION} {height} {width}".encode())
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{path}: expected a parsing here, found none") from error
        digest.update(f"\n{path.resolve()} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def _build_store(path: Path, paths: Sequence[Path], image_size: tuple[int, int], height: int, width: int) -> None:
    """Write the store aside, then give it its name."""
    aside = path.with_name(f"{path.stem}.{os.getpid()}.partial.npy")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (len(paths), height, width)
        frames = np.lib.format.open_memmap(aside, mode="w+", dtype=np.uint8, shape=shape)
        for number, parsing in enumerate(paths):
            frames[number] = _sized_regions(parsing, number, image_size, height, width)
        frames.flush()
        aside.replace(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path.parent}: cannot hold parsings ({error}); set XDG_CACHE_HOME elsewhere") from error
    finally:
        if path.parent.is_dir():
            aside.unlink(missing_ok=True)


def _sized_regions(
    path: Path, number: int, image_size: tuple[int, int], height: int, width: int
) -> UInt8[np.ndarray, "height width"]:
    """A frame's regions at the size wanted."""
    regions = read_regions(path)
    if regions.shape != tuple(image_size):
        raise ValueError(
            f"{path}: frame {number}: expected a parsing of {image_size[1]}x{image_size[0]} pixels as the images, got "
            f"{regions.shape[1]}x{regions.shape[0]}"
        )
    rows = ((np.arange(height) + 0.5) * image_size[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * image_size[1] / width).astype(int)
    return regions[rows[:, None], columns]
