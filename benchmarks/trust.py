"""What can be relied on: exact resume, kills, damaged files, memory, two processes.

    python benchmarks/trust.py --json benchmarks/results/trust.json --data DATA/head_a --work-dir outputs/trust

Each part can be run by itself with --only; its figures are merged into the file, with when and where they were made.
All parts take about half an hour on one core, and --only memory 15 GB of disk.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from nerface_ns.evaluation.run_record import run_record, write_json

Part = Literal["resume", "kills", "steps", "processes", "memory", "fuzz"]


@dataclass
class Trust:
    """Measure."""

    json: Path
    """File for the figures; those of other parts stay."""
    work_dir: Path = Path("outputs/trust")
    """For data and runs; each part's own folder in it is emptied first."""
    only: tuple[Part, ...] = ("resume", "kills", "steps", "processes", "memory", "fuzz")
    """Parts to run."""
    data: Path | None = None
    """A dataset in NerFace's format, for the part "memory"."""
    kills: int = 50
    """Kills of the part "kills"."""
    steps: int = 20_000
    """Steps of the part "steps"."""
    num_frames: int = 5500
    """Frames of the long recording."""
    resolution: int = 512
    """Height of its images in pixels."""
    files: int = 20_000
    """Damaged files of the part "fuzz"."""
    seed: int = 0
    """Of the kills and the damage."""


def run_part(part: Part, command: Trust, work: Path) -> dict[str, Any]:
    """Run one part; returns its figures."""
    # A part's imports stay its own: forks must not inherit threads.
    from tiny_trainings import write_head

    if part == "memory":
        from frame_counts import memory_part

        if command.data is None:
            raise ValueError("--only memory: expected --data, a dataset in NerFace's format")
        return memory_part(command.data, work, command.num_frames, command.resolution)
    if part == "fuzz":
        return fuzz_part(work, command.files, command.seed)
    head = write_head(work / "head")
    if part == "resume":
        from exact_resume import resume_part

        return resume_part(head, work)
    if part == "kills":
        from kill_runs import kills_part

        return kills_part(head, work, command.kills, command.seed)
    if part == "processes":
        from two_processes import processes_part

        return processes_part(head, work)
    from long_training import steps_part

    return steps_part(head, work, command.steps)


def fuzz_part(work: Path, num_files: int, seed: int) -> dict[str, Any]:
    """Run `fuzz.py` in a process of its own."""
    report = work / "fuzz.json"
    script = Path(__file__).with_name("fuzz.py")
    options = ["--json", str(report), "--files", str(num_files), "--seed", str(seed)]
    subprocess.run([sys.executable, str(script), *options], check=True, stderr=subprocess.DEVNULL)
    found = json.loads(report.read_text(encoding="utf-8"))
    return {name: found[name] for name in ("fuzzed_files", "unclean_failures")}


def main(command: Trust, run: Callable[[Part, Trust, Path], dict[str, Any]] = run_part) -> dict[str, Any]:
    """Run parts and merge their figures into the file."""
    results = json.loads(command.json.read_text(encoding="utf-8")) if command.json.is_file() else {}
    for part in command.only:
        work = (command.work_dir / part).resolve()
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        figures = run(part, command, work)
        results = {**results, **figures, "parts": {**results.get("parts", {}), part: run_record()}}
        write_json(command.json, results)
        print(part, figures, flush=True)
    return results


if __name__ == "__main__":
    main(tyro.cli(Trust, description=__doc__))
