"""A recording of the scanned head before standing shoulders, in NerFace's format.

    python benchmarks/torso_sequence.py --head-model DATA/head_model --output-dir outputs/torso_sequence

The head model's folder holds ICT-FaceKit's head (MIT) with Lee Perry-Smith's shape and skin (CC BY 3.0, Infinite-
Realities / triplegangers.com) and a performance recorded by A. Donciu-Julin (MIT), which says nothing of how the head
moves: it moves as the demo head does. Cameras and expressions are exact. The end of the performance is the test split.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tyro
from torso_head import ModelHead, read_model_head

from nerface_ns.data.frame_json import FrameFile, FrameRecord, write_frame_file
from nerface_ns.synthetic.backdrop import make_backdrop
from nerface_ns.synthetic.demo_motion import camera_track
from nerface_ns.synthetic.demo_sequence import FOCAL_OVER_HEIGHT
from nerface_ns.synthetic.head_renderer import PinholeCamera, render_head
from nerface_ns.tracking.whole_image import write_image
from nerface_ns.tracks.live_link import read_live_link_csv
from nerface_ns.tracks.name_matching import match_matrix

PERFORMANCE = "alex_rom_3.csv"
TRACK_STRIDE = 4
"""Poses of the demo head's track a frame: it has 7 a second, and the performance is shown at about 2 a second."""
MARKER = "sequence.json"
"""What the sequence was made with."""


@dataclass(frozen=True)
class SequenceSize:
    """How much is recorded."""

    resolution: int = 128
    """Height and width in pixels."""
    num_train: int = 200
    """Training frames."""
    num_val: int = 20
    """Validation frames, spread evenly among the training frames."""
    num_test: int = 40
    """Test frames, behind all others."""
    samples: int = 3
    """Raster samples a pixel, per side."""
    seed: int = 0
    """Decides how the head moves."""


@dataclass
class TorsoSequence:
    """Render the recording."""

    head_model: Path
    """Folder of the head model."""
    output_dir: Path
    """The recording's folder; left as it is where it holds one of this size."""
    size: tyro.conf.OmitArgPrefixes[SequenceSize] = SequenceSize()
    """How much is recorded."""


def write_torso_sequence(sequence: TorsoSequence) -> Path:
    """Return the folder of the recording, which is rendered unless it is there; it is there whole or not at all.

    Raises:
        FileNotFoundError: A file of the head model is not there.
        ValueError: The folder is there and holds something else.
    """
    made_with = json.dumps({"head": sequence.head_model.resolve().name, **asdict(sequence.size)})
    target = sequence.output_dir
    if target.exists():
        marker = target / MARKER
        if marker.is_file() and marker.read_text(encoding="utf-8") == made_with:
            return target
        raise ValueError(f"{target}: expected no folder, or a sequence of {made_with}; remove it or name another")
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _render(sequence.head_model, sequence.size, work)
        (work / MARKER).write_text(made_with, encoding="utf-8")
        os.rename(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def performance(folder: Path, names: tuple[str, ...], num_frames: int) -> np.ndarray:
    """Return expressions (num_frames, K) under the head's names, spread over the whole recorded performance."""
    track = read_live_link_csv(folder / PERFORMANCE)
    rows = np.linspace(0, len(track) - 1, num_frames).round().astype(int)
    return np.clip(track.expression[rows] @ match_matrix(track.names, names).T, 0, 1).astype(np.float32)


def cameras(size: SequenceSize) -> tuple[list[PinholeCamera], PinholeCamera]:
    """Return the head's camera of every frame, and the one before which the torso stands: the most central of them."""
    pixels = size.resolution
    num_frames = size.num_train + size.num_val + size.num_test
    poses = camera_track(TRACK_STRIDE * num_frames, size.seed)[::TRACK_STRIDE]
    views = [
        PinholeCamera(pose, FOCAL_OVER_HEIGHT * pixels, (0.5 * pixels, 0.5 * pixels), pixels, pixels) for pose in poses
    ]
    positions = poses[:, :3, 3]
    return views, views[int(np.linalg.norm(positions - positions.mean(axis=0), axis=1).argmin())]


def split_numbers(size: SequenceSize) -> dict[str, list[int]]:
    """Return the frames of each split, by their place in the recording."""
    seen = size.num_train + size.num_val
    val = np.floor((np.arange(size.num_val) + 0.5) * seen / size.num_val).astype(int).tolist()
    return {
        "train": sorted(set(range(seen)) - set(val)),
        "val": val,
        "test": list(range(seen, seen + size.num_test)),
    }


@dataclass
class _Studio:
    """What all frames share."""

    folder: Path
    head: ModelHead
    backdrop: np.ndarray
    torso_camera: PinholeCamera
    samples: int

    def record(self, split: str, number: int, camera: PinholeCamera, expression: np.ndarray) -> FrameRecord:
        """Render a frame, write its picture and mask, and describe it."""
        name = f"f_{number:04d}"
        shot = render_head(self.head, expression, camera, self.samples, self.torso_camera)
        _write_png(self.folder / split / f"{name}.png", shot.color + (1 - shot.alpha[..., None]) * self.backdrop)
        _write_png(self.folder / "masks" / split / f"{name}.png", shot.alpha)
        return FrameRecord(
            file_path=f"./{split}/{name}",
            camera_to_world=camera.camera_to_world,
            expression=expression,
            face_box=shot.face_box,
            region_boxes=shot.region_boxes,
            gaze=self.head.eye_gaze(expression).mean(axis=0),
        )


def _render(head_model: Path, size: SequenceSize, folder: Path) -> None:
    """Render all frames into a folder."""
    head = read_model_head(head_model, int(np.clip(4 * size.resolution, 256, 1024)))
    views, torso_camera = cameras(size)
    expressions = performance(head_model, head.expression_names, len(views))
    backdrop = make_backdrop(size.resolution, size.resolution, size.seed)
    _write_png(folder / "bg" / "00050.png", backdrop)
    studio = _Studio(folder, head, backdrop, torso_camera, size.samples)
    focal_px, angle = views[0].focal_px, 2 * float(np.arctan(0.5 / FOCAL_OVER_HEIGHT))
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as workers:
        for split, numbers in split_numbers(size).items():
            record = partial(studio.record, split)
            frames = list(workers.map(record, numbers, [views[k] for k in numbers], expressions[numbers]))
            content = FrameFile(focal_px, focal_px, 0.5, 0.5, head.expression_names, frames, angle)
            write_frame_file(folder / f"transforms_{split}.json", content)


def _write_png(path: Path, image: np.ndarray) -> None:
    """Write values in [0, 1], RGB or grey, as an 8-bit PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.round(np.clip(image, 0, 1) * 255).astype(np.uint8))


if __name__ == "__main__":
    print(f"sequence: {write_torso_sequence(tyro.cli(TorsoSequence, description=__doc__))}")
