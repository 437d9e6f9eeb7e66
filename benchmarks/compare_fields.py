"""Candidate fields of `nerface` after the same minutes on the same data and machine.

    python benchmarks/compare_fields.py --data DATA/head_a --output-dir outputs/fields --name fields_head_a

Everything but the field is the method's; each candidate is trained in a process of its own, one after the other. The
table goes to `benchmarks/results/NAME.json`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import tyro
from timed_runs import RESULTS, TimedRun, psnr_by_region, train_and_score

from nerface_ns.evaluation.run_record import write_json

CANDIDATES = ("nerface", "nerface-field-blended-grids", "nerface-field-perceptron")
"""The default, whose deformation is bilinear, and the variants of `field_variants`."""


@dataclass
class CompareFields:
    """Train every candidate field for the same time and tabulate them."""

    data: Path
    """A dataset in NerFace's format."""
    output_dir: Path
    """Where the runs go."""
    name: str = "fields"
    """Name of the file in `benchmarks/results`."""
    results_dir: Path = RESULTS
    """Folder for that file."""
    only: tuple[str, ...] = CANDIDATES
    """Candidates to train."""
    dataparser: str = "nerface-data"
    """The data's format."""
    minutes: float = 15.0
    """Wall time of each training."""
    resolution: int = 128
    """Image height in pixels."""
    perceptron_rays: int = 512
    """Rays in a step of NerFace's perceptron, which costs about 20 times the grids' field."""
    seed: int = 42
    """Seed of every training."""


def main(comparison: CompareFields) -> None:
    """Run, tabulate, write."""
    unknown = set(comparison.only) - set(CANDIDATES)
    if unknown:
        raise SystemExit(f"--only: expected names among {list(CANDIDATES)}, got {sorted(unknown)}")
    rays = ("--pipeline.datamanager.train-num-rays-per-batch", str(comparison.perceptron_rays))
    records = {}
    for method in comparison.only:
        records[method] = train_and_score(
            TimedRun(method, rays if method.endswith("perceptron") else ()),
            comparison.data,
            comparison.dataparser,
            comparison.minutes,
            comparison.resolution,
            comparison.seed,
            comparison.output_dir,
            _environment(),
        )
    table = {
        method: {"psnr": psnr_by_region(record), "steps": record["steps"], "samples_per_ray": record["samples_per_ray"]}
        for method, record in records.items()
    }
    path = comparison.results_dir / f"{comparison.name}.json"
    write_json(path, {"table": table, "records": records})
    for method, row in table.items():
        print(f"{method}: {row}")
    print(f"figures: {path}")


def _environment() -> dict[str, str]:
    """Let nerfstudio find the variants in the processes that are started."""
    from field_variants import ENVIRONMENT

    paths = [str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", "")]
    return {"NERFSTUDIO_METHOD_CONFIGS": ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


if __name__ == "__main__":
    main(tyro.cli(CompareFields))
