"""`nerface-evaluate`: scores a trained run on frames that it never trained on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from nerface_ns.scripts.command_errors import one_clear_error

if TYPE_CHECKING:
    from nerface_ns.evaluation.split_scores import RenderedFrame


@dataclass
class EvaluateCommand:
    """Score a trained run, whole splits at a time: full image, face box, mouth, eyes and mask."""

    load_config: Path
    """The run's config.yml."""
    split: tuple[Literal["test", "val", "nvs", "train"], ...] = ()
    """Splits to score; without it every one of test, val and nvs (novel views) that the dataset has."""
    output_dir: Path | None = None
    """Folder for side-by-side pictures (truth, render, error, accumulation, depth); none are written without it."""
    image_every: int = 1
    """Write the picture of every n-th frame."""
    json: Path | None = None
    """File for the scores, means and every frame's."""
    code_protocol: Literal["zero", "mean", "nearest", "frame"] | None = None
    """Latent code of frames never trained on: zero, the training codes' mean, the code of the training frame with the
    nearest expression, or of one given frame; the run's own rule without it."""
    code_frame: int | None = None
    """Training frame of protocol frame."""


def main(command: EvaluateCommand) -> None:
    """Score the run, print a table, write what was asked for."""
    from nerfstudio.utils.rich_utils import CONSOLE

    from nerface_ns.evaluation.data_splits import check_splits
    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.evaluation.run_record import require_writable_folder, run_record, write_json
    from nerface_ns.evaluation.score_table import score_table
    from nerface_ns.evaluation.split_scores import code_protocol, scores_as_json
    from nerface_ns.model_components.perceptual_distance import PerceptualDistance
    from nerface_ns.scripts.run_steps import near_far, plain_console, score_splits

    if command.image_every < 1:
        raise ValueError(f"--image-every needs to be at least 1, got {command.image_every}")
    if command.output_dir is not None:
        require_writable_folder(command.output_dir, "--output-dir")
    if command.json is not None:
        require_writable_folder(command.json.parent, "--json")
    config, pipeline, checkpoint_path, step = load_run(command.load_config, command.code_protocol, command.code_frame)
    splits = check_splits(pipeline.datamanager.dataparser, command.split)
    image_distance = PerceptualDistance(pipeline.device)
    frame_done = None
    if command.output_dir is not None:
        frame_done = partial(write_comparison, command.output_dir, command.image_every, near_far(pipeline))
    scores = score_splits(pipeline, splits, image_distance, plain_console(), frame_done)
    figures, protocol = scores_as_json(scores), code_protocol(pipeline)
    CONSOLE.print(score_table(figures, f"{config.method_name}, step {step}", protocol))
    if image_distance.message is not None:
        CONSOLE.print(image_distance.message)
    if command.output_dir is not None:
        CONSOLE.print(f"pictures: {command.output_dir}")
    if command.json is not None:
        frames = {name: dict(zip(split.frame_names, split.frame_scores)) for name, split in scores.items()}
        head = {"method": config.method_name, "step": step, "checkpoint": checkpoint_path.name}
        write_json(command.json, {**figures, "code_protocol": protocol, **head, **run_record(), "frames": frames})
        CONSOLE.print(f"scores: {command.json}")


def write_comparison(
    output_dir: Path,
    image_every: int,
    depth_range: tuple[float, float] | None,
    split: str,
    index: int,
    frame: RenderedFrame,
) -> None:
    """Write the side-by-side picture of every n-th frame into a folder for each split."""
    from nerface_ns.evaluation.comparison_image import comparison_image, write_png

    if index % image_every == 0:
        image = comparison_image(frame.truth, frame.outputs, depth_range, labels=True)
        write_png(output_dir / split / f"{index:05d}_{Path(frame.name).stem}.png", image)


def entrypoint() -> None:
    """Run the command line."""
    command = tyro.cli(EvaluateCommand, description=__doc__)
    with one_clear_error():
        main(command)


if __name__ == "__main__":
    entrypoint()
