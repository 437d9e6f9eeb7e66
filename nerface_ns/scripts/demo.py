"""`nerface-demo`: trains the embedded head, scores it, and renders a video of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from rich.console import Console

from nerface_ns.scripts.command_errors import one_clear_error

MINUTES_ON_CPU, MINUTES_ON_CUDA = 2.75, 0.5
CPU_OPTIONS = (
    *("--pipeline.datamanager.train-num-rays-per-batch", "1024"),
    *("--pipeline.datamanager.pixel-sampler.region-share", "0.5"),
)
"""Small steps, half of their rays on mouth and eyes: what counts in few minutes."""
TORSO_OPTIONS = ("--pipeline.model.radiance-field.torso.enabled", "True")
FRAMES_PER_S = 15.0
TURNTABLE_FRAMES = (30, 90)
"""Fewest and most frames of the turning head; between them as many as `TURNTABLE_BUDGET_S` allows."""
TURNTABLE_BUDGET_S = 30.0


@dataclass
class DemoCommand:
    """Train an avatar of the embedded synthetic head, score it on frames that it never saw, and render a video.

    Needs no data, no GPU and no network.
    """

    output_dir: Path = Path("outputs/nerface-demo")
    """Folder for the run, the scores, the video and the contact sheet."""
    json: Path | None = None
    """File for the scores; metrics.json in the output folder without it."""
    minutes: float | None = None
    """Training time; without it 2.75 on a CPU and 0.5 on a CUDA device."""
    max_steps: int | None = None
    """Ends the training after so many steps where that comes before the time is up."""
    method: str = "nerface"
    """Registered method to train."""
    variant: Literal["head", "torso"] = "head"
    """What is filmed: a head whose shoulders turn with it, or one before shoulders that stand still, for which the
    avatar gets a torso of its own."""


@dataclass
class ShownFrames:
    """Pictures kept for the video and the contact sheet."""

    truths: list[np.ndarray] = field(default_factory=list)
    """Frames of the test split."""
    renders: list[np.ndarray] = field(default_factory=list)
    """What the avatar makes of them."""
    driven: list[np.ndarray] = field(default_factory=list)
    """The turning head."""
    weights: list[np.ndarray] = field(default_factory=list)
    """Share of each expression in the turning head's frames."""

    def keep_test_frame(self, split: str, index: int, frame: Any) -> None:
        """Keep a frame of the test split."""
        from nerface_ns.evaluation.comparison_image import colors_to_bytes

        if split == "test":
            self.truths.append(colors_to_bytes(frame.truth))
            self.renders.append(colors_to_bytes(frame.outputs["rgb"]))


def main(command: DemoCommand) -> dict[str, Any]:
    """Run the demo; returns what was written as JSON."""
    from nerface_ns.evaluation.run_record import require_writable_folder

    start = time.monotonic()
    metrics_path = command.json or command.output_dir / "metrics.json"
    require_writable_folder(command.output_dir, "--output-dir")
    require_writable_folder(metrics_path.parent, "--json")
    if command.minutes is not None and not command.minutes > 0:
        raise ValueError(f"--minutes needs to be positive, got {command.minutes}")
    console = Console()
    console.print("[bold]nerface-demo[/bold]: an avatar of the embedded head, from data to video\n")
    trainer, report = _train(command, console)
    shown, record = _score(trainer.pipeline, console)
    _turn_head(trainer.pipeline, shown, console)
    video_path, sheet_path = command.output_dir / "demo.mp4", command.output_dir / "demo_sheet.png"
    names = list(_sweeps(trainer.pipeline))
    _write_video(video_path, shown, names)
    _write_sheet(sheet_path, shown, names)
    results = {
        "config": str(report.config_path),
        "checkpoint": str(report.checkpoint_path),
        "metrics": str(metrics_path),
        "video": str(video_path),
        "contact_sheet": str(sheet_path),
    }
    return _finish(record, report, results, time.monotonic() - start, console)


def _train(command: DemoCommand, console: Console) -> tuple[Any, Any]:
    import torch

    from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
    from nerface_ns.evaluation.training_config import training_config
    from nerface_ns.scripts.run_steps import train_with_progress
    from nerface_ns.synthetic.demo_cache import demo_data_dir
    from nerface_ns.synthetic.demo_sequence import DemoSequenceConfig

    with console.status("loading, and making the head (once; it is kept)"), quiet_nerfstudio():
        demo_data_dir(DemoSequenceConfig(standing_torso=command.variant == "torso"))
        on_cuda = torch.cuda.is_available()
        options = [] if on_cuda else list(CPU_OPTIONS)
        if command.max_steps is not None:
            options += ["--max-num-iterations", str(command.max_steps)]
        if command.variant == "torso":
            options += TORSO_OPTIONS
        data = Path("demo-torso") if command.variant == "torso" else None
        config = training_config(command.method, command.output_dir, data, "nerface-demo", overrides=options)
    config.experiment_name = f"demo-{command.variant}"
    default = MINUTES_ON_CUDA if on_cuda else MINUTES_ON_CPU
    minutes = default if command.minutes is None else command.minutes
    console.print(
        f"device {config.machine.device_type}, {torch.get_num_threads()} threads, {minutes:g} min of training"
    )
    return train_with_progress(config, minutes * 60, console)


def _score(pipeline: Any, console: Console) -> tuple[ShownFrames, dict[str, Any]]:
    from nerface_ns.evaluation.data_splits import check_splits
    from nerface_ns.evaluation.score_table import score_table
    from nerface_ns.evaluation.split_scores import code_protocol, scores_as_json
    from nerface_ns.model_components.perceptual_distance import PerceptualDistance
    from nerface_ns.scripts.run_steps import score_splits

    shown = ShownFrames()
    splits = check_splits(pipeline.datamanager.dataparser, ("test",))
    image_distance = PerceptualDistance(pipeline.device)
    scores = score_splits(pipeline, splits, image_distance, console, shown.keep_test_frame)
    figures, protocol = scores_as_json(scores), code_protocol(pipeline)
    console.print(score_table(figures, "frames never trained on", protocol))
    if image_distance.message is not None:
        console.print(image_distance.message)
    seconds_per_frame = scores["test"].render_s / max(len(scores["test"].frame_names), 1)
    return shown, {**figures, "code_protocol": protocol, "seconds_per_frame": round(seconds_per_frame, 4)}


def _sweeps(pipeline: Any) -> dict[str, Any]:
    from nerface_ns.rendering.demo_cameras import expression_sweeps

    metadata = pipeline.datamanager.train_dataset.metadata
    return expression_sweeps(metadata["expression_names"], metadata["train_expression"])


def _turn_head(pipeline: Any, shown: ShownFrames, console: Console) -> None:
    from nerface_ns.evaluation.comparison_image import colors_to_bytes
    from nerface_ns.rendering.demo_cameras import turntable
    from nerface_ns.rendering.posed_camera import middle_camera
    from nerface_ns.scripts.run_steps import progress_bar

    dataset = pipeline.datamanager.train_dataset
    pivot = dataset.scene_box.aabb.mean(dim=0)
    index = middle_camera(dataset.cameras.camera_to_worlds)
    camera = dataset.cameras[index : index + 1].to(pipeline.device)
    pipeline.eval()
    start, num_frames = time.monotonic(), TURNTABLE_FRAMES[0]
    colors_to_bytes(pipeline.model.get_outputs_for_camera(camera)["rgb"])
    affordable = int(TURNTABLE_BUDGET_S / max(time.monotonic() - start, 1e-3))
    num_frames = min(max(affordable, TURNTABLE_FRAMES[0]), TURNTABLE_FRAMES[1])
    with progress_bar(console) as progress:
        task = progress.add_task("turning the head", total=num_frames, detail=f"{num_frames} frames")
        for posed, weights in turntable(camera, pivot, _sweeps(pipeline), num_frames):
            shown.driven.append(colors_to_bytes(pipeline.model.get_outputs_for_camera(posed)["rgb"]))
            shown.weights.append(weights.numpy())
            progress.advance(task)


def _write_video(path: Path, shown: ShownFrames, names: list[str]) -> None:
    from nerface_ns.rendering.demo_picture import driven_frame, side_by_side
    from nerface_ns.rendering.video_writer import VideoWriter

    with VideoWriter(path, FRAMES_PER_S) as video:
        for truth, render in zip(shown.truths, shown.renders):
            video.append(side_by_side(truth, render))
        for render, weights in zip(shown.driven, shown.weights):
            video.append(driven_frame(render, names, weights))


def _write_sheet(path: Path, shown: ShownFrames, names: list[str]) -> None:
    from PIL import Image

    from nerface_ns.rendering.picture_layout import contact_sheet

    picked = np.linspace(0, len(shown.truths) - 1, max(len(names), 2)).round().astype(int)
    peaks = np.stack(shown.weights).argmax(axis=0)
    rows = [
        [shown.truths[index] for index in picked],
        [shown.renders[index] for index in picked],
        [shown.driven[index] for index in peaks],
    ]
    titles = [["truth, frames never trained on"], ["avatar"], [f"drive: {name}" for name in names]]
    Image.fromarray(contact_sheet(rows, titles)).save(path)


def _finish(
    record: dict[str, Any], report: Any, results: dict[str, str], wall_s: float, console: Console
) -> dict[str, Any]:
    from nerface_ns.evaluation.run_record import run_record, write_json

    speed = {"steps": report.steps, "train_s": round(report.train_s, 1), "wall_s": round(wall_s, 1)}
    content = {**record, **speed, **run_record(), "files": results}
    write_json(Path(results["metrics"]), content)
    console.print(f"\ndone in {wall_s:.0f} s")
    for name, path in results.items():
        console.print(f"  {name.replace('_', ' '):<14}{path}", soft_wrap=True, highlight=False)
    console.print(f"\nlook at it in the browser:  ns-viewer --load-config {results['config']}", soft_wrap=True)
    return content


def entrypoint() -> None:
    """Run the command line."""
    command = tyro.cli(DemoCommand, description=__doc__)
    with one_clear_error():
        main(command)


if __name__ == "__main__":
    entrypoint()
