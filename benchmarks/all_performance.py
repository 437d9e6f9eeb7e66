"""All performance benchmarks with one command, in under nine minutes on a machine with a GPU.

    nerface-benchmark speed --data DATA/head_a --resolution 256 --output-dir outputs/performance

Each script is a process of its own, one after the other, the most wanted first. What does not end within the minutes is
stopped and said so. nerfacc's CUDA kernels have to be built before (`nerface-doctor --fix`), which takes minutes.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from nerface_ns.evaluation.run_record import run_record, write_json

HERE = Path(__file__).resolve().parent
SUMMARY = "all_performance.json"
HAS_GPU = torch.cuda.is_available()


@dataclass
class AllPerformance:
    """Run the scripts."""

    output_dir: Path
    """Folder for the JSON files and the plot."""
    data: Path | None = None
    """A dataset in NerFace's format; the embedded head without it."""
    resolution: int | None = None
    """Image height in pixels; as stored without it."""
    minutes: float = 8.8 if HAS_GPU else 0.0
    """Wall time of all together; 0 for no limit."""
    versus_minutes: float = 2.5 if HAS_GPU else 30.0
    """Training time of `nerface-paper` at most."""
    versus_pixels: int = 2048 if HAS_GPU else 256
    """Pixels of each frame that are scored on the way."""
    versus_frames: int = 8 if HAS_GPU else 4
    """Frames that are scored on the way."""
    paper_rays: int = 2048 if HAS_GPU else 512
    """Rays in a step of `nerface-paper`."""
    train_steps: int = 500
    """Steps before a step is taken apart."""
    render_minutes: float = 0.5 if HAS_GPU else 2.0
    """Training time of what is rendered."""
    scaling_frames: tuple[int, ...] = (50, 400, 1600)
    """Numbers of training frames."""
    scaling_resolutions: tuple[int, ...] = (64, 128, 256)
    """Heights of the images in pixels."""
    startup_rounds: int = 3 if HAS_GPU else 7
    """How often each start-up is timed."""
    skip: tuple[str, ...] = ()
    """Scripts to leave out, such as scaling."""


def commands(settings: AllPerformance) -> dict[str, list[str]]:
    """Return each script's options, in the order in which they are run."""
    common = [] if settings.data is None else ["--data", str(settings.data)]
    common += [] if settings.resolution is None else ["--resolution", str(settings.resolution)]
    versus = ["--max-minutes", settings.versus_minutes, "--pixels", settings.versus_pixels]
    versus += ["--frames", settings.versus_frames, "--paper-rays", settings.paper_rays]
    plot = settings.output_dir / "scaling.png"
    options: dict[str, list[Any]] = {
        "step_breakdown": [*common, "--train-steps", settings.train_steps],
        "rendering": [*common, "--minutes", settings.render_minutes],
        "limits": [*common, "--train-steps", settings.train_steps],
        "versus_paper": [*common, *versus],
        "scaling": [
            *("--plot", plot, "--frames", *settings.scaling_frames, "--resolutions", *settings.scaling_resolutions)
        ],
        "startup": ["--rounds", settings.startup_rounds],
    }
    return {
        name: ["--json", str(settings.output_dir / f"{name}.json"), *map(str, given)]
        for name, given in options.items()
        if name not in settings.skip
    }


def run_all(scripts: Mapping[str, Sequence[str]], limit_s: float) -> dict[str, dict[str, Any]]:
    """Run scripts of this folder one after the other.

    Args:
        scripts: Options by name.
        limit_s: Seconds for all together.

    Returns:
        For each its "seconds" and "outcome": "done", "failed" or "stopped".
    """
    results, end = {}, time.monotonic() + limit_s
    for name, options in scripts.items():
        start = time.monotonic()
        print(f"{name} {' '.join(options)}", flush=True)
        if "--json" in options:
            Path(options[options.index("--json") + 1]).unlink(missing_ok=True)  # of an earlier call
        try:
            left = max(end - start, 0.0)
            status = subprocess.run(
                [sys.executable, str(HERE / f"{name}.py"), *options], timeout=None if left == float("inf") else left
            ).returncode
            outcome = "done" if status == 0 else "failed"
        except subprocess.TimeoutExpired:
            outcome = "stopped"
        results[name] = {"outcome": outcome, "seconds": round(time.monotonic() - start, 1)}
    return results


def main(settings: AllPerformance) -> None:
    """Run, and say what became of each."""
    settings.output_dir.mkdir(parents=True, exist_ok=True)
    scripts = commands(settings)
    results = run_all(scripts, 60 * settings.minutes if settings.minutes > 0 else float("inf"))
    total = sum(result["seconds"] for result in results.values())
    chosen = {name: value for name, value in vars(settings).items() if name not in ("data", "output_dir")}
    chosen["data"] = "demo" if settings.data is None else settings.data.resolve().name
    record = {"scripts": results, "seconds": round(total, 1), "settings": chosen}
    write_json(settings.output_dir / SUMMARY, {**record, **run_record()})
    print(results)
    if any(result["outcome"] != "done" for result in results.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main(tyro.cli(AllPerformance))
