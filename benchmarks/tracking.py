"""Measures `nerface-track`: against a rendered head whose truth is known, and on real clips.

    python benchmarks/tracking.py --data ../shared/data --json benchmarks/results/tracking.json

`head_a`'s training frames become a video, which is tracked; poses and gaze are compared after one global alignment of
the head's frame (trackers choose it freely), focal length, blendshapes and mattes as they are. Each clip is tracked
without and with matting. Nothing of the clips themselves is kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tyro

from nerface_ns.data.frame_json import read_frame_file
from nerface_ns.evaluation.run_record import run_record, write_json
from nerface_ns.tracking.head_motion import CAMERA_FLIP, nearest_rotation, yaw_pitch_roll
from nerface_ns.tracking.preview_video import write_video
from nerface_ns.tracking.tracking_config import TrackingConfig
from nerface_ns.tracking.video_decoder import VideoClip
from nerface_ns.tracking.video_tracker import track_video

FRAMES_PER_S = 30.0
BLENDSHAPES = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight")
FIGURES = (
    *("frames_total", "frames_tracked_fraction", "median_reprojection_px", "focal_px", "focal_relative_sigma"),
    *("yaw_range_deg", "background_seen_fraction", "frames_per_s"),
)


@dataclass
class TrackingBenchmark:
    """Compare tracking with a rendered head's truth and measure real clips."""

    data: Path = Path("../shared/data")
    """Folder with head_a/, videos/ and models/."""
    json: Path | None = None
    """File for the figures."""
    work_dir: Path | None = None
    """Folder for the tracked datasets; a temporary one without it."""
    clips: tuple[str, ...] = ("talk_a", "talk_b", "talk_c")
    """Clips to track."""


def silent(_stage: str, _done: int, _total: int | None) -> None:
    """Show no progress."""


def head_video(data: Path, path: Path) -> list[str]:
    """Write the training frames as an H.264 video; return their names."""
    frames = [frame.file_path for frame in read_frame_file(data / "transforms_train.json").frames]

    def images() -> Iterator[np.ndarray]:
        for name in frames:
            yield np.ascontiguousarray(cv2.imread(str(data / f"{name}.png"))[..., ::-1])

    write_video(path, images(), FRAMES_PER_S)
    return frames


def read_tracked(root: Path) -> dict[int, Any]:
    """Frame records of a tracked dataset by tick, with the folder of each."""
    records = {}
    for split in ("train", "val", "test"):
        for frame in read_frame_file(root / f"transforms_{split}.json").frames:
            records[int(Path(frame.file_path).name[2:])] = frame
    return records


def head_to_camera(poses: np.ndarray) -> np.ndarray:
    return (poses[:, :3, :3] * CAMERA_FLIP).transpose(0, 2, 1)


def angles_of(direction: np.ndarray) -> np.ndarray:
    return np.stack([np.arcsin(direction[:, 1]), np.arctan2(direction[:, 0], direction[:, 2])], axis=-1)


def direction_of(angles: np.ndarray) -> np.ndarray:
    pitch, yaw = angles.T
    return np.stack([np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)], axis=-1)


def rms_deg(difference: np.ndarray) -> list[float]:
    return [round(float(value), 3) for value in np.rad2deg(np.sqrt((difference**2).mean(axis=0)))]


def compare_head(data: Path, work: Path, config: TrackingConfig) -> dict[str, Any]:
    """Track the rendered head and compare."""
    truth_file = read_frame_file(data / "transforms_train.json")
    names = head_video(data, work / "head_a.mp4")
    facts = track_video(VideoClip(work / "head_a.mp4"), work / "head_a", config, silent)
    tracked = read_tracked(work / "head_a")
    rows = sorted(tracked)
    truth = [truth_file.frames[row] for row in rows]
    found = [tracked[row] for row in rows]
    true_turn = head_to_camera(np.stack([frame.camera_to_world for frame in truth]))
    turn = head_to_camera(np.stack([frame.camera_to_world for frame in found]))
    alignment = nearest_rotation((turn.transpose(0, 2, 1) @ true_turn).mean(axis=0))
    pose = rms_deg(yaw_pitch_roll(turn @ alignment) - yaw_pitch_roll(true_turn))
    true_gaze = np.stack([frame.gaze for frame in truth if frame.gaze is not None])
    gaze = np.stack([frame.gaze for frame in found if frame.gaze is not None])
    aligned_gaze = angles_of(direction_of(gaze) @ alignment)
    own = read_frame_file(work / "head_a" / "transforms_train.json")
    written = np.stack([frame.expression for frame in found])
    true_expression = np.stack([frame.expression for frame in truth])
    scale = facts["image_size_px"] / cv2.imread(str(data / f"{names[0]}.png")).shape[0]
    return {
        **{name: facts[name] for name in FIGURES},
        "yaw_pitch_roll_rms_deg": pose,
        "alignment_deg": float(np.rad2deg(np.arccos((np.trace(alignment) - 1) / 2))),
        "focal_error": own.fx_px / scale / truth_file.fx_px - 1,
        "blendshape_correlation": {
            name: _correlation(written, own.expression_names, true_expression, truth_file.expression_names, name)
            for name in BLENDSHAPES
        },
        "gaze_pitch_yaw_rms_deg": rms_deg(aligned_gaze - true_gaze),
        "matte_iou": _matte_iou(data, work / "head_a", rows, names, tracked),
    }


def _correlation(found: np.ndarray, names: Any, truth: np.ndarray, true_names: Any, name: str) -> float:
    other = name.replace("Left", "_L").replace("Right", "_R")
    return float(np.corrcoef(found[:, names.index(name)], truth[:, true_names.index(other)])[0, 1])


def _matte_iou(data: Path, root: Path, rows: list[int], names: list[str], tracked: dict[int, Any]) -> float:
    """Mean intersection over union of the mattes at one half."""
    scores = []
    for row in rows:
        alpha = cv2.imread(str(root / "masks" / f"{tracked[row].file_path}.png"), cv2.IMREAD_GRAYSCALE)
        truth = cv2.imread(str(data / "masks" / f"{names[row]}.png"), cv2.IMREAD_GRAYSCALE)
        if alpha.shape != truth.shape:
            raise ValueError(f"{root}: expected mattes of {truth.shape} like the truth's, got {alpha.shape}")
        found, true = alpha > 127, truth > 127
        scores.append((found & true).sum() / (found | true).sum())
    return float(np.mean(scores))


def measure_clip(clip: Path, work: Path, landmarker: Path) -> dict[str, Any]:
    """Track a clip without and with matting, each from nothing."""
    plain = TrackingConfig(landmarker=landmarker, matte=False)
    facts = track_video(VideoClip(clip), work / f"{clip.stem}_plain", plain, silent)
    full = track_video(VideoClip(clip), work / clip.stem, TrackingConfig(landmarker=landmarker), silent)
    return {
        **{name: full[name] for name in FIGURES if name != "frames_per_s"},
        "frames_per_s_without_matte": facts["frames_per_s"],
        "frames_per_s_with_matte": full["frames_per_s"],
        "warnings": full["warnings"],
    }


def main(command: TrackingBenchmark) -> None:
    landmarker = command.data / "models" / "face_landmarker.task"
    with tempfile.TemporaryDirectory() as temporary:
        work = command.work_dir or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        record: dict[str, Any] = {
            "head_a": compare_head(command.data / "head_a", work, TrackingConfig(landmarker=landmarker))
        }
        print("head_a", record["head_a"], flush=True)
        for name in command.clips:
            record[name] = measure_clip(command.data / "videos" / f"{name}.mp4", work, landmarker)
            print(name, record[name], flush=True)
    if command.json is not None:
        write_json(command.json, {**record, **run_record()})


if __name__ == "__main__":
    main(tyro.cli(TrackingBenchmark, description=__doc__))
