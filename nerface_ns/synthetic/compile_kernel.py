"""One way to compile this package's numba kernels."""

from __future__ import annotations

from typing import Callable

import numba


def compiled(function: Callable) -> Callable:
    """Compile for one thread without the interpreter lock, keeping the machine code on disk where that is possible."""
    options = {"nogil": True, "fastmath": {"nsz", "arcp", "contract", "afn", "reassoc"}}  # infinities stay meaningful
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba finds no writable cache folder
        return numba.njit(**options)(function)
