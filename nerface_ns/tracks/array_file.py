"""Reads NumPy's files of strangers: nothing is unpickled, and no more memory is taken than the file can fill."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

MAX_ARCHIVE_BYTES = 2 << 30
"""Largest sum of an archive's arrays, unpacked: compressed zeros may be a thousand times smaller."""
FAULTS = (
    ValueError,
    EOFError,
    OSError,
    TypeError,
    AttributeError,
    ArithmeticError,
    LookupError,
    SyntaxError,
    RecursionError,
    struct.error,
    tokenize.TokenError,
    SystemError,  # a damaged header may break NumPy's own parser of types
)
"""What NumPy's reader raises for files that are none."""
ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
"""What Python's reader of archives raises."""


def read_array_file(path: Path) -> np.ndarray:
    """Return the array of an .npy file.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no such file, holds objects, or claims more than it holds.
    """
    try:
        with Path(path).open("rb") as file:
            _check_header(file, Path(path).stat().st_size)
            file.seek(0)
            return npy.read_array(file, allow_pickle=False)
    except FileNotFoundError:
        raise
    except FAULTS as error:
        raise ValueError(f"{path}: expected an array of numbers in NumPy's format, got {error}") from error


def read_archive_file(path: Path, names: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file.

    Args:
        path: The file.
        names: Which arrays, as far as they are there; all without it.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no such file, holds objects, or claims more than it holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            wanted = members if names is None else {name: members[name] for name in names if name in members}
            if sum(info.file_size for info in wanted.values()) > MAX_ARCHIVE_BYTES:
                raise ValueError(f"arrays of more than {MAX_ARCHIVE_BYTES >> 20} MiB")
            return {name: _read_member(archive, info) for name, info in wanted.items()}
    except FileNotFoundError:
        raise
    except (*FAULTS, *ZIP_FAULTS) as error:
        raise ValueError(f"{path}: expected an .npz of plain arrays, got {error}") from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as file:
        _check_header(file, info.file_size)
    with archive.open(info) as file:
        return npy.read_array(file, allow_pickle=False)


def _check_header(file: IO[Any], num_bytes: int) -> None:
    """Refuse objects, and arrays that are longer than the file."""
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the format")
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("an array of Python objects, which would have to be unpickled")
    claimed = dtype.itemsize
    for length in shape:
        if length < 0:
            raise ValueError(f"a length of {length}")
        claimed *= length
    if claimed > num_bytes:
        raise ValueError(f"an array of {claimed} bytes in a file of {num_bytes}")
