"""Figures of gaze redirection: as JSON, as a table, and as curves over the angles."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from rich.table import Table

from nerface_ns.evaluation.gaze_redirection import RedirectedFrame, RedirectedPicture
from nerface_ns.model_components.image_metrics import Scores

ENERGY_BAR = 0.85
"""Least share of the change that eyes alone may be said to make."""
DEFINITIONS = {
    "gaze_error_deg": "angle between the gaze asked for and the gaze estimated in the rendered picture",
    "estimator_error_deg": "the same estimator on the recorded pictures of the same frames, against their true gaze",
    "head_error_deg": "turn of the head's rigid motion, registered outside the eyes box with the rendered depth, from "
    "the picture with the frame's own gaze to the one with the target's",
    "eyes_box_energy": "share of the squared change between these two pictures that lies inside the eyes box",
}
"""What the figures mean, written beside them."""


def gaze_figures(frames: Sequence[RedirectedFrame]) -> dict[str, Any]:
    """Return the figures of all frames, then of each target.

    Frames whose recorded picture shows shut eyes count for the picture quality alone.

    Raises:
        ValueError: No frame shows open eyes.
    """
    is_open = [frame for frame in frames if frame.is_open]
    if not is_open:
        raise ValueError(f"--gaze: found no open eyes in any of the {len(frames)} recorded frames")
    pictures = [picture for frame in is_open for picture in frame.pictures]
    true_errors = [frame.true_error_deg for frame in is_open]
    targets = list(dict.fromkeys(picture.target_deg for picture in pictures))
    by_target = [[picture for picture in pictures if picture.target_deg == target] for target in targets]
    means = {region: _mean_scores([frame.scores[region] for frame in frames]) for region in frames[0].scores}
    figures = _picture_figures(pictures)
    return {
        "gaze_error_deg": figures["error_deg"],
        "gaze_error_median_deg": figures["error_median_deg"],
        "estimator_error_deg": round(float(np.mean(true_errors)), 4),
        "estimator_error_median_deg": round(float(np.median(true_errors)), 4),
        "head_error_deg": figures["head_error_deg"],
        "head_shift_px": figures["head_shift_px"],
        "eyes_box_energy": figures["eyes_box_energy"],
        "reaches_energy_bar": figures["eyes_box_energy"] is not None and figures["eyes_box_energy"] >= ENERGY_BAR,
        **means.pop("full"),
        **means,
        "num_frames": len(frames),
        "frames_with_shut_eyes": len(frames) - len(is_open),
        "targets": [
            {"pitch_deg": target[0], "yaw_deg": target[1], **_picture_figures(group)}
            for target, group in zip(targets, by_target)
        ],
    }


def frame_figures(frames: Sequence[RedirectedFrame]) -> dict[str, Any]:
    """Return every frame's figures by its name."""
    return {
        frame.name: {
            "true_error_deg": round(frame.true_error_deg, 4),
            "has_open_eyes": frame.is_open,
            "psnr": frame.scores["full"]["psnr"],
            "pictures": [
                {
                    "target_deg": list(picture.target_deg),
                    "found_deg": [round(angle, 3) for angle in picture.found_deg],
                    "openness": round(picture.openness, 3),
                    "error_deg": round(picture.error_deg, 3),
                    "head_error_deg": round(picture.head.turn_deg, 4),
                }
                for picture in frame.pictures
            ],
        }
        for frame in frames
    }


def _picture_figures(pictures: Sequence[RedirectedPicture]) -> dict[str, Any]:
    errors = np.array([picture.error_deg for picture in pictures])
    found = np.array([picture.found_deg for picture in pictures])
    energy = sum(picture.energy for picture in pictures)
    inside = sum(picture.eyes_energy for picture in pictures)
    rounded = {
        "error_deg": errors.mean(),
        "error_median_deg": np.median(errors),
        "error_spread_deg": errors.std(),
        "found_pitch_deg": found[:, 0].mean(),
        "found_pitch_spread_deg": found[:, 0].std(),
        "found_yaw_deg": found[:, 1].mean(),
        "found_yaw_spread_deg": found[:, 1].std(),
        "head_error_deg": np.mean([picture.head.turn_deg for picture in pictures]),
        "head_shift_px": np.mean([picture.head.shift_px for picture in pictures]),
    }
    figures: dict[str, Any] = {name: round(float(value), 4) for name, value in rounded.items()}
    # A gaze that changes nothing moves the eyes as little as the rest.
    figures["eyes_box_energy"] = round(inside / energy, 4) if energy > 0 else None
    return figures


def _mean_scores(scores: Sequence[Scores]) -> dict[str, float | None]:
    columns = {name: [value for each in scores if (value := each[name]) is not None] for name in scores[0]}
    return {name: sum(values) / len(values) if values else None for name, values in columns.items()}


def gaze_table(figures: dict[str, Any], title: str) -> Table:
    """Lay the targets' figures out, all together in the last row."""
    table = Table(title=title)
    for column in ("pitch", "yaw", "found pitch", "found yaw", "error", "head turn", "head shift", "change in eyes"):
        table.add_column(column, justify="right")
    for target in figures["targets"]:
        asked = [f"{target[name]:+.0f}°" for name in ("pitch_deg", "yaw_deg")]
        found = [f"{target[name]:+.1f}°" for name in ("found_pitch_deg", "found_yaw_deg")]
        table.add_row(*asked, *found, *_common_cells(target, "error_deg"))
    table.add_section()
    table.add_row("all", "", "", "", *_common_cells(figures, "gaze_error_deg"))
    return table


def _common_cells(figures: dict[str, Any], error: str) -> list[str]:
    share = figures["eyes_box_energy"]
    return [
        f"{figures[error]:.2f}°",
        f"{figures['head_error_deg']:.3f}°",
        f"{figures['head_shift_px']:.3f} px",
        "-" if share is None else f"{100 * share:.1f} %",
    ]


def gaze_plot(figures: dict[str, Any], title: str) -> bytes:
    """Draw errors over the yaw asked for, and found against asked yaw and pitch; returns a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), dpi=110, layout="constrained")
    error, yaw, pitch = figure.subplots(1, 3)
    targets = figures["targets"]
    for value in sorted({target["pitch_deg"] for target in targets}):
        row = sorted((t for t in targets if t["pitch_deg"] == value), key=lambda target: target["yaw_deg"])
        asked = [target["yaw_deg"] for target in row]
        label = f"pitch {value:+.0f}°"
        spread = [target["error_spread_deg"] for target in row]
        error.errorbar(asked, [t["error_deg"] for t in row], yerr=spread, marker="o", capsize=3, label=label)
        spread = [target["found_yaw_spread_deg"] for target in row]
        yaw.errorbar(asked, [t["found_yaw_deg"] for t in row], yerr=spread, marker="o", capsize=3, label=label)
    for value in sorted({target["yaw_deg"] for target in targets}):
        row = sorted((t for t in targets if t["yaw_deg"] == value), key=lambda target: target["pitch_deg"])
        asked, spread = [t["pitch_deg"] for t in row], [t["found_pitch_spread_deg"] for t in row]
        found = [target["found_pitch_deg"] for target in row]
        pitch.errorbar(asked, found, yerr=spread, marker="o", capsize=3, label=f"yaw {value:+.0f}°")
    own = figures["estimator_error_deg"]
    error.axhline(own, color="0.5", linestyle="--", label=f"estimator's own {own:.2f}°")
    error.set(xlabel="yaw asked for [°]", ylabel="angular error [°]", title="error", ylim=(0, None))
    for axes, name in ((yaw, "yaw"), (pitch, "pitch")):
        ends = [t[f"{name}_deg"] for t in targets]
        axes.plot([min(ends), max(ends)], [min(ends), max(ends)], color="0.5", linestyle="--", label="as asked for")
        axes.set(xlabel=f"{name} asked for [°]", ylabel=f"{name} found [°]", title=name)
    for axes in (error, yaw, pitch):
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    figure.suptitle(title)
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
