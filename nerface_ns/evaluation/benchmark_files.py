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
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON, got {error}") from error
    if not isinstance(record, dict) or not {"run", "steps", "wall_s"} <= record.keys():
        raise ValueError(f"{path}: expected an object with run, steps and wall_s, as nerface-benchmark writes it")
    return record


def table_rows(record: dict[str, Any]) -> list[list[str]]:
    """Return a row for each split: method, data, minutes, split, four full-image figures, four regions' PSNR."""
    run = record["run"]
    size = "" if run["resolution"] is None else f" at {run['resolution']}"
    head = [run["method"], f"{run['data']}{size}", f"{run['minutes']:g}"]

    def cell(figures: dict[str, Any], metric: str, decimals: int) -> str:
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
