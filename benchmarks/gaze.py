"""Gaze redirection: how true it is, what else it moves, and what it costs in quality.

    python benchmarks/gaze.py --data DATA/head_a --minutes 15 --resolution 128 --output-dir outputs/gaze \
        --json benchmarks/results/gaze_head_a.json [--fitting FITTING.json]

Trains `nerface-gaze`, whose eyes follow gaze alone, and `nerface`, whose expression holds the eyeLook* coefficients,
for the same minutes. Held-out frames are rendered with nine gazes at `render_resolution`;
`nerface_ns.evaluation.gaze_report` says what the figures mean. The estimator's own error, on the recorded pictures of
the same frames, stands beside them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from timed_runs import TimedRun, train_and_score

from nerface_ns.evaluation.benchmark_files import read_figures
from nerface_ns.evaluation.run_record import run_record, write_json
from nerface_ns.scripts.command_errors import one_clear_error

GAZE_RUN, EYELOOK_RUN = "nerface-gaze", "nerface"
"""Methods that are compared."""
GAZE_BAR_DEG, GAZE_GOAL_DEG = 6.9, 4.0
"""GazeNeRF's published error on its own data (arXiv 2212.04823), and what is aimed at."""
ESTIMATOR_BAR_DEG = 3.0
"""Own error up to which the estimator may judge."""
PSNR_BAR_DB = 0.5
"""How far below the other run's PSNR that of the gaze run may be."""


@dataclass
class GazeBenchmark:
    """Measure gaze redirection."""

    data: Path
    """The dataset, with gaze and eyes boxes."""
    output_dir: Path
    """Where the runs go."""
    json: Path
    """File for the figures."""
    minutes: float = 15.0
    """Wall time of each training."""
    resolution: int = 128
    """Image height of the trainings in pixels."""
    render_resolution: int = 256
    """Image height in which gaze is measured."""
    dataparser: str = "nerface-data"
    """Reads the dataset."""
    seed: int = 42
    """Seed of every training."""
    max_frames: int | None = 20
    """Held-out frames whose gaze is changed, evenly spread; all with None."""
    fitting: Path | None = None
    """Figures that benchmarks/fitting.py wrote, to stand beside these."""
    reuse: bool = False
    """Take trainings that are in the output folder already, as they are."""
    overrides: tuple[str, ...] = ()
    """Further options of nerface-gaze, as `ns-train` takes them."""


def trained(benchmark: GazeBenchmark, method: str) -> dict[str, Any]:
    """Return a training's figures."""
    if benchmark.reuse:
        path = benchmark.output_dir / f"{method}-{benchmark.seed}.json"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: expected the figures of an earlier training, found none; leave out --reuse"
            )
        return json.loads(path.read_text(encoding="utf-8"))
    run = TimedRun(method, benchmark.overrides if method == GAZE_RUN else ())
    settings = (benchmark.data, benchmark.dataparser, benchmark.minutes, benchmark.resolution, benchmark.seed)
    return train_and_score(run, *settings, benchmark.output_dir)


def config_path(benchmark: GazeBenchmark, method: str) -> Path:
    """Return the config.yml of a method's latest training."""
    folder = benchmark.output_dir / f"{method}-{benchmark.seed}"
    found = sorted(folder.rglob("config.yml"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f"{folder}: expected a training's config.yml below it, found none")
    return found[-1]


def redirection(benchmark: GazeBenchmark) -> dict[str, Any]:
    """Return the gaze run's figures."""
    from nerface_ns.evaluation.gaze_evaluation import GazeEvaluation
    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.scripts.evaluate_gaze import measured, write_curves

    _, pipeline, _, step = load_run(config_path(benchmark, GAZE_RUN))
    evaluation = GazeEvaluation(height_px=benchmark.render_resolution, max_frames=benchmark.max_frames)
    record, _ = measured(pipeline, evaluation, benchmark.output_dir / "gaze", image_every=5)
    write_curves(benchmark.output_dir / "gaze" / "gaze.png", record, f"{GAZE_RUN}, step {step}, test")
    return record


def summary(gaze: dict[str, Any], gaze_run: dict[str, Any], eyelook_run: dict[str, Any]) -> dict[str, Any]:
    """Lay out the figures that issue 8 names, and whether they reach their bars."""
    psnr_gaze, psnr_eyelook = (run["test"]["psnr"] for run in (gaze_run, eyelook_run))
    names = ("gaze_error_deg", "estimator_error_deg", "head_error_deg", "eyes_box_energy")
    return {
        **{name: gaze[name] for name in names},
        "psnr_gaze_run": round(psnr_gaze, 3),
        "psnr_eyelook_run": round(psnr_eyelook, 3),
        "psnr_difference_db": round(psnr_gaze - psnr_eyelook, 3),
        "reaches": {
            "gaze_error_bar": gaze["gaze_error_deg"] <= GAZE_BAR_DEG,
            "gaze_error_goal": gaze["gaze_error_deg"] <= GAZE_GOAL_DEG,
            "estimator_bar": gaze["estimator_error_deg"] <= ESTIMATOR_BAR_DEG,
            "energy_bar": gaze["reaches_energy_bar"],
            "psnr_bar": psnr_gaze >= psnr_eyelook - PSNR_BAR_DB,
        },
    }


def main(benchmark: GazeBenchmark) -> None:
    """Train, measure, write."""
    path = benchmark.fitting
    fitting = None if path is None else read_figures(path, f"--fitting {path}", "figures of benchmarks/fitting.py")
    runs = {method: trained(benchmark, method) for method in (GAZE_RUN, EYELOOK_RUN)}
    gaze = redirection(benchmark)
    frames = gaze.pop("frames")
    figures = summary(gaze, runs[GAZE_RUN], runs[EYELOOK_RUN])
    settings = {
        "data": benchmark.data.resolve().name,
        "minutes": benchmark.minutes,
        "resolution": benchmark.resolution,
        "render_resolution": benchmark.render_resolution,
        "seed": benchmark.seed,
        "overrides": list(benchmark.overrides),
    }
    record = {**figures, "fitting": fitting, "gaze": gaze, "settings": settings, "runs": runs, **run_record()}
    write_json(benchmark.json, {**record, "frames": frames})
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(f"figures: {benchmark.json}")


if __name__ == "__main__":
    with one_clear_error():
        main(tyro.cli(GazeBenchmark))
