"""Variants of `nerface` after the same minutes on the same data and machine: its field's candidates, or its settings.

    python benchmarks/compare_variants.py fields --data DATA/head_a --output-dir outputs/fields
    python benchmarks/compare_variants.py settings --data DATA/head_a --output-dir outputs/settings
    python benchmarks/compare_variants.py blendshapes --data DATA/head_a --output-dir outputs/blendshapes --max-frames 5

Each variant is trained in a process of its own, on one core, as many at a time as there are cores. The table goes to
`benchmarks/results/KIND_NAME.json`.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from timed_runs import RESULTS, TimedRun, psnr_by_region, train_and_score

from nerface_ns.evaluation.run_record import machine_record, write_json

FIELD = "--pipeline.model.radiance-field"
FIELDS = (
    TimedRun("nerface"),
    TimedRun("nerface-field-blended-grids"),
    # NerFace's perceptron costs about 20 times the grids' field, so it gets fewer rays a step.
    TimedRun("nerface-field-perceptron", ("--pipeline.datamanager.train-num-rays-per-batch", "512")),
    TimedRun("nerface-siren"),
)
"""The default, whose deformation is bilinear, the candidates of `field_variants`, and sines."""
SETTINGS = (
    TimedRun("nerface"),
    TimedRun("nerface", (f"{FIELD}.deform-with-pose", "False"), "without-pose-deformation"),
    TimedRun("nerface", (f"{FIELD}.light-from-camera", "False"), "without-light-from-camera"),
    TimedRun("nerface", (f"{FIELD}.colour-from-expression", "True"), "with-colour-from-expression"),
    TimedRun("nerface", ("--pipeline.model.latent-codes.length", "0"), "without-latent-codes"),
    TimedRun("nerface", ("--pipeline.model.entropy-weight", "0"), "without-entropy"),
    TimedRun("nerface", ("--pipeline.model.distortion-weight", "0"), "without-distortion"),
)
"""The default, and one setting of it changed at a time."""
PLAIN = tuple(
    word
    for name, value in (
        *(("tables.rank", "0"), ("tables.num-basis-levels", "0"), ("tables.log2-table-size", "14")),
        *(("warp", "pose"), ("num-ambient", "0"), ("direction-degree", "4")),
    )
    for word in (f"{FIELD}.{name}", value)
)
"""NeRFBlendShape's encoding and harmonics; the pose's warp stays, for neck and torso."""
BLENDSHAPES = (
    TimedRun("nerface"),
    TimedRun("nerface-blendshape"),
    TimedRun("nerface-blendshape", (f"{FIELD}.tables.basis-map", "monotone"), "monotone"),
    TimedRun("nerface-blendshape", (f"{FIELD}.warp", "pose"), "without-expression-warp"),
    TimedRun("nerface-blendshape", (f"{FIELD}.tables.rank", "0"), "plain-with-expression-warp"),
    TimedRun("nerface-blendshape", (f"{FIELD}.tables.num-basis-levels", "2"), "two-levels-follow"),
    TimedRun("nerface-blendshape", ("--pipeline.model.staged-losses.table-weight", "1"), "with-table-loss"),
    TimedRun("nerface-blendshape", PLAIN, "plain"),
    TimedRun("nerface-blendshape", ("--pipeline.model.occupancy-over", "bases"), "occupancy-over-bases"),
    # NerFace's networks need so many samples that 2048 rays would take seconds a step.
    TimedRun("nerface-paper", ("--pipeline.datamanager.train-num-rays-per-batch", "512")),
)
"""The default; `nerface-blendshape` and single changes of it; NeRFBlendShape's plain form; NerFace's own recipe."""
KINDS = {"fields": FIELDS, "settings": SETTINGS, "blendshapes": BLENDSHAPES}


@dataclass
class CompareVariants:
    """Train variants for the same time and tabulate them."""

    kind: tyro.conf.Positional[Literal["fields", "settings", "blendshapes"]]
    """What varies."""
    data: Path
    """The dataset."""
    output_dir: Path
    """Where the runs go."""
    name: str | None = None
    """Name of the data in the result's file name; that of its folder without it."""
    only: tuple[str, ...] = ()
    """Variants to train; all without it. Others stay in the result's file, where they were trained as long and scored
    on the same frames."""
    dataparser: str = "nerface-data"
    """The data's format."""
    minutes: float = 3.0
    """Wall time of each training."""
    resolution: int = 128
    """Image height in pixels."""
    max_frames: int | None = 10
    """Frames (all with None) of each split to score, evenly spread, the same for all."""
    jobs: int = 2
    """Trainings at a time, one core each."""
    seed: int = 42
    """Seed of every training."""


def run_name(run: TimedRun) -> str:
    """Return what a variant is called."""
    return run.name or run.method


def chosen_runs(comparison: CompareVariants) -> list[TimedRun]:
    """Return the variants asked for."""
    runs = {run_name(run): run for run in KINDS[comparison.kind]}
    unknown = set(comparison.only) - set(runs)
    if unknown:
        raise SystemExit(f"--only: expected names among {list(runs)}, got {sorted(unknown)}")
    return [run for name, run in runs.items() if not comparison.only or name in comparison.only]


def known_records(path: Path, comparison: CompareVariants) -> dict[str, Any]:
    """Return the records of a result's file that may stand beside new ones."""
    if not comparison.only or not path.is_file():
        return {}
    records = json.loads(path.read_text(encoding="utf-8"))["records"]
    kept = ("minutes", "resolution", "max_frames", "seed")
    settings = {name: getattr(comparison, name) for name in kept}
    settings |= {"data": comparison.data.resolve().name, "cpu": machine_record()["cpu"]}

    def measured_with(record: dict[str, Any]) -> dict[str, Any]:
        """Return what has to agree."""
        return {name: record["run"][name] for name in (*kept, "data")} | {"cpu": record["machine"]["cpu"]}

    return {name: record for name, record in records.items() if measured_with(record) == settings}


def main(comparison: CompareVariants) -> None:
    """Run, tabulate, write."""

    def train(run: TimedRun) -> dict[str, Any]:
        return train_and_score(
            run,
            comparison.data,
            comparison.dataparser,
            comparison.minutes,
            comparison.resolution,
            comparison.seed,
            comparison.output_dir,
            _environment(),
            comparison.max_frames,
        )

    runs = chosen_runs(comparison)
    path = RESULTS / f"{comparison.kind}_{comparison.name or comparison.data.resolve().name}.json"
    with ThreadPoolExecutor(comparison.jobs) as pool:
        trained = dict(zip(map(run_name, runs), pool.map(train, runs)))
    records = {**known_records(path, comparison), **trained}
    table = {
        name: {"psnr": psnr_by_region(record), "steps": record["steps"], "samples_per_ray": record["samples_per_ray"]}
        for name, record in records.items()
    }
    write_json(path, {"jobs": comparison.jobs, "table": table, "records": records})
    for name, row in table.items():
        print(f"{name}: {row}")
    print(f"figures: {path}")


def _environment() -> dict[str, str]:
    """One core each; and let nerfstudio find the variants in the processes that are started."""
    from field_variants import ENVIRONMENT

    paths = [str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", "")]
    return {
        "NERFSTUDIO_METHOD_CONFIGS": ENVIRONMENT,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "OMP_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
    }


if __name__ == "__main__":
    main(tyro.cli(CompareVariants))
