"""Steps that several commands share, each with a progress bar: train until a deadline, score splits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nerface_ns.evaluation.evaluation_protocol import RUN_PROTOCOL, EvaluationProtocol
from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
from nerface_ns.evaluation.split_scores import RenderedFrame, SplitScores, score_split
from nerface_ns.evaluation.unseen_poses import PoseProtocol


def plain_console() -> Console:
    """Make a console of our own: nerfstudio's is silenced while bars are shown."""
    return Console()


def progress_bar(console: Console) -> Progress:
    """Make a progress bar with the time that has passed and that is left."""
    return Progress(
        TextColumn("{task.description:<22}"),
        BarColumn(bar_width=40),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
        console=console,
    )


def train_with_progress(config: Any, train_s: float, console: Console) -> tuple[Any, Any]:
    """Train for a time, set-up included, under a progress bar.

    Args:
        config: The run's configuration.
        train_s: Seconds from now at which to stop.
        console: Where the bar stands.

    Returns:
        The trainer and its `TrainingReport`.
    """
    deadline = time.monotonic() + train_s
    with quiet_nerfstudio(), progress_bar(console) as progress:
        from nerface_ns.evaluation.timed_trainer import train_until

        task = progress.add_task("training", total=1.0, detail="preparing")

        def step_done(fraction: float, steps: int) -> None:
            """Move the bar."""
            progress.update(task, completed=fraction, detail=f"{steps} steps")

        trainer, report = train_until(config, deadline, step_done)
        progress.update(task, completed=1.0, detail=f"{report.steps} steps")
    return trainer, report


def score_splits(
    pipeline: Any,
    splits: Sequence[str],
    image_distance: Any,
    console: Console,
    frame_done: Callable[[str, int, RenderedFrame], None] | None = None,
    max_frames: int | None = None,
    poses: PoseProtocol = "as_tracked",
) -> dict[str, SplitScores]:
    """Score splits with the model's own settings, under a progress bar each.

    Args:
        pipeline: A trained nerfstudio pipeline.
        splits: Names of splits that exist.
        image_distance: LPIPS or a stand-in for it.
        console: Where the bars stand.
        frame_done: Called after every frame with its split, its index and the frame.
        max_frames: Frames of each split to score, evenly spread; all without it.
        poses: Rule for the cameras of frames never trained on.
    """

    def done(_: EvaluationProtocol, split: str, index: int, frame: RenderedFrame) -> None:
        """Tell of a frame without the protocol, of which there is one."""
        if frame_done is not None:
            frame_done(split, index, frame)

    protocols = [RUN_PROTOCOL]
    scores = score_splits_by_protocol(pipeline, splits, protocols, image_distance, console, done, max_frames, poses)
    return scores[RUN_PROTOCOL.name]


def score_splits_by_protocol(
    pipeline: Any,
    splits: Sequence[str],
    protocols: Sequence[EvaluationProtocol],
    image_distance: Any,
    console: Console,
    frame_done: Callable[[EvaluationProtocol, str, int, RenderedFrame], None] | None = None,
    max_frames: int | None = None,
    poses: PoseProtocol = "as_tracked",
) -> dict[str, dict[str, SplitScores]]:
    """Score splits under several protocols, under a progress bar each.

    Args:
        pipeline: A trained nerfstudio pipeline.
        splits: Names of splits that exist.
        protocols: With different names.
        image_distance: LPIPS or a stand-in for it.
        console: Where the bars stand.
        frame_done: Called after every frame with the protocol, its split, its index and the frame.
        max_frames: Frames of each split to score, evenly spread; all without it.
        poses: Rule for the cameras of frames never trained on.

    Returns:
        Scores by the protocols' names, then by split.
    """
    scores: dict[str, dict[str, SplitScores]] = {protocol.name: {} for protocol in protocols}
    with quiet_nerfstudio(), progress_bar(console) as progress:
        for split in splits:
            task = progress.add_task(f"scoring {split}", total=None, detail="")

            def advance(
                protocol: EvaluationProtocol,
                index: int,
                count: int,
                frame: RenderedFrame,
                task: Any = task,
                split: str = split,
            ) -> None:
                """Move the bar and tell of a frame."""
                progress.update(task, total=count, completed=index + 1, detail=f"{count} frames")
                if frame_done is not None:
                    frame_done(protocol, split, index, frame)

            by_protocol = score_split(pipeline, split, protocols, image_distance, advance, max_frames, poses)
            for name, split_scores in by_protocol.items():
                scores[name][split] = split_scores
    return scores


def near_far(pipeline: Any) -> tuple[float, float] | None:
    """Return the depths between which the dataset lies, where it says so."""
    return pipeline.datamanager.train_dataset.metadata.get("near_far")
