"""`nerface-export-checkpoint`: makes a checkpoint for NerFace's own code from a run of method nerface-paper."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from nerface_ns.scripts.command_errors import one_clear_error


@dataclass
class ExportCheckpointCommand:
    """Write a run's latest checkpoint as NerFace's training script would have."""

    load_config: Path
    """The run's config.yml."""
    output: Path
    """The checkpoint to write, such as checkpoint400000.ckpt; a file of this name is replaced."""


def main(command: ExportCheckpointCommand) -> None:
    """Export and say where to."""
    from nerfstudio.utils.rich_utils import CONSOLE

    from nerface_ns.evaluation.run_record import require_writable_folder
    from nerface_ns.original.exported_checkpoint import export_checkpoint

    require_writable_folder(command.output.parent, "--output")
    exported = export_checkpoint(command.load_config, command.output)
    for note in exported.notes:
        CONSOLE.print(f"[bold yellow]{note}", soft_wrap=True)
    CONSOLE.print(f"checkpoint after iteration {exported.iteration}: {exported.path}", soft_wrap=True)


def entrypoint() -> None:
    """Run the command line."""
    command = tyro.cli(ExportCheckpointCommand, description=__doc__)
    with one_clear_error():
        main(command)


if __name__ == "__main__":
    entrypoint()
