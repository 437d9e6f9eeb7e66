"""`nerface-import-blendshape`: makes a run of method nerface-blendshape from a checkpoint of NeRFBlendShape's code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from nerface_ns.original.blendshape_run import BlendshapeImportSettings, import_blendshape
from nerface_ns.scripts.command_errors import one_clear_error


@dataclass(kw_only=True)
class ImportBlendshapeCommand(BlendshapeImportSettings):
    """Make a run that ns-eval, ns-viewer, ns-render and further training take."""

    checkpoint: tyro.conf.Positional[Path]
    """A checkpoint of NeRFBlendShape's training script; only tensors, numbers and text in it are loaded."""


def main(command: ImportBlendshapeCommand) -> Path:
    """Import and say what can be done with the run; returns its config.yml."""
    from nerfstudio.utils.rich_utils import CONSOLE

    config_path = import_blendshape(command.checkpoint, command)
    CONSOLE.print(f"run: {config_path.parent}", soft_wrap=True)
    CONSOLE.print(f"scores: nerface-evaluate --load-config {config_path}", soft_wrap=True)
    CONSOLE.print(f"viewer: ns-viewer --load-config {config_path}", soft_wrap=True)
    return config_path


def entrypoint() -> None:
    """Run the command line."""
    command = tyro.cli(ImportBlendshapeCommand, description=__doc__)
    with one_clear_error():
        main(command)


if __name__ == "__main__":
    entrypoint()
