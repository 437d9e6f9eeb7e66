"""Runs of `nerface-benchmark train`, one process each, for the scripts that compare methods."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
"""Where committed figures lie."""
REGIONS = ("face", "mouth", "eyes", "mask")


@dataclass
class TimedRun:
    """One method that gets the same data and minutes as the others."""

    method: str
    """A registered method."""
    overrides: tuple[str, ...] = ()
    """The method's options, as `ns-train` takes them."""
    name: str | None = None
    """What the run is called where a method runs with several sets of options; the method's name without it."""


def train_and_score(
    run: TimedRun,
    data: Path,
    dataparser: str,
    minutes: float,
    resolution: int,
    seed: int,
    output_dir: Path,
    environment: Mapping[str, str] | None = None,
    max_frames: int | None = None,
    poses: str | None = None,
) -> dict[str, Any]:
    """Train for some minutes of wall time in a process of its own and return its figures."""
    output_dir.mkdir(parents=True, exist_ok=True)
    name = f"{run.name or run.method}-{seed}"
    record_path = output_dir / f"{name}.json"
    record_path.unlink(missing_ok=True)
    options = {
        "--data": data,
        "--dataparser": dataparser,
        "--minutes": minutes,
        "--resolution": resolution,
        "--seed": seed,
        "--output-dir": output_dir / name,  # runs that start in the same second would share a folder
        "--json": record_path,
    }
    if max_frames is not None:
        options["--max-frames"] = max_frames
    if poses is not None:
        options["--poses"] = poses
    flat = [str(part) for pair in options.items() for part in pair]
    command = [sys.executable, "-m", "nerface_ns.scripts.benchmark", "train", run.method, *flat, "--", *run.overrides]
    subprocess.run(command, check=True, env={**os.environ, **(environment or {})})
    return json.loads(record_path.read_text(encoding="utf-8"))


def psnr_by_region(record: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the PSNR of each split's full image and regions."""
    splits = {split: record[split] for split in ("test", "val", "nvs") if split in record}
    return {
        split: {
            "full": figures["psnr"],
            **{region: figures[region]["psnr"] for region in REGIONS if region in figures},
        }
        for split, figures in splits.items()
    }


def psnr_difference(
    records: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, float]]:
    """Return by how many dB the first records' mean PSNR is above the others', by split and region."""
    first, second = ([psnr_by_region(record) for record in side] for side in (records, others))

    def mean(side: list[dict[str, dict[str, float]]], split: str, region: str) -> float:
        return sum(figures[split][region] for figures in side) / len(side)

    return {
        split: {region: round(mean(first, split, region) - mean(second, split, region), 3) for region in regions}
        for split, regions in first[0].items()
    }
