"""Cameras found back from noisy ones, and what that is worth.

    python benchmarks/cameras.py --data DATA/head_a --train-file transforms_train_noisy.json --minutes 15 \
        --resolution 128 --output-dir outputs/cameras --json benchmarks/results/cameras_head_a.json

Trains on the true poses, on the noisy ones as they are, and on the noisy ones with `camera_refinement` in each form of
rotation and of focal length. Every run gets twice the minutes; refined ones drop their field after the first half.
Pose errors are root mean squares over the training frames after one similarity. PSNR is that of the test frames' right
halves with each pose fitted to the left half, the same way for all runs.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from timed_runs import TimedRun, train_and_score

from nerface_ns.evaluation.run_record import write_json

FIXED = "fixed"
"""Instead of a form of the focal length: it stays as it was tracked."""
FORMS = (
    ("axis_angle", FIXED),
    ("quaternion", FIXED),
    ("rotation_6d", FIXED),
    ("axis_angle", "exp"),
    ("axis_angle", "square"),
    ("axis_angle", "ratio"),
)
"""Rotation and focal length: the default, and each other form beside it."""
TRUE, NOISY = "true_poses", "noisy"
"""Names of the runs without refinement."""
MODEL = "--pipeline.model"


@dataclass
class CameraBenchmark:
    """Measure the refinement of noisy cameras."""

    data: Path
    """The dataset, in NerFace's format, with true poses and noisy ones."""
    output_dir: Path
    """Where the runs go."""
    json: Path
    """File for the figures."""
    train_file: str = "transforms_train_noisy.json"
    """Frame file with the noisy poses."""
    true_file: str = "transforms_train.json"
    """Frame file with the true poses of the same frames."""
    minutes: float = 15.0
    """Wall time of each half of a training: before and after the field is dropped."""
    resolution: int = 128
    """Image height in pixels."""
    method: str = "nerface"
    """Method that is trained."""
    only: tuple[str, ...] = ()
    """Runs to train: true_poses, noisy, and ROTATION-FOCAL such as axis_angle-fixed or axis_angle-exp; all without it.
    Figures of others are taken from the JSON file, where it is there."""
    pretrain_share: float = 0.5
    """Share of a training before the field is dropped; 0 never drops it."""
    max_frames: int | None = 20
    """Test frames to score, evenly spread."""
    seed: int = 42
    """Seed of every training."""
    jobs: int = 1
    """Trainings at a time; with more than one, each gets one core."""
    overrides: tuple[str, ...] = ()
    """Further options of the method for all runs, as `ns-train` takes them."""


def refined_names() -> list[str]:
    """Return the names of the runs that refine."""
    return [f"{rotation}-{focal}" for rotation, focal in FORMS]


def timed_run(benchmark: CameraBenchmark, name: str) -> TimedRun:
    """Return the run of a name."""
    file = benchmark.true_file if name == TRUE else benchmark.train_file
    options = list(benchmark.overrides)
    if name not in (TRUE, NOISY):
        rotation, focal = name.split("-")
        refinement = {"enabled": True, "rotation": rotation, "refine-focal": focal != FIXED}
        refinement |= {} if focal == FIXED else {"focal": focal}
        options += [f"{MODEL}.camera-refinement.{key}={value}" for key, value in refinement.items()]
        options += [f"{MODEL}.refine-schedule.pretrain-share={benchmark.pretrain_share}"]
    parser = ["nerface-data", "--train-file", file]
    return TimedRun(benchmark.method, (*options, *parser), name)


def focal_px(path: Path) -> float:
    """Return the focal length that a frame file holds."""
    from nerface_ns.data.frame_json import read_frame_file

    return read_frame_file(path).fx_px


def true_poses(path: Path) -> np.ndarray:
    """Return the poses (n, 3, 4) that a frame file holds."""
    from nerface_ns.data.frame_json import read_frame_file

    return np.stack([frame.camera_to_world[:3] for frame in read_frame_file(path).frames])


def camera_figures(benchmark: CameraBenchmark, pipeline: Any) -> dict[str, float]:
    """Return the errors of a run's training cameras, refined or as they were tracked."""
    from nerface_ns.evaluation.trajectory_alignment import pose_errors

    cameras = pipeline.datamanager.train_dataset.cameras
    refined = pipeline.model.refined_cameras(cameras)
    found = cameras if refined is None else refined
    truth = true_poses(benchmark.data / benchmark.true_file)
    errors = pose_errors(found.camera_to_worlds.double().cpu().numpy(), truth)
    factor = float((found.fx / cameras.fx.to(found.fx)).mean())
    tracked = focal_px(benchmark.data / benchmark.train_file)
    return {
        "rotation_error_deg": round(errors.rotation_deg, 4),
        "translation_error_fraction": round(errors.camera_fraction, 5),
        "head_position_error_fraction": round(errors.head_fraction, 5),
        "focal_error_fraction": round(abs(factor * tracked / focal_px(benchmark.data / benchmark.true_file) - 1), 5),
    }


def train(benchmark: CameraBenchmark, name: str) -> dict[str, Any]:
    """Train one run in a process of its own and return what it wrote."""
    one_core = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    return train_and_score(
        timed_run(benchmark, name),
        benchmark.data,
        "nerface-data",
        2 * benchmark.minutes,
        benchmark.resolution,
        benchmark.seed,
        benchmark.output_dir,
        one_core if benchmark.jobs > 1 else None,
        benchmark.max_frames,
        "aligned",
    )


def measure(benchmark: CameraBenchmark, name: str, record: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a trained run."""
    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.evaluation.split_scores import score_split
    from nerface_ns.evaluation.unseen_poses import PoseProtocol

    folder = benchmark.output_dir / f"{name}-{benchmark.seed}"
    config_path = max(folder.rglob("config.yml"), key=lambda path: path.stat().st_mtime)
    _, pipeline, _, _ = load_run(config_path)
    rules: tuple[PoseProtocol, ...] = ("as_tracked",) if name in (TRUE, NOISY) else ("as_tracked", "trajectory")
    scores = {rule: score_split(pipeline, "test", max_frames=benchmark.max_frames, poses=rule) for rule in rules}
    psnr = {rule: round(by_protocol["run"].as_json()["psnr"], 3) for rule, by_protocol in scores.items()}
    figures = {} if name == TRUE else camera_figures(benchmark, pipeline)
    return {
        **figures,
        "psnr_aligned": round(record["test"]["psnr"], 3),
        **{f"psnr_{rule}": value for rule, value in psnr.items()},
        "steps": record["steps"],
        "ms_per_step": round(1000 * 60 * 2 * benchmark.minutes / record["steps"], 2),
        "record": record,
    }


def summary(runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Lay the figures out as issue 7 names them: the default form's on top, all forms' below."""
    true, noisy = (runs.get(name, {}).get("psnr_aligned") for name in (TRUE, NOISY))
    representations = {}
    for name in refined_names():
        if name in runs:
            figures = {key: value for key, value in runs[name].items() if key.endswith(("_deg", "_fraction"))}
            refined = runs[name]["psnr_aligned"]
            representations[name] = {
                **figures,
                "psnr_true_poses": true,
                "psnr_noisy": noisy,
                "psnr_refined": refined,
                "gain_over_noisy_db": None if noisy is None else round(refined - noisy, 3),
            }
    first = next(iter(representations.values()), {"psnr_true_poses": true, "psnr_noisy": noisy})
    return {**first, "representations": representations}


def main(benchmark: CameraBenchmark) -> None:
    """Run, tabulate, write."""
    names = [TRUE, NOISY, *refined_names()]
    unknown = set(benchmark.only) - set(names)
    if unknown:
        raise SystemExit(f"--only: expected names among {names}, got {sorted(unknown)}")
    runs: dict[str, dict[str, Any]] = {}
    if benchmark.only and benchmark.json.is_file():
        runs = json.loads(benchmark.json.read_text(encoding="utf-8"))["runs"]
    settings = {"minutes": benchmark.minutes, "resolution": benchmark.resolution, "seed": benchmark.seed}
    settings |= {"pretrain_share": benchmark.pretrain_share, "overrides": list(benchmark.overrides)}
    settings["jobs"] = benchmark.jobs
    chosen = [name for name in names if not benchmark.only or name in benchmark.only]
    for start in range(0, len(chosen), benchmark.jobs):
        batch = chosen[start : start + benchmark.jobs]
        with ThreadPoolExecutor(benchmark.jobs) as pool:
            records = list(pool.map(lambda name: train(benchmark, name), batch))
        for name, record in zip(batch, records):
            runs[name] = measure(benchmark, name, record)
            # After every run: a machine that is taken away leaves what was measured.
            write_json(benchmark.json, {**summary(runs), "settings": settings, "runs": runs})
            print(f"{name}: { ({key: value for key, value in runs[name].items() if key != 'record'}) }")
    print(f"figures: {benchmark.json}")


if __name__ == "__main__":
    main(tyro.cli(CameraBenchmark))
