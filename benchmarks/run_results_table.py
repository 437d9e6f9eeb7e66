"""Train and score every row of `configs/results_table.json`, one after the other, with nothing else running.

    python benchmarks/run_results_table.py --data-root DATA --output-dir outputs/results_table

Each row's figures go to `benchmarks/results/NAME.json`; `nerface-benchmark table FILES` prints them.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import tyro

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class ResultsTable:
    """Run the rows of the results table."""

    data_root: Path
    """Folder that holds the subjects' folders."""
    output_dir: Path
    """Where the runs go."""
    only: tuple[str, ...] = ()
    """Names of the rows to run; all without it."""


def benchmark_command(row: dict, data_root: Path, output_dir: Path) -> list[str]:
    """Return the command line that trains and scores a row."""
    options = {
        "--data": data_root / row["subject"],
        "--dataparser": row["dataparser"],
        "--minutes": row["minutes"],
        "--resolution": row["resolution"],
        "--output-dir": output_dir,
        "--json": ROOT / "benchmarks" / "results" / f"{row['name']}.json",
    }
    flat = [str(part) for pair in options.items() for part in pair]
    return ["nerface-benchmark", "train", row["method"], *flat, "--", *row["overrides"]]


def main(table: ResultsTable) -> None:
    """Run the rows; the first that fails ends the run."""
    rows = json.loads((ROOT / "configs" / "results_table.json").read_text())["rows"]
    unknown = set(table.only) - {row["name"] for row in rows}
    if unknown:
        raise SystemExit(f"--only: expected names among {[row['name'] for row in rows]}, got {sorted(unknown)}")
    for row in rows:
        if not table.only or row["name"] in table.only:
            subprocess.run(benchmark_command(row, table.data_root, table.output_dir), check=True)


if __name__ == "__main__":
    main(tyro.cli(ResultsTable))
