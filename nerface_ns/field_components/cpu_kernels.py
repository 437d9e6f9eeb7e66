"""How the package's numba kernels are compiled and called."""

from __future__ import annotations

import sys
import threading
from typing import Any, Callable

import numba

# numba's fallback threading layer must not be entered by two threads at once, and a viewer renders from its own.
_KERNEL_LOCK = threading.Lock()


def parallel_kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a function whose outer `numba.prange` loop runs on all cores, one caller at a time.

    The machine code is kept on disk, so that only the first use after an installation compiles.
    """
    compiled = numba.njit(parallel=True, fastmath=True, cache=True)(function)

    def call(*arguments: Any) -> None:
        """Run the kernel while no other thread runs one."""
        # nerfstudio's viewer breaks pictures off by an exception from a trace function. It may come at any line, also
        # where the lock is held and `with` does not let go of it any more; so nothing is traced meanwhile.
        trace = sys.gettrace()
        if trace is not None:
            sys.settrace(None)
        try:
            with _KERNEL_LOCK:
                compiled(*arguments)
        finally:
            if trace is not None:
                sys.settrace(trace)

    call.__doc__ = function.__doc__
    return call


def inner_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that other kernels call."""
    return numba.njit(fastmath=True, cache=True, inline="always")(function)
