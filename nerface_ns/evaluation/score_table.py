"""Scores as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
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
    for metric in METRICS:
        table.add_column(_HEADERS[metric], justify="right")
    for split, split_scores in scores.items():
        for region in REGIONS:
            figures = split_scores if region == "full" else split_scores.get(region)
            if figures is not None:
                cells = ["-" if figures[m] is None else _FORMATS[m].format(figures[m]) for m in METRICS]
                table.add_row(split if region == "full" else "", region, *cells)
        table.add_section()
    return table
