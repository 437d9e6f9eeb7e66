"""`nerface-cameras`: what refinement made of a run's cameras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from nerface_ns.scripts.command_errors import one_clear_error

TABLE_FILE, PLOT_FILE, LENS_FILE, DATASET_FOLDER = "corrections.csv", "cameras.png", "lens.json", "dataset"
"""What `export` writes."""


@dataclass
class ExportCommand:
    """Write the refined cameras of a run: a dataset in NerFace's format, a table of corrections, a plot, the lens.

    Frames that were not trained on are moved along with the training frames, as one rigid scene with its scale.
    """

    load_config: Path
    """The run's config.yml."""
    output_dir: Path
    """Folder for corrections.csv, cameras.png, lens.json and dataset/, which must not be there yet."""
    image_files: Literal["copy", "link", "none"] = "copy"
    """Copy the dataset's images, make hard links on the same disk, or write no dataset."""


def main(command: ExportCommand) -> None:
    """Export and say what was written."""
    from nerfstudio.utils.rich_utils import CONSOLE

    from nerface_ns.data.nerface_writer import write_nerface_dataset
    from nerface_ns.evaluation.refined_recording import RefinedRecording
    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.evaluation.run_record import require_writable_folder, write_json
    from nerface_ns.tracks.whole_file import write_whole

    dataset = command.output_dir / DATASET_FOLDER
    if command.image_files != "none" and dataset.exists():
        raise ValueError(f"{dataset}: expected a folder that is not there yet, found one")
    require_writable_folder(command.output_dir, "--output-dir")
    _, pipeline, _, step = load_run(command.load_config)
    recording = RefinedRecording(pipeline, command.load_config)
    write_whole(command.output_dir / TABLE_FILE, recording.table())
    recording.plot(command.output_dir / PLOT_FILE)
    lens = recording.lens
    write_json(command.output_dir / LENS_FILE, {**lens, "step": step})
    CONSOLE.print(f"corrections of {len(recording.names)} frames: {command.output_dir / TABLE_FILE}", soft_wrap=True)
    CONSOLE.print(f"focal length: {lens['focal_factor']:.4f} times the tracked one", soft_wrap=True)
    if command.image_files != "none":
        write_nerface_dataset(recording.refined_sequence(), dataset, command.image_files)
        CONSOLE.print(f"dataset: {dataset}", soft_wrap=True)
    if command.image_files != "none" and lens["k1"] != 0:
        CONSOLE.print(f"the radial term k1 = {lens['k1']:.5f} is in {LENS_FILE} only: NerFace's format has no place")


def entrypoint() -> None:
    """Run the command line."""
    command = tyro.extras.subcommand_cli_from_dict({"export": ExportCommand}, description=__doc__)
    with one_clear_error():
        main(command)


if __name__ == "__main__":
    entrypoint()
