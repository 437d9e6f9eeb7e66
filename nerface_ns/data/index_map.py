"""NerFace's `index_map.npy`: which training frame each frame of the recording became."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int

from nerface_ns.tracks.array_file import read_array_file

INDEX_MAP_FILE = "index_map.npy"
"""Its name beside the frame files (NerFace's `real_to_nerf.py` writes it)."""


def read_index_map(path: Path, num_train_frames: int) -> Int[np.ndarray, "num_recorded"]:
    """Read the map that NerFace's preprocessing leaves, because it shuffles the training frames.

    Args:
        path: The file: a row for each frame of the recording, its number and its row among the training frames.
        num_train_frames: Frames of the training split.

    Returns:
        Row among the training frames of each recorded frame; -1 for one that was not trained on.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It holds something else, or disagrees with the number of training frames.
    """
    table = _read_table(path)
    recorded, rows = table.T
    if not (recorded == np.arange(len(table))).all():
        wrong = int(np.flatnonzero(recorded != np.arange(len(table)))[0])
        raise ValueError(f"{path}: row {wrong}: expected the recorded frame's number {wrong}, got {recorded[wrong]}")
    outside = np.flatnonzero((rows < -1) | (rows >= num_train_frames))
    if len(outside):
        raise ValueError(
            f"{path}: recorded frame {outside[0]}: expected a training row in 0..{num_train_frames - 1} or -1, "
            f"got {rows[outside[0]]}"
        )
    trained, times_named = np.unique(rows[rows >= 0], return_counts=True)
    if (times_named > 1).any():
        twice = trained[times_named > 1][0]
        raise ValueError(f"{path}: expected each training row once, got row {twice} for several recorded frames")
    if len(trained) != num_train_frames:
        raise ValueError(
            f"{path}: expected the rows of all {num_train_frames} training frames, got {len(trained)} of them; "
            "is it another dataset's?"
        )
    return rows


def _read_table(path: Path) -> np.ndarray:
    """The (N, 2) whole numbers of the file; nothing is unpickled."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected NerFace's index map here, found none")
    table = read_array_file(path)
    if table.ndim != 2 or table.shape[1] != 2 or table.dtype.kind not in "iuf":
        got = f"shape {table.shape}, {table.dtype}"
        raise ValueError(f"{path}: expected numbers of shape nx2 (recorded frame, training row), got {got}")
    if not (np.isfinite(table).all() and (table == np.round(table)).all()):
        raise ValueError(f"{path}: expected whole numbers, got fractions or no numbers")
    return table.astype(np.int64)
