"""All frames of a split as one uint8 file, mapped into memory: training needs no float images and little RAM.

Files live in the user's cache directory (`XDG_CACHE_HOME` or ~/.cache)/nerface-ns/frames, one per set of images,
resolution and format version. A changed image gives another name, so a stale file is never read; nothing deletes old
ones but the user, who may remove the folder at any time while no training runs.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image

from nerface_ns.data.image_file import DAMAGED

FORMAT_VERSION = 1
"""Counted up when the bytes in a store change meaning."""

RESIDENT_BUDGET_BYTES = 256 * 2**20
"""Mapped pages are given back to the system after about so many bytes of frames were touched."""

FAULT_BYTES = 16 * mmap.PAGESIZE
"""Linux maps up to 16 pages around the one that is touched."""

PROGRESS_FROM_FRAMES = 300
"""Building a store shows a progress bar from so many frames on."""


def user_cache_dir() -> Path:
    """This project's folder in the user's cache directory."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "nerface-ns"


def decode_frame(
    image_path: Path, alpha_path: Path | None, height: int, width: int
) -> UInt8[np.ndarray, "height width channels"]:
    """Decode one image, with its matte as a fourth channel where there is one, averaged down to the size given.

    Raises:
        ValueError: The file is damaged or no image.
    """
    frame = _decode(image_path, "RGB")
    if alpha_path is not None:
        alpha = _decode(alpha_path, "L")
        if alpha.shape[:2] != frame.shape[:2]:
            raise ValueError(f"{alpha_path}: expected a mask of the image's size {frame.shape[:2]}, got {alpha.shape}")
        frame = np.concatenate([frame, alpha[..., None]], axis=-1)
    if frame.shape[:2] != (height, width):
        frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    return frame


def decode_alpha(path: Path) -> UInt8[np.ndarray, "height width"]:
    """A matte at its stored size."""
    return _decode(path, "L")


def _decode(path: Path, channels: str) -> UInt8[np.ndarray, "height width *channels"]:
    """Pixels of a file, "RGB" or "L"."""
    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"{path}: expected 8 bits a channel, got Pillow mode {image.mode}")
            return np.asarray(image.convert(channels))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected an image here, found none") from error
    except DAMAGED as error:
        raise ValueError(f"{path}: expected a whole image, got a damaged one: {error}") from error


class UnreadableFrameError(ValueError):
    """A frame could be read when its store was opened, and no longer can."""


class FrameStore:
    """Read-only uint8 frames (n, height, width, 3 or 4) in a memory-mapped file.

    Args:
        path: The .npy file.
        image_paths: The frames' images, for messages.
    """

    def __init__(self, path: Path, image_paths: Sequence[Path] = ()) -> None:
        self.path = path
        self.image_paths = image_paths
        self.frames: np.ndarray = np.load(path, mmap_mode="r")
        self._rows = self.frames.reshape(-1, self.frames.shape[-1])
        self._touched_bytes = 0
        self._first_byte = int(getattr(self.frames, "offset", 0))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def has_alpha(self) -> bool:
        """Whether a fourth channel holds the matte."""
        return self.frames.shape[-1] == 4

    def gather(
        self,
        frame: Int[np.ndarray, " rays"],
        row: Int[np.ndarray, " rays"],
        column: Int[np.ndarray, " rays"],
    ) -> UInt8[np.ndarray, "rays channels"]:
        """Pixels at whole-number positions.

        Raises:
            UnreadableFrameError: The file was cut off since it was opened.
        """
        self._check_length(int(frame.max()) if frame.size else 0)
        _, height, width, _ = self.frames.shape
        pixels = self._rows[(frame * height + row) * width + column]
        num_frames = np.count_nonzero(np.bincount(frame))
        self._count_touched(min(num_frames * self.frames[0].nbytes, len(pixels) * FAULT_BYTES))
        return pixels

    def read(self, index: int) -> UInt8[np.ndarray, "height width channels"]:
        """One whole frame, copied.

        Raises:
            UnreadableFrameError: The file was cut off since it was opened.
        """
        self._check_length(range(len(self))[index])
        frame = np.array(self.frames[index])
        self._count_touched(frame.nbytes)
        return frame

    def _check_length(self, last_frame: int) -> None:
        """Refuse frames beyond the end of a file that was cut off: the system ends a process that touches them."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return  # what is mapped stays readable after its name is gone
        end = self._first_byte + (last_frame + 1) * (self.frames.nbytes // len(self))
        if size < end:
            name = f" ({self.image_paths[last_frame]})" if self.image_paths else ""
            raise UnreadableFrameError(
                f"{self.path}: frame {last_frame}{name} became unreadable: expected a file of at least {end} bytes, "
                f"got {size}; the next training decodes the images again"
            )

    def _count_touched(self, num_bytes: int) -> None:
        """Give mapped pages back once enough were touched, else resident memory would grow to the whole file.

        They stay in the system's page cache, so touching them again costs a minor fault, not a read.
        """
        self._touched_bytes += num_bytes
        if self._touched_bytes > RESIDENT_BUDGET_BYTES < self.frames.nbytes and hasattr(mmap, "MADV_DONTNEED"):
            mapping = getattr(self.frames, "_mmap", None)
            if mapping is not None:
                mapping.madvise(mmap.MADV_DONTNEED)
            self._touched_bytes = 0


def open_frame_store(
    image_paths: Sequence[Path],
    alpha_paths: Sequence[Path] | None,
    height: int,
    width: int,
    cache_dir: Path | None = None,
) -> FrameStore:
    """Open the store of these images, building it first unless an earlier run did.

    Args:
        image_paths, alpha_paths: Frames in order, and their mattes.
        height, width: Size to average down to.
        cache_dir: Folder for stores; the user's cache directory when None.

    Raises:
        FileNotFoundError: An image is missing.
        ValueError: An image is damaged, or the folder cannot be written.
    """
    folder = cache_dir if cache_dir is not None else user_cache_dir() / "frames"
    path = folder / f"{_store_key(image_paths, alpha_paths, height, width)}.npy"
    if path.is_file():
        try:
            return FrameStore(path, image_paths)
        except (ValueError, OSError) as error:
            warnings.warn(f"{path}: expected a whole store, got {error}; decoding the images again", stacklevel=2)
    _build_store(path, image_paths, alpha_paths, height, width)
    return FrameStore(path, image_paths)


def _store_key(image_paths: Sequence[Path], alpha_paths: Sequence[Path] | None, height: int, width: int) -> str:
    """Hash of everything that decides a store's bytes: names, sizes and change times of the files, resolution."""
    digest = hashlib.sha256(f"{FORMAT_VERSION} {height} {width} {alpha_paths is not None}".encode())
    for path in [*image_paths, *(alpha_paths or [])]:
        try:
            status = path.stat()
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{path}: expected an image here, found none") from error
        digest.update(f"\n{path.resolve()} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def _build_store(
    path: Path, image_paths: Sequence[Path], alpha_paths: Sequence[Path] | None, height: int, width: int
) -> None:
    """Write the store aside, flush it to disk, then give it its name: a reader never sees half a store."""
    aside = path.with_name(f"{path.stem}.{os.getpid()}.partial")
    shape = (len(image_paths), height, width, 3 if alpha_paths is None else 4)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_2_0(file, header)
            for frame in _decode_all(image_paths, alpha_paths, height, width):
                file.write(np.ascontiguousarray(frame).data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and path.parent.is_dir():
            raise
        raise ValueError(
            f"{path.parent}: expected a folder that can hold {np.prod(shape) / 2**20:.0f} MiB of frames, got {error}; "
            "set XDG_CACHE_HOME to another place"
        ) from error
    finally:
        if path.parent.is_dir():
            aside.unlink(missing_ok=True)


def _decode_all(
    image_paths: Sequence[Path], alpha_paths: Sequence[Path] | None, height: int, width: int
) -> Iterable[UInt8[np.ndarray, "height width channels"]]:
    """Decode in threads, in order, a bounded number of frames ahead."""
    from nerfstudio.utils.rich_utils import CONSOLE
    from rich.progress import track

    num_threads = min(8, os.cpu_count() or 1)
    alphas: Sequence[Path | None] = alpha_paths if alpha_paths is not None else [None] * len(image_paths)
    starts: Iterable[int] = range(0, len(image_paths), 4 * num_threads)
    if len(image_paths) >= PROGRESS_FROM_FRAMES:
        starts = track(list(starts), f"Caching {len(image_paths)} frames", console=CONSOLE, transient=True)
    with ThreadPoolExecutor(num_threads) as pool:
        for start in starts:
            group = slice(start, start + 4 * num_threads)
            yield from pool.map(decode_frame, image_paths[group], alphas[group], repeat(height), repeat(width))
