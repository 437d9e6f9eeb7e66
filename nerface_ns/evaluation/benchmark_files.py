"""Reads the JSON that `nerface-benchmark train` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nerface_ns.evaluation.split_scores import EVALUATION_SPLITS


def read_benchmark(path: Path) -> dict[str, Any]:
    """Read a benchmark file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not one that `nerface-benchmark train` wrote.
    """
    record = read_figures(path, str(path), "what nerface-benchmark train wrote")
    if not {"run", "steps", "wall_s"} <= record.keys():
        raise ValueError(f"{path}: expected an object with run, steps and wall_s, as nerface-benchmark writes it")
    return record


def read_figures(path: Path, where: str, what: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: The file.
        where: What errors call it.
        what: What is expected there.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file holds no JSON object.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{where}: expected {what}, found no file")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{where}: expected JSON, got {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{where}: expected a JSON object, got {type(content).__name__}")
    return content


def table_rows(record: dict[str, Any]) -> list[list[str]]:
    """Return a row for each split: method, data, minutes, split, four full-image figures, four regions' PSNR."""
    run = record["run"]
    size = "" if run["resolution"] is None else f" at {run['resolution']}"
    head = [run["method"], f"{run['data']}{size}", f"{run['minutes']:g}"]

    def cell(figures: dict[str, Any], metric: str, decimals: int) -> str:
        """Return a figure as the table shows it."""
        value = figures.get(metric)
        return "-" if value is None else f"{value:.{decimals}f}"

    rows = []
    for split in EVALUATION_SPLITS:
        if split in record:
            figures = record[split]
            full = [
                cell(figures, metric, digits) for metric, digits in [("psnr", 2), ("ssim", 4), ("l1", 4), ("lpips", 4)]
            ]
            regions = [cell(figures.get(name, {}), "psnr", 2) for name in ("face", "mouth", "eyes", "mask")]
            rows.append([*head, split, *full, *regions])
    return rows
