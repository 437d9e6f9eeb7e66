"""All checks in order, as a table and as JSON."""

from typing import Any, Dict, List, Sequence

from rich.markup import escape
from rich.table import Table

from nerface_ns.doctor.check import TRAINING, Check, Finding
from nerface_ns.doctor.host_checks import check_disk, check_memory, check_numba, check_processor
from nerface_ns.doctor.package_checks import check_entry_points, check_versions
from nerface_ns.doctor.tool_checks import check_ffmpeg, check_landmarker, check_libusb, check_lpips
from nerface_ns.doctor.torch_checks import check_cuda_device, check_nerfacc, check_torchvision

# Versions and torch come first: what they mend, the later checks load.
ALL_CHECKS = (
    Check("versions", TRAINING, check_versions),
    Check("torchvision", TRAINING, check_torchvision),
    Check("CUDA device", "speed", check_cuda_device),
    Check("nerfacc kernels", "speed", check_nerfacc),
    Check("numba", TRAINING, check_numba),
    Check("processor", "speed", check_processor),
    Check("memory", TRAINING, check_memory),
    Check("disk", TRAINING, check_disk),
    Check("plug-ins", TRAINING, check_entry_points),
    Check("ffmpeg", "ns-render", check_ffmpeg),
    Check("libusb", "ns-export", check_libusb),
    Check("LPIPS weights", "scores", check_lpips),
    Check("face landmarker", "own videos", check_landmarker),
)

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def findings_table(findings: Sequence[Finding]) -> Table:
    """Lay out what was found."""
    table = Table(title="nerface-doctor")
    for column in ("check", "needed for", "status"):
        table.add_column(column)
    table.add_column("found", overflow="fold")
    for finding in findings:
        status = finding.result.status
        table.add_row(
            finding.check.name,
            finding.check.needed_for,
            f"[{COLOURS[status]}]{status}[/]",
            escape(finding.result.detail),
        )
    return table


def remedy_lines(findings: Sequence[Finding]) -> List[str]:
    """Return, in rich's markup, what was mended and what the user can do about the rest."""
    lines = []
    for finding in findings:
        name, status = finding.check.name, finding.result.status
        if finding.mended:
            lines.append(f"[cyan]{name}[/]: {escape(finding.mended)}")
        if finding.result.remedy:
            lines.append(f"[{COLOURS[status]}]{name}[/]: {escape(finding.result.remedy)}")
    return lines


def findings_record(findings: Sequence[Finding]) -> Dict[str, Any]:
    """Return the findings as what JSON can hold."""
    return {
        "training_possible": training_possible(findings),
        "checks": [
            {
                "name": finding.check.name,
                "needed_for": finding.check.needed_for,
                "status": finding.result.status,
                "detail": finding.result.detail,
                "remedy": finding.result.remedy,
                "can_be_mended": finding.result.fix is not None,
                "mended": finding.mended,
            }
            for finding in findings
        ],
    }


def training_possible(findings: Sequence[Finding]) -> bool:
    """Return whether no check that training needs has failed."""
    return not any(finding.prevents_training for finding in findings)
