"""Scores as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from nerface_ns.evaluation.split_scores import METRICS, REGIONS

_FORMATS = {"psnr": "{:.2f}", "ssim": "{:.4f}", "l1": "{:.4f}", "lpips": "{:.4f}"}
_HEADERS = {"psnr": "PSNR [dB]", "ssim": "SSIM", "l1": "L1", "lpips": "LPIPS"}


def score_table(scores: Mapping[str, Mapping[str, Any]], title: str, code_protocol: str | None = None) -> Table:
    """Lay scores out with a row for every split and region; a figure that cannot be had is a dash.

    Args:
        scores: By split, as `SplitScores.as_json` gives them.
        title: What was scored.
        code_protocol: Rule for the latent codes of frames never trained on, printed below the table.
    """
    caption = None if code_protocol is None else f"latent codes of unseen frames: {code_protocol}"
    table = Table(title=title, caption=caption)
    table.add_column("split")
    table.add_column("region")
    _add_metric_columns(table, METRICS)
    for split, split_scores in scores.items():
        for region in REGIONS:
            figures = split_scores if region == "full" else split_scores.get(region)
            if figures is not None:
                table.add_row(split if region == "full" else "", region, *_cells(figures, METRICS))
        table.add_section()
    return table


def protocol_table(
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]],
    title: str,
    caption: str | None = None,
    metrics: Sequence[str] = METRICS,
) -> Table:
    """Lay the scores of several protocols out, a row for each below the same split and region.

    Args:
        scores: By protocol, then by split as `SplitScores.as_json` gives them.
        title: What was scored.
        caption: What the protocols are.
        metrics: Columns, in their order.
    """
    table = Table(title=title, caption=caption)
    for column in ("split", "region", "protocol"):
        table.add_column(column)
    _add_metric_columns(table, metrics)
    splits = list(dict.fromkeys(split for by_split in scores.values() for split in by_split))
    for split in splits:
        for region in REGIONS:
            begins = True
            for protocol, by_split in scores.items():
                figures = by_split.get(split) if region == "full" else by_split.get(split, {}).get(region)
                if figures is not None:
                    head = (split if region == "full" else "", region) if begins else ("", "")
                    table.add_row(*head, protocol, *_cells(figures, metrics))
                    begins = False
        table.add_section()
    return table


def _add_metric_columns(table: Table, metrics: Sequence[str]) -> None:
    for metric in metrics:
        table.add_column(_HEADERS[metric], justify="right")


def _cells(figures: Mapping[str, Any], metrics: Sequence[str]) -> list[str]:
    return ["-" if figures[metric] is None else _FORMATS[metric].format(figures[metric]) for metric in metrics]
