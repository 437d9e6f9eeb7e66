"""`nerface-import-checkpoint`: makes a run of method nerface-paper from a checkpoint of NerFace's own code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from nerface_ns.original.import_settings import ImportSettings
from nerface_ns.scripts.command_errors import one_clear_error


@dataclass(kw_only=True)
class ImportCheckpointCommand(ImportSettings):
    """Make a run that ns-eval, ns-viewer, ns-render and further training take."""

    checkpoint: tyro.conf.Positional[Path]
    """A checkpoint of NerFace's training script; only tensors, numbers and text in it are loaded."""


def main(command: ImportCheckpointCommand) -> Path:
    """Import and say what can be done with the run; returns its config.yml."""
    from nerfstudio.utils.rich_utils import CONSOLE

    from nerface_ns.original.imported_run import import_checkpoint

    run = import_checkpoint(command.checkpoint, command)
    CONSOLE.print(f"run after iteration {run.iteration}: {run.config_path.parent}", soft_wrap=True)
    for note in run.notes:
        CONSOLE.print(f"[bold yellow]{note}", soft_wrap=True)
    CONSOLE.print(f"scores:   nerface-evaluate --load-config {run.config_path}", soft_wrap=True)
    CONSOLE.print(f"viewer:   ns-viewer --load-config {run.config_path}", soft_wrap=True)
    CONSOLE.print(f"training: ns-train nerface-paper --load-config {run.config_path}", soft_wrap=True)
    return run.config_path


def entrypoint() -> None:
    """Run the command line."""
    command = tyro.cli(ImportCheckpointCommand, description=__doc__)
    with one_clear_error():
        main(command)


if __name__ == "__main__":
    entrypoint()
