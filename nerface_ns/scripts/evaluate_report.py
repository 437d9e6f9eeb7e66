"""`nerface-evaluate --report`: a page with curves, tables by region and side-by-side videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator

if TYPE_CHECKING:
    from nerface_ns.evaluation.report_recorder import ReportRecorder
    from nerface_ns.evaluation.split_scores import SplitScores


def check_report_options(report: Path | None, report_landmarks: bool) -> None:
    """Refuse what cannot be written, before a run is loaded.

    Raises:
        ValueError: The page has another suffix, its folder cannot be written, or landmarks are asked for without it.
    """
    from nerface_ns.evaluation.run_record import require_writable_folder

    if report is None:
        if report_landmarks:
            raise ValueError("--report-landmarks: expected --report as well, got none")
        return
    if report.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"--report {report}: expected a name that ends in .html")
    require_writable_folder(report.parent, "--report")


@contextmanager
def recorded(report: Path | None, report_landmarks: bool, landmarker: Path | None, pipeline: Any) -> Iterator[Any]:
    """Hold what takes up scored frames for a page; None where none is asked for.

    Args:
        report: The page.
        report_landmarks: Whether landmarks' distance is wanted.
        landmarker: MediaPipe's model; the cached or fetched one without it.
        pipeline: The trained pipeline.
    """
    if report is None:
        yield None
        return
    from nerface_ns.evaluation.extra_scores import mediapipe_landmarks
    from nerface_ns.evaluation.report_recorder import ReportRecorder

    with mediapipe_landmarks(landmarker) if report_landmarks else nullcontext() as find:
        recorder = ReportRecorder(pipeline, find)
        try:
            yield recorder
        finally:
            recorder.close()


def write_report(
    report: Path, title: str, notes: Sequence[str], scores: Mapping[str, SplitScores], recorder: ReportRecorder
) -> dict[str, Any]:
    """Write the page; returns the further figures for the JSON file."""
    from nerface_ns.evaluation.report_page import report_page, write_page

    write_page(report, report_page(title, notes, scores, recorder.splits, recorder.videos()))
    return recorder.as_json()
