"""From a video to an avatar, measured: `nerface-track`, then a training of `nerface`, for each clip.

    python benchmarks/track_and_train.py --data ../shared/data --minutes 15 --output-dir outputs/clips \
        --json benchmarks/results/track_and_train.json

The last 15 % of a clip's frames are its test split. A clip's figures join those that the JSON file holds already, so
that clips can be run one by one (`--only NAME`). For every clip a sheet of some test frames, the truth above the
render, goes to the folder of the JSON file; nothing else of a clip is kept there.
"""

from __future__ import annotations

import json as json_format
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from timed_runs import TimedRun, train_and_score

from nerface_ns.evaluation.comparison_image import colors_to_bytes
from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.evaluation.run_record import require_writable_folder, write_json
from nerface_ns.evaluation.split_scores import SplitRenderer

TEST_SHARE = 0.15
SHEET_FRAMES = 6
"""Test frames of a sheet, evenly spread."""
TRACKED = (
    *("frames_total", "frames_tracked_fraction", "median_reprojection_px", "focal_px", "yaw_range_deg"),
    *("background_seen_fraction", "warnings"),
)
"""Figures of the tracking that are kept beside the training's."""


@dataclass
class TrackAndTrain:
    """Track clips, train on each, score the last frames."""

    data: Path
    """Folder with videos/*.mp4 and models/face_landmarker.task."""
    output_dir: Path
    """Folder for the tracked datasets and the runs; a dataset that is there already is taken up."""
    json: Path
    """File for the figures."""
    minutes: float = 15.0
    """Wall time of each training."""
    resolution: int = 128
    """Image height of the training in pixels."""
    only: tuple[str, ...] = ()
    """Names of clips, without suffix; all without it."""
    seed: int = 42
    """Seed of the trainings."""


def main(command: TrackAndTrain) -> None:
    """Track, train, write."""
    clips = {path.stem: path for path in sorted((command.data / "videos").glob("*.mp4"))}
    unknown = sorted(set(command.only) - set(clips))
    if unknown or not clips:
        raise ValueError(f"{command.data}/videos: expected clips {', '.join(command.only)}, got {', '.join(clips)}")
    require_writable_folder(command.json.parent, "--json")
    for name in command.only or tuple(clips):
        figures = track_and_train(name, clips[name], command)
        known = json_format.loads(command.json.read_text(encoding="utf-8")) if command.json.is_file() else {}
        write_json(command.json, {**known, name: figures})
        print(f"{name}: {figures['psnr_matte_db']:.2f} dB over the matte", flush=True)


def track_and_train(name: str, clip: Path, command: TrackAndTrain) -> dict[str, Any]:
    """Track one clip, train on it, write its sheet; return the figures."""
    dataset = command.output_dir / "datasets" / name
    tracked = track(clip, dataset, command.data / "models" / "face_landmarker.task")
    runs = command.output_dir / "runs" / name
    record = train_and_score(
        TimedRun("nerface"), dataset, "nerface-data", command.minutes, command.resolution, command.seed, runs
    )
    config = max(runs.rglob("config.yml"), key=lambda path: path.stat().st_mtime_ns)
    write_sheet(command.json.parent / f"{command.json.stem}_{name}.png", config)
    test = record["test"]
    return {
        "psnr_matte_db": test["mask"]["psnr"],
        "psnr_db": test["psnr"],
        "tracking": {key: tracked[key] for key in TRACKED},
        "training": record,
    }


def track(clip: Path, dataset: Path, landmarker: Path) -> dict[str, Any]:
    """Track a clip; a run that was interrupted goes on."""
    from nerface_ns.tracking.tracking_config import TrackingConfig
    from nerface_ns.tracking.video_decoder import VideoClip
    from nerface_ns.tracking.video_tracker import track_video

    stages: set[str] = set()

    def progress(stage: str, _done: int, _total: int | None) -> None:
        if stage not in stages:
            stages.add(stage)
            print(f"{clip.stem}: {stage}", flush=True)

    return track_video(VideoClip(clip), dataset, TrackingConfig(landmarker=landmarker, test_share=TEST_SHARE), progress)


@torch.no_grad()
def write_sheet(path: Path, load_config: Path) -> None:
    """Write some test frames, truth above render, side by side."""
    from PIL import Image

    _, pipeline, _, _ = load_run(load_config)
    pipeline.eval()
    renderer = SplitRenderer(pipeline, "test")
    columns = []
    for row in np.unique(np.linspace(0, len(renderer) - 1, SHEET_FRAMES).round().astype(int)):
        frame = renderer.render(int(row))
        columns.append(np.concatenate([colors_to_bytes(frame.truth), colors_to_bytes(frame.outputs["rgb"])]))
    partial = path.with_suffix(".part.png")
    Image.fromarray(np.concatenate(columns, axis=1)).save(partial, optimize=True)
    partial.replace(path)


if __name__ == "__main__":
    main(tyro.cli(TrackAndTrain, description=__doc__))
