"""What a measured figure needs beside it: machine, versions, commit, memory, date."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("nerface-ns", "nerfstudio", "nerfacc", "torch", "torchvision", "torchmetrics", "numpy", "numba")
"""Packages whose versions are recorded."""


def process_age_s() -> float:
    """Return the seconds since this process started, its interpreter and imports included."""
    import time

    import psutil

    return max(time.time() - psutil.Process().create_time(), 0.0)


def peak_rss_mb() -> float:
    """Return the largest resident memory that this process has had, in units of 2**20 bytes."""
    status = Path("/proc/self/status")
    if status.is_file():
        # getrusage also counts what the parent held when it forked.
        line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        if line is not None:
            return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine_record() -> dict[str, Any]:
    """Describe the processor, memory and GPU; nothing that identifies the machine."""
    import psutil
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_name(),
        "cores": cores,
        "torch_threads": torch.get_num_threads(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def version_record() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that figures depend on; None for one that is missing."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def source_commit() -> str | None:
    """Return the commit of this package's checkout, "-dirty" with uncommitted changes; None outside a checkout."""
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        """Return what a git command prints."""
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # An installed copy may lie inside somebody else's repository.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return None
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def run_record() -> dict[str, Any]:
    """Return machine, versions, commit and date (UTC)."""
    return {
        "machine": machine_record(),
        "versions": version_record(),
        "commit": source_commit(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def require_writable_folder(folder: Path, option: str) -> None:
    """Make a folder and prove that files can be written there.

    Args:
        folder: The folder; its parents are made too.
        option: The command-line option that named it, for the error.

    Raises:
        ValueError: Nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"{option} {folder}: cannot write there ({error.strerror}); choose another folder") from error


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON, whole or not at all; NaN and infinity are refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)
