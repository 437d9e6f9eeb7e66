"""All checks of a dataset in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nerface_ns.checking.camera_checks import check_convention
from nerface_ns.checking.expression_checks import check_expressions
from nerface_ns.checking.finding import Finding
from nerface_ns.checking.lens_check import check_lens
from nerface_ns.checking.observed_points import observe
from nerface_ns.checking.picture_checks import check_background, check_files, check_mattes
from nerface_ns.checking.scene_checks import check_boxes, check_near_far, check_turn
from nerface_ns.data.dataparsers.face_dataparser import FaceDataParser
from nerface_ns.data.face_frames import FaceSequence
from nerface_ns.data.frame_json import is_mirrored


def check_dataset(parser: FaceDataParser) -> list[Finding]:
    """Read a dataset and look at everything; a dataset that cannot be read gives one finding.

    Of several persons each one's data are looked at by themselves.
    """
    try:
        sequence = parser.sequence
    except (ValueError, FileNotFoundError) as error:
        return [Finding("reading", "fail", str(error), "mend the file that is named", "unreadable")]
    if parser.people:
        named = zip(sequence.identity_names, parser.people)
        return [
            replace(finding, check=f"{name}: {finding.check}")
            for name, person in named
            for finding in check_dataset(person)
        ]
    counts = ", ".join(f"{len(frames)} {split}" for split, frames in sequence.splits.items())
    height, width = sequence.splits["train"].image_size
    length = sequence.splits["train"].expression.shape[1]
    reading = Finding("reading", "ok", f"{counts} frames of {width}x{height}, {length} coefficients")
    findings = [reading, *geometry_findings(sequence)]
    findings += [check_near_far(parser), check_boxes(sequence), check_turn(sequence)]
    findings += check_expressions(sequence)
    files = check_files(sequence)
    findings += files
    if files[0].status == "ok":
        findings += [*check_background(sequence), check_mattes(sequence)]
    return findings


def geometry_findings(sequence: FaceSequence) -> list[Finding]:
    """What costs milliseconds and decides whether training can work: convention, lens, and what the reader noticed."""
    observed = observe(sequence)
    convention = check_convention(observed, _has_negative_fx(sequence))
    findings = [convention]
    if convention.status != "fail":
        findings.append(check_lens(observed))
    return findings + [Finding("source", "warn", warning, problem="source") for warning in sequence.warnings]


def cheap_errors(sequence: FaceSequence) -> list[str]:
    """Sentences for a training that is about to start on data that are wrong."""
    bad = [finding for finding in geometry_findings(sequence) if finding.status == "fail"]
    bad += [finding for finding in check_expressions(sequence)[:1] if finding.status == "fail"]
    lines = [f"{finding.check}: {finding.detail}" + (f"; {finding.remedy}" * bool(finding.remedy)) for finding in bad]
    return lines + list(sequence.warnings)


def is_usable(findings: Sequence[Finding]) -> bool:
    """Whether nothing has to be mended before training."""
    return not any(finding.status == "fail" for finding in findings)


def _has_negative_fx(sequence: FaceSequence) -> bool | None:
    """Sign of fx in NerFace's own files; None for other formats."""
    source = sequence.splits["train"].source
    try:
        return is_mirrored(source)
    except (ValueError, FileNotFoundError):
        return None
