r"""Shoulders that stand still while the head turns: one frame for all against a torso of its own.

    python benchmarks/torso.py --minutes 5 --output-dir outputs/torso --json benchmarks/results/torso.json
    python benchmarks/torso.py --minutes 5 --output-dir outputs/torso_scan --json benchmarks/results/torso_scan.json \
        --head-model DATA/head_model

The data are the embedded head before standing shoulders, or the scanned head of `torso_sequence.py`. "head_only" is a
field in head space alone, "single" the default, whose space the head's pose bends, "torso" the default with a second
rigid frame. Shoulders are the pixels that every test frame's mask covers and whose recorded colour never changes; what
the renders change there from one frame to the next is flicker. Figures compare with "head_only", which has one frame
and nothing else; all runs' stand below.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from timed_runs import TimedRun, train_and_score
from torso_sequence import SequenceSize, TorsoSequence, write_torso_sequence

from nerface_ns.evaluation.run_record import run_record, write_json

FIELD = "--pipeline.model.radiance-field"
RUNS = (
    TimedRun("nerface", (f"{FIELD}.deform-with-pose", "False"), "head_only"),
    TimedRun("nerface", (), "single"),
    TimedRun("nerface", (f"{FIELD}.torso.enabled", "True"), "torso"),
)
STILL = 1.5 / 255
"""Largest change of a recorded colour of the shoulders: rounding to bytes."""
COVERED = 0.999
"""Least coverage by a mask."""


@dataclass
class TorsoBenchmark:
    """Measure what a torso of its own is worth."""

    output_dir: Path
    """Where the runs go."""
    json: Path
    """File for the figures."""
    head_model: Path | None = None
    """Folder of the scanned head, which is recorded into `output_dir` first; without it the embedded head."""
    minutes: float = 5.0
    """Wall time of each training, on one core."""
    resolution: int = 128
    """Image height in pixels."""
    jobs: int = 2
    """Trainings at a time."""
    seed: int = 42
    """Seed of every training."""
    reuse: bool = False
    """Take trainings that are in the output folder already, as they are."""


def standing_pixels(truths: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Return which pixels (h, w) of frames (n, h, w, 3) with masks (n, h, w) show what never moves."""
    is_still = (truths.max(axis=0) - truths.min(axis=0) <= STILL).all(axis=-1)
    return is_still & (alphas >= COVERED).all(axis=0)


def shoulder_figures(truths: np.ndarray, renders: np.ndarray, where: np.ndarray) -> dict[str, float]:
    """Return the PSNR of the shoulders' pixels, mean over frames, and their mean change between frames."""
    errors = ((renders - truths)[:, where] ** 2).mean(axis=(1, 2))
    return {
        "shoulder_psnr": round(float(-10 * np.log10(np.maximum(errors, 1e-12)).mean()), 3),
        "shoulder_flicker": round(float(np.abs(np.diff(renders[:, where], axis=0)).mean()), 6),
    }


def rendered(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truths, masks and renders of a run's test split in the recording's order."""
    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.evaluation.split_scores import SplitRenderer

    config = max(folder.rglob("config.yml"), key=lambda path: path.stat().st_mtime)
    _, pipeline, _, _ = load_run(config)
    renderer = SplitRenderer(pipeline, "test")
    frames = [renderer.render(index) for index in range(len(renderer))]
    if any(frame.alpha is None for frame in frames):
        raise ValueError(f"{config}: expected masks in the test split")
    return (
        np.stack([frame.truth.numpy() for frame in frames]),
        np.stack([frame.alpha.numpy()[..., 0] for frame in frames if frame.alpha is not None]),
        np.stack([frame.outputs["rgb"].numpy() for frame in frames]),
    )


def summary(runs: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return what the torso's frame is worth against a head space alone, as issue 9 names it."""
    before, after = runs["head_only"], runs["torso"]
    return {
        "shoulder_gain_db": round(after["shoulder_psnr"] - before["shoulder_psnr"], 3),
        "shoulder_flicker_reduction": round(1 - after["shoulder_flicker"] / before["shoulder_flicker"], 4),
        "face_psnr_change_db": round(after["face_psnr"] - before["face_psnr"], 3),
    }


def recording(benchmark: TorsoBenchmark) -> tuple[Path, str]:
    """Return the data's folder, or their name, and who reads them."""
    if benchmark.head_model is None:
        return Path("demo-torso"), "nerface-demo"
    folder = benchmark.output_dir / f"sequence-{benchmark.resolution}"
    size = SequenceSize(resolution=benchmark.resolution)
    return write_torso_sequence(TorsoSequence(benchmark.head_model, folder, size)), "nerface-data"


def main(benchmark: TorsoBenchmark) -> dict[str, Any]:
    """Record, train, render, write."""
    data, dataparser = recording(benchmark)

    def train(run: TimedRun) -> dict[str, Any]:
        """Train one run on one core, unless that was done."""
        record = benchmark.output_dir / f"{run.name}-{benchmark.seed}.json"
        if benchmark.reuse and record.is_file():
            return json.loads(record.read_text(encoding="utf-8"))
        one_core = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        size, seed = benchmark.resolution, benchmark.seed
        return train_and_score(run, data, dataparser, benchmark.minutes, size, seed, benchmark.output_dir, one_core)

    with ThreadPoolExecutor(benchmark.jobs) as pool:
        records = list(pool.map(train, RUNS))
    runs: dict[str, dict[str, Any]] = {}
    for run, record in zip(RUNS, records):
        truths, alphas, renders = rendered(benchmark.output_dir / f"{run.name}-{benchmark.seed}")
        where = standing_pixels(truths, alphas)
        # The face's boxes hold the shoulders too; mouth and eyes do not.
        face = np.mean([record["test"][region]["psnr"] for region in ("mouth", "eyes")])
        runs[str(run.name)] = {
            **shoulder_figures(truths, renders, where),
            "shoulder_pixels": int(where.sum()),
            "psnr": round(record["test"]["psnr"], 3),
            "face_psnr": round(float(face), 3),
            "steps": record["steps"],
        }
    head = "demo" if benchmark.head_model is None else benchmark.head_model.name
    figures = {**summary(runs), "head": head, "jobs": benchmark.jobs, "runs": runs, "records": records, **run_record()}
    write_json(benchmark.json, figures)
    for name, row in runs.items():
        print(f"{name}: {row}")
    print(f"figures: {benchmark.json}")
    return figures


if __name__ == "__main__":
    main(tyro.cli(TorsoBenchmark, description=__doc__))
