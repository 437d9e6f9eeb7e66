"""What this machine can do at most, measured: multiplications of matrices and copies."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from stepped_training import synchronise

MATRIX_SIZES = {"cpu": (512, 1024, 2048), "cuda": (2048, 4096, 8192)}
"""Sides of the square float32 matrices of which the fastest product counts."""
COPY_NUMBERS = {"cpu": 2**26, "cuda": 2**28}
"""float32 numbers that are copied, more than caches hold."""
REPEATS = 5


def fastest(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Return the least seconds of some calls, the first not counted."""
    seconds = []
    for _ in range(repeats + 1):
        synchronise()
        start = time.perf_counter()
        work()
        synchronise()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def matmul_peak(device: str, sizes: tuple[int, ...] | None = None) -> float:
    """Return the float32 operations in a second, at the precision torch is set to; a multiply-add is two."""
    rates = []
    for size in sizes or MATRIX_SIZES[device]:
        left, right = torch.rand(2, size, size, device=device)
        target = torch.empty(size, size, device=device)
        seconds = fastest(lambda left=left, right=right, target=target: torch.mm(left, right, out=target))
        rates.append(2 * size**3 / seconds)
    return max(rates)


def copy_bandwidth(device: str, count: int | None = None) -> float:
    """Return the bytes that a copy reads and writes in a second."""
    source = torch.rand(count or COPY_NUMBERS[device], device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / fastest(lambda: target.copy_(source))
