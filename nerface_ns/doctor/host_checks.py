"""Disk, memory, processor, and numba, which compiles for it."""

import os
import shutil
import tempfile
from pathlib import Path

from nerface_ns.doctor.check import CheckResult
from nerface_ns.doctor.tool_checks import cache_dir

GIB = 2**30
DISK_NEEDED_GIB = 0.5
"""The demo's sequence, its run folder and video take less."""
DISK_COMFORTABLE_GIB = 5.0
"""A few runs with their checkpoints, and memory-mapped frames of a real recording."""
MEMORY_NEEDED_GIB = 1.5
"""What a training process on the CPU held at most, with nerfstudio's and torch's libraries."""
MEMORY_COMFORTABLE_GIB = 4.0
"""Leaves room for the page cache of memory-mapped frames."""
CGROUP = Path("/sys/fs/cgroup")


def check_disk() -> CheckResult:
    """Check free space where runs are written (the working folder) and that both it and the cache can be written."""
    working_dir = Path.cwd()
    for folder in (working_dir, cache_dir()):
        error = _write_error(folder)
        if error:
            return CheckResult("fail", f"cannot write to {folder}: {error}", "work in a folder that you may write to")
    free_gib = shutil.disk_usage(working_dir).free / GIB
    detail = f"{free_gib:.1f} GiB free in {working_dir}"
    return _rate(free_gib, DISK_NEEDED_GIB, DISK_COMFORTABLE_GIB, detail, "free some disk space")


def _write_error(folder: Path) -> str:
    """Return why no file can be made in a folder or, where it does not exist yet, in the parent that does."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def check_memory() -> CheckResult:
    """Check the memory that a process may still take, a container's limit included."""
    import psutil

    free = psutil.virtual_memory().available
    limit = container_memory_left()
    free_gib = (free if limit is None else min(free, limit)) / GIB
    detail = f"{free_gib:.1f} GiB available" + ("" if limit is None or limit > free else " (the container's limit)")
    return _rate(free_gib, MEMORY_NEEDED_GIB, MEMORY_COMFORTABLE_GIB, detail, "close programs, or use a larger machine")


def container_memory_left() -> int | None:
    """Return the bytes that this process's control group (version 2) may still take, or None without a limit."""
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return None
    return max(int(limit) - used, 0) if limit.isdigit() else None


def _rate(amount: float, needed: float, comfortable: float, detail: str, remedy: str) -> CheckResult:
    if amount < needed:
        return CheckResult("fail", f"{detail}, training needs {needed:g} GiB", remedy)
    if amount < comfortable:
        return CheckResult("warn", f"{detail}, {comfortable:g} GiB are comfortable", remedy)
    return CheckResult("ok", detail)


def check_processor() -> CheckResult:
    """Check how many cores may be used, and that denormal numbers can be flushed to zero."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    detail = f"{cores} usable cores, torch uses {threads} threads"
    flushes = torch.set_flush_denormal(True)
    torch.set_flush_denormal(False)
    if not flushes:
        remedy = "train on a GPU; this processor cannot be set otherwise"
        return CheckResult("warn", f"{detail}; denormals are not flushed: CPU training is up to 3x slower", remedy)
    if threads > cores:
        remedy = f"set OMP_NUM_THREADS={cores}"
        return CheckResult("warn", f"{detail}: more threads than cores slow training down", remedy)
    return CheckResult("ok", f"{detail}, denormals are flushed")


def check_numba() -> CheckResult:
    """Check that numba compiles for this processor: the CPU's kernels and the demo's renderer are written in it."""
    import numba

    @numba.njit
    def sum_of_squares(count):
        """Return the sum of the squares up to a number."""
        total = 0
        for i in range(1, count + 1):
            total += i * i
        return total

    total, expected = int(sum_of_squares(10)), 10 * 11 * 21 // 6
    if total != expected:
        return CheckResult("fail", f"numba {numba.__version__} sums ten squares to {total}, expected {expected}")
    return CheckResult("ok", f"numba {numba.__version__} compiles")
