"""`nerface-benchmark`: quality after a fixed time of training, and speed, as JSON; and tables of such files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from nerface_ns.scripts.command_errors import one_clear_error

CHECKPOINT_RESERVE_S = 0.5
"""Time kept for writing the checkpoint within the minutes asked for."""
SPEED_SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "all_performance.py"
"""Runs every measurement of speed; a part of the repository, not of the installed package."""


@dataclass
class TrainCommand:
    """Train for some minutes of wall time, then score every split that exists, whole.

    The minutes run from the start of the process and end with the checkpoint written; scoring comes after. Options of
    the method follow after `--`, as `ns-train METHOD` takes them.
    """

    method: tyro.conf.Positional[str]
    """A registered method, such as nerface."""
    data: Path
    """The dataset."""
    minutes: float
    """Wall time from the start of the process."""
    output_dir: Path
    """Folder below which the run's own folder (config.yml, checkpoint) is made."""
    json: Path
    """File for the figures."""
    resolution: int | None = None
    """Image height in pixels after downsampling; as stored without it."""
    dataparser: str | None = None
    """A registered dataparser, such as nerface-data; the method's own without it."""
    seed: int = 42
    """Seed of every random number."""
    max_frames: int | None = None
    """Frames of each split to score, evenly spread; all without it. For methods that take minutes for an image."""
    poses: Literal["as_tracked", "aligned", "trajectory"] = "as_tracked"
    """Cameras of frames never trained on, as `nerface-evaluate --poses` takes them."""


@dataclass
class TableCommand:
    """Print a Markdown table of files that `nerface-benchmark train` wrote."""

    files: tyro.conf.Positional[tuple[Path, ...]]
    """The JSON files."""


@dataclass
class SpeedCommand:
    """Measure speed on this machine.

    Time to a quality against nerface-paper, the parts of a step and of a picture, their distance from what the machine
    can do, how cost grows with frames, coefficients, resolution and rays, and start-up. Runs
    `benchmarks/all_performance.py` of a checkout of the repository; its further options follow after `--`.
    """

    output_dir: Path
    """Folder for a JSON file of each measurement."""
    data: Path | None = None
    """A dataset in NerFace's format; the embedded head without it."""
    resolution: int | None = None
    """Image height in pixels; as stored without it."""


def measure_speed(command: SpeedCommand, further: Sequence[str] = ()) -> int:
    """Run the script, and return its exit status.

    Raises:
        FileNotFoundError: This package was not installed from a checkout with `pip install -e`.
    """
    from nerface_ns.evaluation.run_record import require_writable_folder

    if not SPEED_SCRIPT.is_file():
        raise FileNotFoundError(
            f"{SPEED_SCRIPT}: not found: speed is measured by scripts of the repository; "
            "install from a checkout with `pip install -e .`"
        )
    require_writable_folder(command.output_dir, "--output-dir")
    options = ["--output-dir", str(command.output_dir)]
    for name in ("data", "resolution"):
        value = getattr(command, name)
        options += [] if value is None else [f"--{name}", str(value)]
    return subprocess.run([sys.executable, str(SPEED_SCRIPT), *options, *further]).returncode


def main(command: TrainCommand, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Train, score, and write the figures; returns what was written."""
    from nerface_ns.evaluation.run_record import process_age_s, require_writable_folder
    from nerface_ns.evaluation.training_config import training_config
    from nerface_ns.scripts.run_steps import plain_console, train_with_progress

    if not command.minutes > 0:
        raise ValueError(f"--minutes needs to be positive, got {command.minutes}")
    require_writable_folder(command.output_dir, "--output-dir")
    require_writable_folder(command.json.parent, "--json")
    config = training_config(
        command.method,
        command.output_dir,
        command.data,
        command.dataparser,
        command.resolution,
        command.seed,
        overrides,
    )
    seconds_left = command.minutes * 60 - process_age_s() - CHECKPOINT_RESERVE_S
    trainer, report = train_with_progress(config, seconds_left, plain_console())
    wall_s = process_age_s()
    return _score(command, overrides, trainer.pipeline, report, wall_s)


def _score(
    command: TrainCommand, overrides: Sequence[str], pipeline: Any, report: Any, wall_s: float
) -> dict[str, Any]:
    from nerfstudio.utils.rich_utils import CONSOLE

    from nerface_ns.evaluation.data_splits import check_splits
    from nerface_ns.evaluation.run_record import write_json
    from nerface_ns.evaluation.score_table import score_table
    from nerface_ns.evaluation.split_scores import code_protocol, scores_as_json
    from nerface_ns.evaluation.unseen_poses import POSE_NOTES
    from nerface_ns.model_components.perceptual_distance import PerceptualDistance
    from nerface_ns.scripts.run_steps import plain_console, score_splits

    image_distance = PerceptualDistance(pipeline.device)
    splits = check_splits(pipeline.datamanager.dataparser)
    scores = score_splits(
        pipeline, splits, image_distance, plain_console(), max_frames=command.max_frames, poses=command.poses
    )
    figures, protocol = scores_as_json(scores), code_protocol(pipeline)
    record = benchmark_record(command, overrides, figures, report, wall_s, protocol)
    write_json(command.json, record)
    title = f"{command.method}, {wall_s / 60:.1f} min, {report.steps} steps"
    CONSOLE.print(score_table(figures, title, protocol))
    CONSOLE.print(f"poses {command.poses}: {POSE_NOTES[command.poses]}", soft_wrap=True)
    if image_distance.message is not None:
        CONSOLE.print(image_distance.message)
    CONSOLE.print(f"figures: {command.json}\nrun: {report.config_path}")
    return record


def benchmark_record(
    command: TrainCommand,
    overrides: Sequence[str],
    figures: dict[str, Any],
    report: Any,
    wall_s: float,
    protocol: str | None,
) -> dict[str, Any]:
    """Lay out the JSON: figures by split, speed and memory, then what was run on what."""
    from nerface_ns.evaluation.run_record import peak_rss_mb, run_record

    samples = report.samples_per_ray
    return {
        **figures,
        "steps": report.steps,
        "wall_s": round(wall_s, 2),
        "rays_per_s": round(report.rays_per_s, 1),
        "samples_per_ray": None if samples is None else round(samples, 2),
        "peak_rss_mb": round(peak_rss_mb(), 1),
        "code_protocol": protocol,
        "poses": command.poses,
        **run_record(),
        "run": {
            "method": command.method,
            "data": command.data.resolve().name,
            "dataparser": command.dataparser,
            "minutes": command.minutes,
            "resolution": command.resolution,
            "seed": command.seed,
            "max_frames": command.max_frames,
            "overrides": list(overrides),
        },
    }


def markdown_table(files: Sequence[Path]) -> str:
    """Lay benchmark files out as Markdown, a row for every split of each."""
    from nerface_ns.evaluation.benchmark_files import read_benchmark, table_rows

    rows: list[list[str]] = [row for file in files for row in table_rows(read_benchmark(file))]
    header = ["method", "data", "minutes", "split", "PSNR", "SSIM", "L1", "LPIPS", "face", "mouth", "eyes", "mask"]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def entrypoint(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; options after `--` go to the method, or to the script that measures speed."""
    own = list(sys.argv[1:] if arguments is None else arguments)
    overrides: list[str] = []
    if "--" in own:
        own, overrides = own[: own.index("--")], own[own.index("--") + 1 :]
    commands = {"train": TrainCommand, "speed": SpeedCommand, "table": TableCommand}
    command = tyro.extras.subcommand_cli_from_dict(commands, description=__doc__, args=own)
    with one_clear_error():
        if isinstance(command, TableCommand):
            print(markdown_table(command.files))
        elif isinstance(command, SpeedCommand):
            status = measure_speed(command, overrides)
            if status != 0:
                raise SystemExit(status)
        else:
            main(command, overrides)


if __name__ == "__main__":
    entrypoint()
