"""Find out whether a dataset is right before hours of training."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Optional

import tyro
from rich.markup import escape
from rich.table import Table

from nerface_ns.checking.finding import Finding
from nerface_ns.scripts.command_errors import one_clear_error

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skip": "dim"}
"""Of the table's status column."""


@dataclass
class CheckCommand:
    """Check a dataset of any format that this package reads.

    Ends with 0 when nothing has to be mended before training, and with 1 otherwise.
    """

    data: tyro.conf.Positional[Path]
    """Folder of the dataset."""
    dataparser: Literal["auto", "nerface-data", "nerfblendshape-data", "flame-data", "adnerf-data"] = "auto"
    """Format; "auto" tells it by the files."""
    output_dir: Optional[Path] = None
    """Folder for the contact sheet; None writes outputs/nerface-check/<dataset>."""
    json: Optional[Path] = None
    """Write the findings to this file too."""


def main(command: CheckCommand) -> bool:
    """Run every check, print the table, write the contact sheet.

    Returns:
        Whether nothing has to be mended.
    """
    from nerfstudio.utils.rich_utils import CONSOLE

    from nerface_ns.checking.contact_sheet import write_contact_sheet
    from nerface_ns.checking.dataset_check import check_dataset, is_usable
    from nerface_ns.data.dataparsers.dataparser_choice import DATAPARSERS, detect_dataparser

    name = detect_dataparser(command.data) if command.dataparser == "auto" else command.dataparser
    parser = DATAPARSERS[name](data=command.data).setup()
    # The cheap errors would be printed twice.
    parser.tells_errors = False
    with CONSOLE.status(f"Checking {command.data} ..."):
        findings = check_dataset(parser)
    CONSOLE.print(findings_table(findings, f"{command.data} as {name}"))
    for finding in findings:
        if finding.remedy and finding.status in ("warn", "fail"):
            colour = COLOURS[finding.status]
            CONSOLE.print(f"[{colour}]{finding.check}[/]: {escape(finding.remedy)}", soft_wrap=True)
    usable = is_usable(findings)
    sheet = None
    if findings[0].status == "ok" and not any(finding.problem == "corrupt" for finding in findings):
        folder = command.output_dir or Path("outputs/nerface-check") / parser.sequence.name
        sheet = folder / "contact_sheet.png"
        write_contact_sheet(sheet, parser.sequence)
        CONSOLE.print(f"Contact sheet: {sheet}", soft_wrap=True, markup=False)
    CONSOLE.print("[green]Ready to train.[/green]" if usable else "[red]To be mended before training.[/red]")
    if command.json is not None:
        _write_record(command.json, findings_record(command.data, name, findings, sheet))
    return usable


def findings_table(findings: Sequence[Finding], title: str) -> Table:
    """Lay out what was found."""
    table = Table(title=escape(title))
    table.add_column("check")
    table.add_column("status")
    table.add_column("found", overflow="fold")
    for finding in findings:
        table.add_row(finding.check, f"[{COLOURS[finding.status]}]{finding.status}[/]", escape(finding.detail))
    return table


def findings_record(data: Path, dataparser: str, findings: Sequence[Finding], sheet: Optional[Path]) -> dict[str, Any]:
    """What the JSON file holds."""
    from nerface_ns.checking.dataset_check import is_usable

    return {
        "dataset": data.name,
        "dataparser": dataparser,
        "usable": is_usable(findings),
        "problems": [finding.problem for finding in findings if finding.status == "fail"],
        "warnings": [finding.problem for finding in findings if finding.status == "warn"],
        "contact_sheet": None if sheet is None else str(sheet),
        "findings": [finding.as_json() for finding in findings],
    }


def _write_record(path: Path, record: dict[str, Any]) -> None:
    """Write the findings, or say in one message that this cannot be."""
    from nerface_ns.evaluation.run_record import write_json

    try:
        write_json(path, record)
    except OSError as error:
        raise ValueError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


def entrypoint() -> None:
    """Run the command line."""
    command = tyro.cli(CheckCommand, description=__doc__)
    with one_clear_error():
        usable = main(command)
    sys.exit(0 if usable else 1)


if __name__ == "__main__":
    entrypoint()
