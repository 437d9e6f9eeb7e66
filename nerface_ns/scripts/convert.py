"""Turn a dataset of any format this package reads into NerFace's format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Union

import tyro
from typing_extensions import Annotated

from nerface_ns.data.dataparsers.adnerf_dataparser import ADNeRFDataParserConfig
from nerface_ns.data.dataparsers.flame_dataparser import FlameDataParserConfig
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.dataparsers.nerfblendshape_dataparser import NeRFBlendShapeDataParserConfig
from nerface_ns.data.nerface_writer import write_nerface_dataset
from nerface_ns.scripts.command_errors import one_clear_error

SourceFormat = Union[
    Annotated[NeRFBlendShapeDataParserConfig, tyro.conf.subcommand("nerfblendshape-data")],
    Annotated[FlameDataParserConfig, tyro.conf.subcommand("flame-data")],
    Annotated[ADNeRFDataParserConfig, tyro.conf.subcommand("adnerf-data")],
    Annotated[NeRFaceDataParserConfig, tyro.conf.subcommand("nerface-data")],
]


@dataclass
class ConvertCommand:
    """Write a dataset in NerFace's format, with the cameras, splits and conditions that its dataparser gives it.

    Example: nerface-convert --output-dir OUT flame-data --data DIR --conditions expression jaw
    """

    source: tyro.conf.OmitSubcommandPrefixes[SourceFormat]
    """Format of the dataset, its folder (--data) and its settings, as `ns-train` takes them."""
    output_dir: Path
    """Folder to write, which must not be there yet."""
    image_files: Literal["copy", "link"] = "copy"
    """Copy images and mattes, or make hard links, which cost no space on the same disk."""


def main(command: ConvertCommand) -> dict[str, int]:
    """Convert, and say what was written.

    Returns:
        Number of frames by split.
    """
    from nerfstudio.utils.rich_utils import CONSOLE

    sequence = command.source.setup().sequence
    if sequence.identity_names:
        raise ValueError(f"{command.source.data}: expected one person, got {', '.join(sequence.identity_names)}")
    counts = write_nerface_dataset(sequence, command.output_dir, command.image_files)
    for warning in sequence.warnings:
        CONSOLE.print(f"Warning: {warning}", soft_wrap=True, markup=False)
    told = ", ".join(f"{count} {split}" for split, count in counts.items())
    names = sequence.expression_names
    length = sequence.splits["train"].expression.shape[1]
    known = "without names" if names is None else f"{names[0]}..{names[-1]}"
    CONSOLE.print(f"{command.output_dir}: {told} frames, {length} coefficients ({known})", markup=False)
    CONSOLE.print(f"ns-train nerface --data {command.output_dir} nerface-data", soft_wrap=True, markup=False)
    return counts


def entrypoint() -> None:
    """Run the command line."""
    command = tyro.cli(ConvertCommand, description=__doc__)
    with one_clear_error():
        main(command)


if __name__ == "__main__":
    entrypoint()
