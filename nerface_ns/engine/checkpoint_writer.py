"""Writes a checkpoint whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Dict, Optional

import torch


class CheckpointWriteError(ValueError):
    """A checkpoint could not be written; those written before are as they were."""


class _Sink:
    """Takes bytes for torch, which loses the reason when a write fails, and may end the process."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.error: Optional[OSError] = None
        self.num_bytes = 0

    def write(self, data: Any) -> int:
        """Take bytes, and drop them once a write has failed."""
        num_bytes = memoryview(data).nbytes
        self.num_bytes += num_bytes
        if self.error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        return num_bytes

    def flush(self) -> None:
        """Left to `write_checkpoint`."""


def write_checkpoint(path: Path, state: Dict[str, Any]) -> None:
    """Write aside, flush to the disk, then give the file its name: a reader never sees half a checkpoint.

    The place aside is beside the folder, because nerfstudio takes every file in the folder for a checkpoint.

    Args:
        path: FOLDER/step-000001234.ckpt; the folder is made.
        state: What `torch.load` with `weights_only` can read.

    Raises:
        CheckpointWriteError: The disk is full, or cannot be written to.
    """
    aside, sink = path.parent.with_name(f"{path.parent.name}.part"), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_aside(aside) as file:
            sink = _Sink(file)
            torch.save(state, sink)  # type: ignore[arg-type]
            if sink.error is not None:
                raise sink.error
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        size_mb = "" if sink is None else f" of {sink.num_bytes / 2**20:.0f} MB"
        before = max(path.parent.glob("step-*.ckpt"), default=None)
        kept = "there was none before it" if before is None else f"the last one is {before}"
        raise CheckpointWriteError(
            f"{path}: expected room for a checkpoint{size_mb}, got {error.strerror or error}; {kept}"
        ) from error


def open_aside(path: Path) -> BinaryIO:
    """Open the file that becomes a checkpoint."""
    return path.open("wb")


def _flush_folder(folder: Path) -> None:
    """Let the new name reach the disk before older checkpoints are deleted; Windows has no such call."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
