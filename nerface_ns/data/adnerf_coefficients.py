"""Expression files of AD-NeRF's layout and its followers: `exp.npy`, `track_params.pt`, `au.csv`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Optional

import numpy as np
from jaxtyping import Float32

from nerface_ns.tracks.array_file import read_array_file

COEFFICIENT_FILES = ("exp.npy", "track_params.pt", "au.csv")
"""Tried in this order."""


def read_coefficients(
    root: Path, choice: str, image_numbers: list[str]
) -> tuple[Float32[np.ndarray, "frames coefficients"], Optional[tuple[str, ...]]]:
    """Coefficients of every frame, and their names where the file has them.

    Args:
        root: Folder of the dataset.
        choice: One of `COEFFICIENT_FILES`, or "auto" for the first that is there.
        image_numbers: `img_id` of each frame.

    Raises:
        FileNotFoundError: The file, or every one of them, is missing.
        ValueError: The file holds something else.
    """
    found = [name for name in COEFFICIENT_FILES if (root / name).is_file() and choice in ("auto", name)]
    if not found:
        wanted = choice if choice != "auto" else "exp.npy or track_params.pt or au.csv"
        kind = "neither" if choice == "auto" else "none"
        raise FileNotFoundError(f"{root}: expected coefficients in {wanted}, found {kind}")
    path = root / found[0]
    if found[0] == "au.csv":
        return read_action_units(path, image_numbers)
    expression = read_array_file(path) if found[0] == "exp.npy" else _read_tracker(path)
    if expression.ndim != 2 or expression.dtype.kind not in "iuf":
        raise ValueError(f"{path}: expected numbers of shape frames x coefficients, got {expression.shape}")
    if len(expression) != len(image_numbers):
        raise ValueError(f"{path}: expected {len(image_numbers)} rows, one for each frame, got {len(expression)}")
    return expression.astype(np.float32), None


def read_action_units(
    path: Path, image_numbers: list[str]
) -> tuple[Float32[np.ndarray, "frames units"], tuple[str, ...]]:
    """Read OpenFace's action unit intensities; row i of the file belongs to `img_id` i (ER-NeRF's loader).

    Returns:
        Intensities, 0 to 5, and names such as "AU12", for all columns named like "AU12_r".

    Raises:
        ValueError: No such column, a row that is no number, or too few rows.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected OpenFace's table of comma-separated values, got {error}") from error
    header = [name.strip() for name in rows[0]] if rows else []
    columns = [index for index, name in enumerate(header) if name.startswith("AU") and name.endswith("_r")]
    if not columns:
        raise ValueError(f"{path}: expected columns of action unit intensities such as AU12_r, got {header[:8]}")
    wanted = []
    for name in image_numbers:
        if not name.isdigit() or int(name) >= len(rows) - 1:
            raise ValueError(f"{path}: expected a row for img_id {name}, got rows 0..{len(rows) - 2}")
        wanted.append(int(name))
    try:
        values = np.array([[float(rows[row + 1][index]) for index in columns] for row in wanted], dtype=np.float32)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{path}: expected a number in every column AU.._r, got {error}") from error
    return values, tuple(header[index].removesuffix("_r") for index in columns)


def _read_tracker(path: Path) -> np.ndarray:
    """The coefficients in AD-NeRF's own tracker output."""
    import torch

    try:
        parameters = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file of anything can make torch's reader stumble in any way
        raise ValueError(f"{path}: expected tensors that torch.save wrote, got {_first_line(error)}") from error
    found = parameters.get("exp") if isinstance(parameters, dict) else None
    if not isinstance(found, torch.Tensor) or found.layout != torch.strided or not found.is_floating_point():
        raise ValueError(f"{path}: expected a tensor of numbers under 'exp', got {type(found).__name__}")
    return found.detach().double().numpy()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
