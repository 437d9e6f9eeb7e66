"""`nerface-track`: from an ordinary video of a head to a dataset that `ns-train nerface --data` takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from nerface_ns.scripts.command_errors import one_clear_error
from nerface_ns.tracking.tracking_config import TrackingConfig


@dataclass
class TrackCommand:
    """Track the head of a video: pose, focal length, expression, gaze, matte and background.

    The video should show one head before a camera that stands still. Run the same command again to go on after an
    interruption.
    """

    video: tyro.conf.Positional[Path]
    """Video file."""
    output_dir: Path
    """Folder of the dataset."""
    start: float = 0.0
    """First second of the video to take."""
    end: float | None = None
    """Second to stop at; the video's end without it."""
    fps: float | None = None
    """Frames a second to take; the video's own without it."""
    max_frames: int | None = None
    """Frames to take at most."""
    json: Path | None = None
    """File for the figures."""
    config: Annotated[TrackingConfig, tyro.conf.arg(name="")] = field(default_factory=TrackingConfig)
    """How the video is tracked."""


def main(command: TrackCommand) -> None:
    """Track, print figures and warnings."""
    from nerface_ns.tracking.video_decoder import VideoClip, video_facts

    clip = VideoClip(command.video, command.start, command.end, command.fps, command.max_frames)
    # What is wrong with the file is told before anything slow is imported.
    video_facts(clip.path)
    from nerface_ns.evaluation.run_record import require_writable_folder, run_record, write_json
    from nerface_ns.scripts.run_steps import plain_console, progress_bar
    from nerface_ns.tracking.video_tracker import track_video

    if command.json is not None:
        require_writable_folder(command.json.parent, "--json")
    require_writable_folder(command.output_dir, "--output-dir")
    console = plain_console()
    with progress_bar(console) as bar:
        tasks: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int | None) -> None:
            """Move the stage's bar; the first call makes it."""
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total, detail="")
            bar.update(tasks[stage], completed=done, total=max(done, total or 0) or None, detail=f"{done}")

        facts = track_video(clip, command.output_dir, command.config, progress)
    console.print(
        f"{facts['frames_tracked']} of {facts['frames_total']} frames, reprojection error "
        f"{facts['median_reprojection_px']:.2f} px at 512, focal length {facts['focal_px']:.0f} px, "
        f"{facts['frames_per_s']:.1f} frames/s"
    )
    for warning in facts["warnings"]:
        console.print(f"warning: {warning}", markup=False)
    console.print(f"dataset: {command.output_dir}; look at preview.mp4 and report.md there", markup=False)
    if command.json is not None:
        write_json(command.json, {**facts, **run_record()})


def entrypoint() -> None:
    """Run the command line."""
    command = tyro.cli(TrackCommand, description=__doc__)
    with one_clear_error():
        main(command)


if __name__ == "__main__":
    entrypoint()
