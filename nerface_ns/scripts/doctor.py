"""`nerface-doctor`: what works on this machine, and how to mend the rest."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import tyro
from rich.console import Console

from nerface_ns.doctor.check import examine_and_mend
from nerface_ns.doctor.report import ALL_CHECKS, findings_record, findings_table, remedy_lines, training_possible


@dataclass
class Doctor:
    """Show what works on this machine and how to mend the rest.

    Ends with 0 when training is possible and with 1 when it is not.
    """

    fix: bool = False
    """Mend what can be mended: installs packages (libusb as root), builds nerfacc's kernels, links ffmpeg, downloads
    LPIPS weights."""
    json: Optional[Path] = None
    """Write the findings to this file too."""

    def main(self) -> bool:
        """Run every check and show the table.

        Returns:
            Whether training is possible.
        """
        console = Console()
        findings = []
        with console.status("") as status:
            for check in ALL_CHECKS:
                status.update(f"{check.name} ...")
                findings.append(examine_and_mend(check, self.fix))
        console.print(findings_table(findings))
        for line in remedy_lines(findings):
            console.print(line, soft_wrap=True)
        possible = training_possible(findings)
        if any(finding.result.fix is not None for finding in findings) and not self.fix:
            console.print("`nerface-doctor --fix` mends what can be mended from here.")
        console.print("[green]Training is possible.[/green]" if possible else "[red]Training is not possible.[/red]")
        if self.json is not None:
            self.json.parent.mkdir(parents=True, exist_ok=True)
            self.json.write_text(json.dumps(findings_record(findings), indent=2) + "\n")
        return possible


def entrypoint() -> None:
    """Run the command line."""
    sys.exit(0 if tyro.cli(Doctor).main() else 1)


if __name__ == "__main__":
    entrypoint()
