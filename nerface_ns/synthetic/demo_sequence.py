"""Writes the embedded demo head as a folder of NerFace-format files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from nerface_ns.data.frame_json import FrameFile, FrameRecord, write_frame_file
from nerface_ns.synthetic.backdrop import make_backdrop
from nerface_ns.synthetic.demo_motion import camera_track, expression_track, side_cameras
from nerface_ns.synthetic.demo_people import DEMO_PEOPLE
from nerface_ns.synthetic.expressions import EXPRESSION_NAMES, eye_gaze
from nerface_ns.synthetic.head_mesh import HeadMesh, make_head_mesh
from nerface_ns.synthetic.head_renderer import PinholeCamera, render_head

FOCAL_OVER_HEIGHT = 2.1
"""Focal length in image heights; the head fills about two thirds of the image."""


@dataclass(frozen=True)
class DemoSequenceConfig:
    """Size and seed of the demo sequence."""

    resolution: int = 128
    """Height and width of the square images, pixels; at least 16."""
    num_train: int = 160
    """Training frames."""
    num_val: int = 8
    """Validation frames, spread evenly among the training frames."""
    num_test: int = 24
    """Test frames: the last part of the recorded track, expressions never trained."""
    num_nvs: int = 12
    """Novel views: training expressions seen from further aside than any training camera."""
    seed: int = 0
    """Decides motion and background."""
    identity: int = 0
    """Number of the person, of those in `demo_people`."""
    standing_torso: bool = False
    """Let the shoulders stand still while the head turns; there are no novel views then, since nobody says where the
    shoulders of another camera's picture are."""
    samples: int = 3
    """Raster samples a pixel, per side."""
    mesh_density: float = 1.0
    """Mesh vertices per length, relative to about one each 0.8 mm on the face."""

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be rendered.

        Raises:
            ValueError: A count, the resolution or a density is too small.
        """
        smallest = {"resolution": 16, "num_train": 1, "num_val": 1, "num_test": 1, "num_nvs": 0, "samples": 1}
        for name, low in smallest.items():
            if getattr(self, name) < low:
                raise ValueError(f"DemoSequenceConfig.{name} needs at least {low}, got {getattr(self, name)}")
        if not 0 <= self.identity < len(DEMO_PEOPLE):
            raise ValueError(f"DemoSequenceConfig.identity needs 0 to {len(DEMO_PEOPLE) - 1}, got {self.identity}")
        if not 0.2 <= self.mesh_density <= 2.0:
            raise ValueError(f"DemoSequenceConfig.mesh_density needs 0.2 to 2.0, got {self.mesh_density}")


@dataclass
class _Shot:
    """One frame to be rendered."""

    name: str
    camera: PinholeCamera
    expression: np.ndarray
    torso_camera: PinholeCamera | None = None


def write_demo_sequence(directory: Path, config: DemoSequenceConfig = DemoSequenceConfig()) -> None:
    """Render the demo sequence into a folder of the NerFace release layout.

    The folder gets `<split>/f_0000.png`, `masks/<split>/f_0000.png`, `bg/00050.png` and `transforms_<split>.json` for
    train, val, test and, unless empty, nvs. Frames are numbered along the recorded track.

    Raises:
        ValueError: An image cannot be written.
    """
    size, focal = config.resolution, FOCAL_OVER_HEIGHT * config.resolution
    person = DEMO_PEOPLE[config.identity]
    mesh = make_head_mesh(config.mesh_density, int(np.clip(4 * size, 256, 1024)), person)
    backdrop = make_backdrop(size, size, config.seed)
    (directory / "bg").mkdir(parents=True, exist_ok=True)
    _write_png(directory / "bg" / "00050.png", backdrop)
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as workers:
        for split, shots in _plan(config).items():
            for folder in (directory / split, directory / "masks" / split):
                folder.mkdir(parents=True, exist_ok=True)
            work = partial(_write_shot, directory, split, mesh, backdrop, config.samples)
            frames = list(workers.map(work, shots))
            content = FrameFile(focal, focal, 0.5, 0.5, EXPRESSION_NAMES, frames, 2.0 * np.arctan(0.5 * size / focal))
            write_frame_file(directory / f"transforms_{split}.json", content)


def _plan(config: DemoSequenceConfig) -> dict[str, list[_Shot]]:
    """Frames of each split: the track's end is the test split, the validation frames stand among the training ones."""
    seen = config.num_train + config.num_val
    expressions = expression_track(seen + config.num_test, config.seed)
    poses = camera_track(seen + config.num_test, config.seed)
    val = set(np.floor((np.arange(config.num_val) + 0.5) * seen / config.num_val).astype(int).tolist())
    size = config.resolution

    def camera_at(pose: np.ndarray) -> PinholeCamera:
        """Return the sequence's camera in a pose."""
        return PinholeCamera(pose, FOCAL_OVER_HEIGHT * size, (0.5 * size, 0.5 * size), size, size)

    torso_camera = camera_at(_middle_pose(poses)) if config.standing_torso else None

    def shot(number: int, pose: np.ndarray, expression: np.ndarray) -> _Shot:
        """Return a frame of the recording."""
        return _Shot(f"f_{number:04d}", camera_at(pose), expression, torso_camera)

    recorded = [shot(k, pose, expression) for k, (pose, expression) in enumerate(zip(poses, expressions))]
    train = [k for k in range(seen) if k not in val]
    plan = {"train": [recorded[k] for k in train], "val": [recorded[k] for k in sorted(val)], "test": recorded[seen:]}
    if config.num_nvs and not config.standing_torso:
        chosen = [train[k] for k in np.linspace(0, len(train) - 1, config.num_nvs).astype(int)]
        cameras = side_cameras(config.num_nvs, config.seed)
        plan["nvs"] = [shot(k, cameras[k], expressions[frame]) for k, frame in enumerate(chosen)]
    return plan


def _middle_pose(poses: np.ndarray) -> np.ndarray:
    """The camera (4, 4) that stands nearest to the middle of all."""
    position = poses[:, :3, 3]
    return poses[np.linalg.norm(position - position.mean(axis=0), axis=1).argmin()]


def _write_shot(
    directory: Path, split: str, mesh: HeadMesh, backdrop: np.ndarray, samples: int, shot: _Shot
) -> FrameRecord:
    """Render one frame, write its image and mask, and describe it."""
    expression = shot.expression.astype(np.float32)
    head = render_head(mesh, expression, shot.camera, samples, shot.torso_camera)
    _write_png(directory / split / f"{shot.name}.png", head.color + (1.0 - head.alpha[..., None]) * backdrop)
    _write_png(directory / "masks" / split / f"{shot.name}.png", head.alpha)
    return FrameRecord(
        file_path=f"./{split}/{shot.name}",
        camera_to_world=shot.camera.camera_to_world,
        expression=expression,
        face_box=head.face_box,
        region_boxes=head.region_boxes,
        gaze=eye_gaze(expression).mean(axis=0),
    )


def _write_png(path: Path, image: np.ndarray) -> None:
    """Write values in [0, 1], RGB or grey, as an 8-bit PNG."""
    pixels = np.round(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    if not cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels):
        raise ValueError(f"{path}: the image could not be written")
