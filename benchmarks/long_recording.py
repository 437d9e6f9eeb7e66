"""Memory that training takes as a recording grows: the same head, a tenth of the frames and all of them.

    python benchmarks/long_recording.py --data DATA/head_a --output-dir outputs/long --json long_recording.json

The training frames of a NerFace-format dataset are enlarged once and repeated under other names (hard links) until
there are enough; the memory that counts is the largest resident one of a whole training process.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import tyro
from timed_runs import TimedRun, train_and_score

from nerface_ns.evaluation.run_record import run_record, write_json


@dataclass
class LongRecording:
    """Train on recordings of two lengths and compare memory."""

    data: Path
    """A dataset in NerFace's format."""
    output_dir: Path
    """Where the recordings and runs go."""
    json: Path
    """File for the figures."""
    num_frames: int = 5500
    """Frames of the long recording (NerFace's own have about that many)."""
    resolution: int = 512
    """Height of its images in pixels."""
    minutes: float = 3.0
    """Wall time of each training, decoding included."""
    method: str = "nerface"
    """The method."""


def make_recording(data: Path, folder: Path, num_frames: int, resolution: int) -> None:
    """Write a dataset whose training split repeats another's, enlarged."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("transforms_train.json", "transforms_val.json", "transforms_test.json"):
        transforms = json.loads((data / name).read_text(encoding="utf-8"))
        first = transforms["frames"]
        count = num_frames if "train" in name else 2
        transforms["frames"] = [
            _repeat_frame(data, folder, copy.deepcopy(first[number % len(first)]), number, len(first), resolution)
            for number in range(count)
        ]
        height = cv2.imread(str(data / f"{first[0]['file_path']}.png")).shape[0]
        transforms["intrinsics"][:2] = [focal * resolution / height for focal in transforms["intrinsics"][:2]]
        (folder / name).write_text(json.dumps(transforms), encoding="utf-8")
    shutil.copytree(data / "bg", folder / "bg")


def _repeat_frame(
    data: Path, folder: Path, frame: dict[str, Any], number: int, num_different: int, resolution: int
) -> dict[str, Any]:
    source = data / f"{frame['file_path']}.png"
    original = folder / Path(frame["file_path"]).parent / f"{number % num_different:05d}.png"
    target = original.with_name(f"{number:05d}.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    if target == original:
        image = cv2.resize(cv2.imread(str(source)), (resolution, resolution), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(target), image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    else:
        os.link(original, target)
    frame["file_path"] = str(target.relative_to(folder).with_suffix(""))
    return frame


def main(command: LongRecording) -> None:
    """Make both recordings, train on each, write."""
    rows = {}
    for count in (command.num_frames // 10, command.num_frames):
        folder = command.output_dir / f"recording_{count}"
        make_recording(command.data, folder, count, command.resolution)
        record = train_and_score(
            TimedRun(command.method, name=f"{command.method}-{count}"),
            folder,
            "nerface-data",
            command.minutes,
            command.resolution,
            42,
            command.output_dir,
            environment={"XDG_CACHE_HOME": str(command.output_dir / "cache")},
            max_frames=1,
        )
        rows[count] = {name: record[name] for name in ("peak_rss_mb", "steps", "wall_s", "rays_per_s")}
        print(count, rows[count])
    write_json(command.json, {"resolution": command.resolution, "num_frames": rows, **run_record()})


if __name__ == "__main__":
    main(tyro.cli(LongRecording))
