"""Reenactment of a trained run, measured.

    python benchmarks/reenactment.py --load-config RUN/config.yml --live-link RECORDING.csv \
        --json benchmarks/results/reenactment.json

Self: the run's test split as a track file, rendered by `nerface-render drive` as the track says, against the pictures
that `ns-eval` writes. Cross: the run driven by the embedded demo's head and by a recording of Live Link Face, with the
default settings: numbers that are not finite, expressions beyond the soft clamp, and flicker, the mean absolute
difference between successive frames where the render never has any of the head, and where no training matte has.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from PIL import Image

from nerface_ns.conditioning import keys
from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.evaluation.run_record import run_record, write_json
from nerface_ns.rendering.backdrop import Backdrop
from nerface_ns.rendering.dataset_track import dataset_track, run_track
from nerface_ns.rendering.drive_plan import drive_plan
from nerface_ns.rendering.head_pose_config import HeadPoseConfig
from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.scripts import render
from nerface_ns.scripts.render_commands import DriveCommand
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.retargeting import RetargetingConfig
from nerface_ns.tracks.track_editing import resample, trim
from nerface_ns.tracks.track_file import read_track, write_track

CLEAR = 0.0
"""Largest accumulation, over all frames, of a pixel that counts as static background."""
FRAMES_PER_S = 25.0


@dataclass
class Reenactment:
    """Measure the run."""

    load_config: Path
    """The run's config.yml."""
    json: Path
    """File for the figures."""
    live_link: Path | None = None
    """Recording of Live Link Face; left out without it."""
    max_frames: int = 200
    """Frames of each cross-reenactment, at 25 a second from the track's start."""


def main(command: Reenactment) -> None:
    """Measure and write."""
    record: dict[str, Any] = {"self": self_reenactment(command.load_config)}
    with quiet_nerfstudio():
        config, pipeline, _, step = load_run(command.load_config)
        pipeline.eval()
        subject = RenderSubject(pipeline, command.load_config)
        tracks = {"demo": dataset_track(None, "nerface-demo", "all", FRAMES_PER_S)}
        if command.live_link is not None:
            tracks["live_link"] = read_track(command.live_link)
        for name, track in tracks.items():
            record[name] = cross_reenactment(subject, shortened(track, command.max_frames))
            print(name, record[name])
    data = pipeline.datamanager.get_datapath().resolve().name
    record["run"] = {"method": config.method_name, "step": step, "data": data, "image_size": subject.model.image_size}
    write_json(command.json, {**record, **run_record()})


def self_reenactment(load_config: Path) -> dict[str, Any]:
    """Compare the test split through a track file with what `ns-eval` writes, both as 8-bit pictures."""
    from nerfstudio.scripts.eval import ComputePSNR

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_track(work / "test.json", run_track(load_config, "test", FRAMES_PER_S))
        as_it_is = RetargetingConfig(transfer="absolute", soft_clamp=False)
        command = DriveCommand(
            load_config=load_config,
            track=work / "test.json",
            output=work / "driven",
            retargeting=as_it_is,
            head=HeadPoseConfig("driver-absolute"),
            side_by_side=False,
        )
        report = render.main(command)
        with quiet_nerfstudio():
            ComputePSNR(load_config, work / "scores.json", work / "evaluated").main()
        pairs = list(zip(_pictures(work / "driven", "*.png"), _pictures(work / "evaluated", "eval_img_*.png")))
    # ns-eval lays truth, render and error side by side.
    values = [_psnr(driven, np.split(evaluated, 3, axis=1)[1]) for driven, evaluated in pairs]
    largest = max(
        int(np.abs(driven.astype(int) - np.split(evaluated, 3, axis=1)[1]).max()) for driven, evaluated in pairs
    )
    result = {
        "frames": len(values),
        "least_psnr_db": round(min(values), 2),
        "mean_psnr_db": round(sum(values) / len(values), 2),
        "largest_difference_of_255": largest,
        "seconds_per_frame": round(report["render_s"] / report["rendered"], 4),
    }
    print("self", result)
    return result


def cross_reenactment(subject: RenderSubject, track: ExpressionTrack) -> dict[str, Any]:
    """Drive the run with a track, with the default settings and a still camera."""
    retargeting = RetargetingConfig()
    plan = drive_plan(subject, track, retargeting, HeadPoseConfig("own"), side_by_side=False, sound=False)
    shown = torch.cat([shot.camera.metadata[keys.EXPRESSION] for shot in plan.shots]).float()
    # The region is known when all frames are rendered: differences are summed for every pixel until then.
    differences: Any = 0.0
    covered: Any = 0.0
    before, not_finite = None, 0
    for picture, accumulation, bad in _rendered(subject, plan):
        not_finite += bad
        covered = np.maximum(covered, accumulation)
        if before is not None:
            differences = differences + np.abs(picture - before).mean(axis=-1)
        before = picture
    flicker = differences / max(len(plan.shots) - 1, 1)
    is_static = covered <= CLEAR
    never_head = outside_mattes(subject.pipeline.datamanager.train_dataset)
    return {
        "frames": len(plan.shots),
        "not_finite": not_finite,
        "largest_extrapolation_asked": round(max(plan.extrapolation), 4),
        "largest_extrapolation_shown": round(max(subject.extrapolation(shown)), 6),
        "clamp_margin": retargeting.clamp_margin,
        "static_share_of_image": round(float(is_static.mean()), 4),
        "flicker_of_255": _mean_of(flicker, is_static),
        "outside_mattes_share_of_image": None if never_head is None else round(float(never_head.mean()), 4),
        "flicker_outside_mattes_of_255": None if never_head is None else _mean_of(flicker, never_head),
        "flicker_of_the_rest_of_255": _mean_of(flicker, ~is_static),
        "warnings": plan.warnings,
    }


def outside_mattes(dataset: Any) -> np.ndarray | None:
    """Return the pixels that no training frame's matte covers, whatever the model makes of them."""
    if dataset.alpha_filenames is None:
        return None
    largest = np.zeros((dataset.height, dataset.width), dtype=np.uint8)
    for index in range(len(dataset)):
        largest = np.maximum(largest, dataset.get_frame(index)[..., 3])
    return largest == 0


def shortened(track: ExpressionTrack, max_frames: int) -> ExpressionTrack:
    """Return the first frames of a track at 25 a second."""
    track = resample(track, FRAMES_PER_S)
    return trim(track, 0.0, min(track.duration_s, max_frames / FRAMES_PER_S))


@torch.no_grad()
def _rendered(subject: RenderSubject, plan: Any) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yield each frame in 0..255 as it would be stored, its accumulation, and how many numbers are not finite."""
    for shot in plan.shots:
        outputs = subject.model.get_outputs_for_camera(shot.camera.to(subject.model.device))
        bad = sum(int((~torch.isfinite(outputs[name])).sum()) for name in ("rgb", "accumulation", "depth"))
        picture = Backdrop().picture(subject.model, outputs).astype(np.float32)
        yield picture, outputs["accumulation"][..., 0].cpu().numpy(), bad


def _pictures(folder: Path, pattern: str) -> Iterator[np.ndarray]:
    for file in sorted(folder.glob(pattern)):
        yield np.asarray(Image.open(file))[..., :3]


def _mean_of(values: np.ndarray, region: np.ndarray) -> float | None:
    return round(float(values[region].mean()), 5) if region.any() else None


def _psnr(first: np.ndarray, second: np.ndarray) -> float:
    """PSNR in dB; 99 for equal pictures."""
    error = float(((first.astype(np.float64) - second) ** 2).mean()) / 255**2
    return min(99.0, -10 * np.log10(error)) if error > 0 else 99.0


if __name__ == "__main__":
    main(tyro.cli(Reenactment))
