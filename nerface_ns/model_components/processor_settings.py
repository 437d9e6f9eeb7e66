"""How the processor and the C library are set up for a face's model."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache

import numpy as np
import torch

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""glibc's numbers of these settings (malloc.h)."""
KEPT_BYTES = (2**30, 2**25)
"""Blocks up to one of these sizes are taken from memory that was used before; older glibc takes the second alone."""


def prepare_processor() -> None:
    """Flush denormals, in this thread and those it starts, and keep freed memory in the process."""
    # Finfo warns when first asked after the flush, and everything that compiles or prints asks.
    for kind in ("float32", "float64"):
        np.finfo(kind)
    torch.set_flush_denormal(True)  # denormals slow the CPU's first minutes three times
    keep_freed_memory()


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Let the C library reuse large blocks instead of giving them back to the system and asking for cleared ones.

    The default field's canonical grids have a gradient of 28 MB in every step, and the system would clear each of its
    pages anew.

    Returns:
        Whether the library can: glibc does, others are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not any(mallopt(MMAP_THRESHOLD, size) for size in KEPT_BYTES):
        return False
    return bool(mallopt(TRIM_THRESHOLD, 2**31 - 1))
