"""Does `nerface-check` call the usual mistakes in camera files by their names?

    python benchmarks/camera_mistakes.py --data DATA/head_a --json benchmarks/results/camera_mistakes_head_a.json

Every mistake is an edit of all frame files of a right dataset in NerFace's format; pictures are not copied.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

Edit = Callable[[dict[str, Any]], None]


def edit_poses(content: dict[str, Any], change: Callable[[np.ndarray], np.ndarray]) -> None:
    for frame in content["frames"]:
        frame["transform_matrix"] = change(np.array(frame["transform_matrix"])).tolist()


def turn_axes(*signs: float) -> Edit:
    return lambda content: edit_poses(content, lambda pose: pose @ np.diag([*signs, 1.0]))


def world_to_camera(content: dict[str, Any]) -> None:
    edit_poses(content, np.linalg.inv)


def world_to_camera_of_opencv(content: dict[str, Any]) -> None:
    turn_axes(1, -1, -1)(content)
    world_to_camera(content)


def mirror_world(content: dict[str, Any]) -> None:
    mirror = np.diag([-1.0, 1, 1, 1])
    edit_poses(content, lambda pose: mirror @ pose @ mirror)


def change_intrinsics(*factors: float, shift_x: float = 0.0) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        content["intrinsics"] = [value * factor for value, factor in zip(content["intrinsics"], factors)]
        content["intrinsics"][2] += shift_x

    return edit


MISTAKES: dict[str, Edit] = {
    "opencv-cameras": turn_axes(1, -1, -1),
    "pytorch3d-cameras": turn_axes(-1, 1, -1),
    "upside-down-cameras": turn_axes(-1, -1, 1),
    "world-to-camera": world_to_camera,
    "world-to-camera+opencv-cameras": world_to_camera_of_opencv,
    "mirrored": mirror_world,
    "focal-sign": change_intrinsics(-1, 1, 1, 1),
    "principal-point": change_intrinsics(1, 1, 1, 1, shift_x=-0.25),
    "focal-length": change_intrinsics(2, 2, 1, 1),
}
"""What each mistake has to be called, and the mistake."""


def broken_copy(source: Path, target: Path, edit: Edit) -> Path:
    """The dataset with one mistake in all its frame files; its pictures are linked."""
    target.mkdir()
    for path in source.iterdir():
        if path.name.startswith("transforms_") and path.suffix == ".json":
            content = json.loads(path.read_text())
            edit(content)
            (target / path.name).write_text(json.dumps(content))
        else:
            os.symlink(path.resolve(), target / path.name)
    return target


def names_of(root: Path) -> list[str]:
    """What the cheap checks call the dataset's mistakes."""
    from nerface_ns.checking.dataset_check import geometry_findings
    from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig

    findings = geometry_findings(NeRFaceDataParserConfig(data=root).setup().sequence)
    return [str(finding.problem) for finding in findings if finding.status == "fail"]


@dataclass
class CameraMistakes:
    """Break a dataset in every way, and record what the checks say."""

    data: Path
    """A right dataset in NerFace's format."""
    json: Path
    """File for the record."""


def main(command: CameraMistakes) -> None:
    from nerface_ns.evaluation.run_record import run_record, write_json

    started = time.perf_counter()
    named = {"none": names_of(command.data)}
    with tempfile.TemporaryDirectory() as folder:
        for mistake, edit in MISTAKES.items():
            named[mistake] = names_of(broken_copy(command.data, Path(folder) / mistake, edit))
            print(f"{mistake}: called {', '.join(named[mistake]) or 'nothing'}")
    right = sum(found == ([] if mistake == "none" else [mistake]) for mistake, found in named.items())
    record = {"data": command.data.name, "named": named, "right": right, "of": len(named)}
    write_json(command.json, {**record, "wall_s": round(time.perf_counter() - started, 2), **run_record()})


if __name__ == "__main__":
    main(tyro.cli(CameraMistakes, description=__doc__))
