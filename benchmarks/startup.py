"""What this plug-in adds to the start-up of nerfstudio's own commands.

    python benchmarks/startup.py --json benchmarks/results/startup.json

Three command lines take turns: `ns-train nerface --help`; `ns-train nerfacto --help` with the plug-in installed; and
the same with the plug-in's entry points hidden, as if it were not installed. Each is a process of its own; a first
round of all three, which fills the disk's caches, is not counted.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from nerface_ns.evaluation.run_record import run_record, write_json

HIDE_PLUGIN = """
import importlib.metadata as metadata
found = metadata.entry_points
metadata.entry_points = lambda **chosen: metadata.EntryPoints(
    point for point in found(**chosen) if not point.value.startswith("nerface_ns.")
)
"""
"""nerfstudio asks for entry points by group, both of methods and of dataparsers."""
RUN = """
import sys
from nerfstudio.scripts.train import entrypoint
sys.argv = ["ns-train", {method!r}, "--help"]
entrypoint()
"""
COMMANDS = {
    "nerface": RUN.format(method="nerface"),
    "nerfacto": RUN.format(method="nerfacto"),
    "nerfacto_without_plugin": HIDE_PLUGIN + RUN.format(method="nerfacto"),
}
BASELINE = "nerfacto_without_plugin"


@dataclass
class Startup:
    """Time the commands in turns."""

    json: Path
    """File for the figures."""
    rounds: int = 7
    """How often each command is timed."""


def time_command(program: str) -> float:
    """Return the seconds that a Python program takes, interpreter and all."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return time.perf_counter() - start


def startup_record(seconds: dict[str, list[float]]) -> dict:
    """Lay out medians, and their ratios to stock nerfstudio's."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "median_s": {name: round(value, 3) for name, value in medians.items()},
        "ratio_to_nerfacto_without_plugin": {name: round(medians[name] / medians[BASELINE], 4) for name in medians},
        "seconds": {name: [round(value, 3) for value in values] for name, values in seconds.items()},
    }


def main(command: Startup) -> None:
    """Time, compare, write."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(command.rounds + 1):
        for name, program in COMMANDS.items():
            elapsed = time_command(program)
            if number > 0:
                seconds[name].append(elapsed)
    record = startup_record(seconds)
    write_json(command.json, {**record, **run_record()})
    print(record)


if __name__ == "__main__":
    main(tyro.cli(Startup))
