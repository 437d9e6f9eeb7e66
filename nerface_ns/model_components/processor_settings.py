"""How the processor and the C library are set up for a face's model."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache

import numpy as np
import torch

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""glibc's numbers of these settings (malloc.h)."""
KEPT_BYTES = 2**30
"""Blocks up to this size are taken from memory that was used before."""


@lru_cache(maxsize=1)
def prepare_processor() -> None:
    """Flush denormals, and keep freed memory for the next step. Holds for the process; nothing is changed on a GPU."""
    # Finfo warns when first asked after the flush, and everything that compiles or prints asks.
    for kind in ("float32", "float64"):
        np.finfo(kind)
    torch.set_flush_denormal(True)  # denormals slow the CPU's first minutes three times
    keep_freed_memory()


def keep_freed_memory() -> bool:
    """Let the C library reuse large blocks instead of giving them back to the system and asking for cleared ones.

    A gradient of the finest grid has 22 MB in every step, and the system clears each of its pages anew: without that,
    a step takes about a tenth less.

    Returns:
        Whether the library can: glibc does, others are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(MMAP_THRESHOLD, KEPT_BYTES)) and bool(mallopt(TRIM_THRESHOLD, 2 * KEPT_BYTES - 1))
