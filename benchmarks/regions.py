"""Rays and weights for mouth and eyes, in stages, against even rays, for the same minutes on one core each.

    python benchmarks/regions.py --data DATA/head_a --minutes 15 --resolution 128 --output-dir outputs/regions \
        --json benchmarks/results/regions_head_a.json

Three runs: "even" draws rays by the face box alone, as NerFace does; the default draws a quarter of them from the boxes
of mouth and eyes; `MOUTH_AND_EYES`, which `--overrides` replaces, adds stages. All are scored on every held-out frame;
CPBD is the renders' over the truth's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from timed_runs import TimedRun, train_and_score

from nerface_ns.evaluation.run_record import run_record, write_json
from nerface_ns.scripts.command_errors import one_clear_error

DATA, STAGES = "--pipeline.datamanager", "--pipeline.model.stages"
MOUTH_AND_EYES = (
    *(f"{DATA}.images-per-batch", "24"),
    *(f"{STAGES}.list", "shape share=0.5", "detail weight.region.mouth=2 weight.region.eyes=2"),
)
"""Rays of three times as many frames a step, hence of more expressions; and colours of mouth and eyes that weigh double
once there is a shape. Drawing more rays there (`region_shares`) did worse in trials of two minutes: such rays meet the
head, and cost more samples than others."""
EVEN = (f"{DATA}.pixel-sampler.region-share", "0.0")
"""Options of the run that knows no regions."""
REGION_BAR_DB, FULL_BAR_DB, SHARPNESS_BAR = 1.0, -0.3, 0.9
"""Gain of mouth and eyes over even rays that is aimed at, loss of the whole image that is allowed, and least CPBD over
the truth's."""
REGIONS = ("face", "mask", "mouth", "eyes")
"""Regions that are scored."""
ONE_CORE = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
"""Environment of a training."""


@dataclass
class RegionBenchmark:
    """Measure settings for regions."""

    data: Path
    """The dataset, with boxes round mouth and eyes."""
    output_dir: Path
    """Where the runs go."""
    json: Path
    """File for the figures."""
    minutes: float = 15.0
    """Wall time of each training."""
    resolution: int = 128
    """Image height in pixels."""
    method: str = "nerface"
    """A registered method."""
    dataparser: str = "nerface-data"
    """Reads the dataset."""
    seed: int = 42
    """Seed of both trainings."""
    max_frames: int | None = None
    """Frames of each split to score, evenly spread; all without it."""
    reuse: bool = False
    """Take figures that are in the output folder instead of training again."""
    overrides: tuple[str, ...] = MOUTH_AND_EYES
    """Options of the run with stages, as `ns-train` takes them."""


def main(benchmark: RegionBenchmark) -> dict[str, Any]:
    """Train, score, write; returns the figures."""
    runs = {
        "even": TimedRun(benchmark.method, EVEN, "even"),
        "default": TimedRun(benchmark.method),
        "regions": TimedRun(benchmark.method, benchmark.overrides, "regions"),
    }
    records = {name: trained(benchmark, run) for name, run in runs.items()}
    sharpness = {name: evaluated(benchmark, run) for name, run in runs.items()}
    figures = {
        **summary(records, sharpness),
        "overrides": list(benchmark.overrides),
        "records": records,
        **run_record(),
    }
    write_json(benchmark.json, figures)
    print(json.dumps({name: figures[name] for name in ("changes_db", "cpbd_ratio", "reaches")}, indent=2))
    print(f"figures: {benchmark.json}")
    return figures


def trained(benchmark: RegionBenchmark, run: TimedRun) -> dict[str, Any]:
    """Return the figures of one training."""
    path = benchmark.output_dir / f"{run.name or run.method}-{benchmark.seed}.json"
    if benchmark.reuse and path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    return train_and_score(
        run,
        benchmark.data,
        benchmark.dataparser,
        benchmark.minutes,
        benchmark.resolution,
        benchmark.seed,
        benchmark.output_dir,
        ONE_CORE,
        benchmark.max_frames,
    )


def evaluated(benchmark: RegionBenchmark, run: TimedRun) -> dict[str, Any]:
    """Write a run's report; returns its further figures of the test split."""
    folder = benchmark.output_dir / f"{run.name or run.method}-{benchmark.seed}"
    config = max(folder.rglob("config.yml"), key=lambda path: path.stat().st_mtime)
    scores = folder / "scores.json"
    options = ["--load-config", config, "--split", "test", "--report", folder / "report.html", "--json", scores]
    if benchmark.max_frames is not None:
        options += ["--max-frames", benchmark.max_frames]
    subprocess.run([sys.executable, "-m", "nerface_ns.scripts.evaluate", *map(str, options)], check=True)
    return json.loads(scores.read_text(encoding="utf-8"))["report"]["test"]


def summary(records: Mapping[str, Any], sharpness: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return changes of PSNR on the test split, CPBD over the truth's, and which bars the run with stages reaches."""
    scores = {name: record["test"] for name, record in records.items()}
    changes = {
        f"{name}_over_{base}": changes_db(scores[name], scores[base])
        for name, base in (("default", "even"), ("regions", "even"), ("regions", "default"))
    }
    ratios = {name: ratio(figures["full"]) for name, figures in sharpness.items()}
    gained, best = changes["regions_over_even"], ratios["regions"]
    return {
        "changes_db": changes,
        "cpbd_ratio": ratios,
        "flicker": {name: figures["full"]["flicker"] for name, figures in sharpness.items()},
        "reaches": {
            "mouth": gained.get("mouth", 0.0) >= REGION_BAR_DB,
            "eyes": gained.get("eyes", 0.0) >= REGION_BAR_DB,
            "full": gained["full"] >= FULL_BAR_DB,
            "cpbd": best is not None and best >= SHARPNESS_BAR,
        },
    }


def changes_db(scores: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, float]:
    """Return by how much PSNR is higher, of the whole image and of each region."""
    changes = {"full": scores["psnr"] - base["psnr"]}
    changes.update({name: scores[name]["psnr"] - base[name]["psnr"] for name in REGIONS if name in base})
    return {name: round(change, 3) for name, change in changes.items()}


def ratio(figures: Mapping[str, Any]) -> float | None:
    """Return the renders' CPBD over the truth's; None where one of them has no edges."""
    if figures["cpbd"] is None or not figures["cpbd_truth"]:
        return None
    return round(figures["cpbd"] / figures["cpbd_truth"], 3)


if __name__ == "__main__":
    arguments = tyro.cli(RegionBenchmark, description=__doc__)
    with one_clear_error():
        main(arguments)
