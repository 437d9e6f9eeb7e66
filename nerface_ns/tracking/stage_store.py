"""Keeps the results of stages, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from nerface_ns.tracking.whole_image import write_bytes

KEY = "stage_key"


def stage_key(*parts: Any) -> str:
    """Short hash of what a stage's result depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


class StageStore:
    """A folder of named arrays, each with the key of what it was made from.

    Args:
        folder: Where the files lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, key: str, **arrays: np.ndarray) -> None:
        """Store arrays under a name.

        Raises:
            ValueError: The file cannot be written.
        """
        buffer = io.BytesIO()
        np.savez(buffer, **{KEY: np.array(key), **arrays})
        write_bytes(self.folder / f"{name}.npz", buffer.getvalue())

    def load(self, name: str, key: str) -> dict[str, np.ndarray] | None:
        """Return the arrays of a name; None when there are none, or none that were made from the same."""
        path = self.folder / f"{name}.npz"
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as content:
                arrays = {entry: content[entry] for entry in content.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            # A damaged file is made anew like a missing one.
            return None
        return arrays if str(arrays.pop(KEY, "")) == key else None
