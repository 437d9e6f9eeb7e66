"""How far `nerface` is ahead of NerFace's own recipe after the same minutes on the same data and machine.

    python benchmarks/compare_recipes.py --data DATA/head_a --output-dir outputs/recipes --name recipes_head_a

The methods take turns, each in a process of its own. The figures go to `benchmarks/results/NAME.json`. Scoring comes
on top of the minutes, and the recipe is slow to render: `--max-frames` bounds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from timed_runs import RESULTS, TimedRun, psnr_difference, train_and_score

from nerface_ns.evaluation.run_record import write_json


@dataclass
class CompareRecipes:
    """Train both methods for the same time and compare them."""

    data: Path
    """A dataset in NerFace's format."""
    output_dir: Path
    """Where the runs go."""
    name: str = "recipes"
    """Name of the file in `benchmarks/results`."""
    results_dir: Path = RESULTS
    """Folder for that file."""
    dataparser: str = "nerface-data"
    """The data's format."""
    minutes: float = 15.0
    """Wall time of each training."""
    resolution: int = 128
    """Image height in pixels."""
    paper_rays: int = 512
    """Rays in a step of the recipe. The release's 2048 leave a quarter of the steps."""
    max_frames: int | None = 8
    """Frames of each split to score, evenly spread, the same for both."""
    rounds: int = 1
    """How often both are trained, each time with another seed."""
    seed: int = 42
    """Seed of the first round."""


def main(comparison: CompareRecipes) -> None:
    """Run, compare, write."""
    runs = {
        "nerface": TimedRun("nerface"),
        "nerface-paper": TimedRun(
            "nerface-paper", ("--pipeline.datamanager.train-num-rays-per-batch", str(comparison.paper_rays))
        ),
    }
    records = {method: [] for method in runs}
    for number in range(comparison.rounds):
        for method, run in runs.items():
            record = train_and_score(
                run,
                comparison.data,
                comparison.dataparser,
                comparison.minutes,
                comparison.resolution,
                comparison.seed + number,
                comparison.output_dir,
                max_frames=comparison.max_frames,
            )
            records[method].append(record)
    difference = psnr_difference(records["nerface"], records["nerface-paper"])
    path = comparison.results_dir / f"{comparison.name}.json"
    write_json(path, {"psnr_difference_db": difference, "records": records})
    print(f"nerface over nerface-paper, dB: {difference}\nfigures: {path}")


if __name__ == "__main__":
    main(tyro.cli(CompareRecipes))
