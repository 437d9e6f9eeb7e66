"""What a tracked dataset is like: figures, warnings, plots and a page that shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nerface_ns.tracking.head_motion import yaw_pitch_roll
from nerface_ns.tracking.head_track import HeadTrack
from nerface_ns.tracking.whole_image import write_bytes

FEW_DEGREES = 15.0
"""Range of yaw (5th to 95th percentile) below which side views are weak."""
LARGE_ERROR_PX = 2.0
"""Median reprojection error at 512 pixels above which poses are doubtful."""
FOCAL_SIGMA = 0.15
"""Relative uncertainty of the focal length that is worth a warning."""
FEW_FRAMES = 300
"""Frames below which a person's expressions are hardly covered."""
IDLE_RANGE = 0.05
"""Coefficients that stay within this range carry next to nothing."""
REPORT_FILE, PLOT_FOLDER = "report.md", "report"


def figures(track: HeadTrack, frames_total: int, seen_share: float | None) -> dict[str, Any]:
    """Figures of a track, as the JSON file holds them."""
    angles = np.rad2deg(yaw_pitch_roll(track.fit.rotation))
    low, high = np.percentile(angles, [5, 95], axis=0)
    spread = np.percentile(track.expression, 99, axis=0) - np.percentile(track.expression, 1, axis=0)
    return {
        "frames_total": frames_total,
        "frames_tracked": len(track.ticks),
        "frames_tracked_fraction": len(track.ticks) / frames_total,
        "frames_dropped": {reason: len(ticks) for reason, ticks in track.dropped.items()},
        "frames_with_several_faces": track.num_several,
        "cuts": track.cuts,
        "median_reprojection_px": float(np.median(track.fit.error_px)) * 512 / track.crop.size_px,
        "focal_px": track.fit.focal_px,
        "focal_relative_sigma": track.fit.focal_sigma,
        "image_size_px": track.crop.size_px,
        "yaw_range_deg": float(high[0] - low[0]),
        "pitch_range_deg": float(high[1] - low[1]),
        "roll_range_deg": float(high[2] - low[2]),
        "idle_coefficients": [name for name, value in zip(track.names, spread) if value < IDLE_RANGE],
        "background_seen_fraction": seen_share,
    }


def warnings(facts: dict[str, Any]) -> list[str]:
    """What the figures should make one wary of."""
    found = []
    if facts["yaw_range_deg"] < FEW_DEGREES:
        found.append(f"the head turns only {facts['yaw_range_deg']:.0f} degrees: expect weak side views")
    if facts["frames_tracked"] < FEW_FRAMES:
        found.append(f"only {facts['frames_tracked']} frames: expect few expressions and weak generalisation")
    if facts["frames_tracked_fraction"] < 0.95:
        lost = 100 * (1 - facts["frames_tracked_fraction"])
        found.append(f"{lost:.0f} % of the frames were dropped: {facts['frames_dropped']}")
    if facts["median_reprojection_px"] > LARGE_ERROR_PX:
        found.append(f"landmarks are {facts['median_reprojection_px']:.1f} px off the fit: look at the preview")
    if facts["focal_relative_sigma"] > FOCAL_SIGMA:
        share = 100 * facts["focal_relative_sigma"]
        found.append(
            f"the focal length is known to about {share:.0f} % only: landmarks of one head tell little about it; "
            "--bundle-adjustment.focal-px takes a known one"
        )
    if facts["frames_with_several_faces"]:
        found.append(f"{facts['frames_with_several_faces']} frames show several faces: the largest was taken")
    if facts["cuts"]:
        found.append(
            f"the video seems to be cut before frames {facts['cuts'][:5]}: background and matte expect one take"
        )
    seen = facts["background_seen_fraction"]
    if seen is not None and seen < 0.3:
        found.append(f"only {100 * seen:.0f} % of the background were ever seen; the rest is made up")
    return found


def write_report(
    root: Path, title: str, track: HeadTrack, facts: dict[str, Any], notes: list[str], rate: float
) -> None:
    """Write `report.md` and its plots.

    Raises:
        ValueError: A file cannot be written.
    """
    _plots(root / PLOT_FOLDER, track, rate)
    rows = [f"| {name.replace('_', ' ')} | {_cell(value)} |" for name, value in facts.items()]
    lines = [f"# {title}", "", "## Warnings", ""]
    lines += [f"- {note}" for note in notes] or ["None."]
    lines += ["", "## Figures", "", "| | |", "|---|---|", *rows, ""]
    dropped = [f"- {reason}: frames {_ranges(ticks)}" for reason, ticks in track.dropped.items()]
    lines += ["## Dropped frames", "", *(dropped or ["None."]), ""]
    for name, caption in (
        ("pose", "Turn of the head"),
        ("reprojection", "Reprojection error of the rigid landmarks at 512 pixels"),
        ("blendshapes", "Activity of the coefficients (1st to 99th percentile, median)"),
    ):
        lines += [f"## {caption}", "", f"![{caption}]({PLOT_FOLDER}/{name}.png)", ""]
    if facts["background_seen_fraction"] is not None:
        lines += ["## Background (white: seen)", "", "![Background](bg/00050.png) ![Seen](background_seen.png)", ""]
    write_bytes(root / REPORT_FILE, "\n".join(lines).encode())


def write_frame_table(root: Path, track: HeadTrack, splits: list[str], rate: float) -> None:
    """Write `report/frames.csv`: split, time, angles and reprojection error (pixels at 512) of every frame.

    Raises:
        ValueError: The file cannot be written.
    """
    angles = np.rad2deg(yaw_pitch_roll(track.fit.rotation))
    errors = 512 / track.crop.size_px * track.error_px
    lines = ["frame,split,time_s,yaw_deg,pitch_deg,roll_deg,reprojection_px"]
    for tick, split, (yaw, pitch, roll), error in zip(track.ticks, splits, angles, errors):
        lines.append(f"{tick},{split},{tick / rate:.4f},{yaw:.3f},{pitch:.3f},{roll:.3f},{error:.3f}")
    write_bytes(root / PLOT_FOLDER / "frames.csv", ("\n".join(lines) + "\n").encode())


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, dict)):
        return ", ".join(f"{key}: {value[key]}" if isinstance(value, dict) else str(key) for key in value) or "none"
    return "-" if value is None else str(value)


def _ranges(ticks: list[int]) -> str:
    """Numbers as ranges: 1-3, 7."""
    parts: list[list[int]] = []
    for tick in ticks:
        if parts and tick == parts[-1][1] + 1:
            parts[-1][1] = tick
        else:
            parts.append([tick, tick])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def _plots(folder: Path, track: HeadTrack, rate: float) -> None:
    from io import BytesIO

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    def save(name: str, figure: Figure) -> None:
        """Write a figure as PNG."""
        buffer = BytesIO()
        FigureCanvasAgg(figure).print_png(buffer)
        write_bytes(folder / f"{name}.png", buffer.getvalue())

    times_s = track.ticks / rate
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.add_subplot()
    for angle, label in zip(np.rad2deg(yaw_pitch_roll(track.fit.rotation)).T, ("yaw", "pitch", "roll")):
        axes.plot(times_s, angle, label=label, linewidth=0.9)
    axes.set(xlabel="time [s]", ylabel="degrees")
    axes.legend(loc="upper right")
    save("pose", figure)
    figure = Figure(figsize=(9, 2.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(times_s, 512 / track.crop.size_px * track.error_px, linewidth=0.9)
    axes.set(xlabel="time [s]", ylabel="pixels", ylim=(0, None))
    save("reprojection", figure)
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    low, middle, high = np.percentile(track.expression, [1, 50, 99], axis=0)
    places = np.arange(len(track.names))
    axes.bar(places, high - low, bottom=low)
    axes.plot(places, middle, "k_", markersize=4)
    axes.set_xticks(places, track.names, rotation=90, fontsize=6)
    save("blendshapes", figure)
