"""One self-contained HTML page of an evaluation: tables by region, curves over the frames, videos."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nerface_ns.evaluation.extra_scores import EXTRA_METRICS, ExtraScores
from nerface_ns.evaluation.report_chart import line_chart
from nerface_ns.evaluation.split_scores import METRICS, REGIONS, SplitScores

HEADERS = {
    "psnr": ("PSNR [dB]", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "l1": ("L1", "{:.4f}"),
    "lpips": ("LPIPS", "{:.4f}"),
    "l2": ("L2", "{:.5f}"),
    "ms_ssim": ("MS-SSIM", "{:.4f}"),
    "cpbd": ("CPBD", "{:.3f}"),
    "cpbd_truth": ("CPBD of the truth", "{:.3f}"),
    "flicker": ("flicker", "{:.5f}"),
    "landmarks": ("landmarks [% of height]", "{:.3f}"),
}
"""Words and format of each figure."""
NOTES = (
    "PSNR, SSIM, L1, LPIPS: means over the frames. L2: mean squared difference of colours in [0, 1]. MS-SSIM: with as "
    "many of its five scales as there is room for. CPBD (Narvekar and Karam 2011): share of the edges whose blur is "
    "not seen, of the render and of the truth. Flicker: mean absolute difference between the render's and the truth's "
    "change from one scored frame to the next. Landmarks: mean distance of MediaPipe's 478 points in render and truth."
)
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:980px;margin:2em auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.5em}h2{font-size:1.2em;margin-top:2em;border-bottom:1px solid #ddd}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2em .7em;text-align:right}
th{border-bottom:1px solid #999;font-weight:600}td:first-child,th:first-child{text-align:left}
tr:nth-child(even) td{background:#f5f5f5}.wide{overflow-x:auto}video{max-width:100%}svg{width:100%;font-size:11px}
.grid{stroke:#e3e3e3}.legend span{margin-right:1.2em}.legend i{display:inline-block;width:1em;height:.25em;
margin-right:.4em;vertical-align:middle}.note{color:#555;font-size:13px}
"""


def report_page(
    title: str,
    notes: Sequence[str],
    scores: Mapping[str, SplitScores],
    extra: Mapping[str, ExtraScores],
    videos: Mapping[str, str],
) -> str:
    """Lay the page out.

    Args:
        title: What was scored.
        notes: Sentences that say how.
        scores: By split.
        extra: Further figures of the same frames.
        videos: MP4 files in base64 by split.
    """
    parts = [f"<h1>{html.escape(title)}</h1>", *(f'<p class="note">{html.escape(note)}</p>' for note in notes)]
    for split, figures in scores.items():
        parts.append(f"<h2>{html.escape(split)}, {len(figures.frame_names)} frames</h2>")
        parts.append(_table(figures.mean(), extra[split].mean() if split in extra else {}))
        parts.append(_psnr_chart(figures))
        if split in extra:
            parts.append(_flicker_chart(extra[split]))
        if split in videos:
            source = f"data:video/mp4;base64,{videos[split]}"
            parts.append(f'<video controls loop muted playsinline src="{source}"></video>')
    parts.append(f'<p class="note">{html.escape(NOTES)}</p>')
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def write_page(path: Path, page: str) -> None:
    """Write a page, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)


def _table(scores: Mapping[str, Mapping[str, Any]], extra: Mapping[str, Mapping[str, Any]]) -> str:
    """A row for each region, a column for each figure that some region has."""
    regions = [
        name for name in (*REGIONS, *sorted({*scores, *extra} - set(REGIONS))) if name in scores or name in extra
    ]
    rows = {name: {**extra.get(name, {}), **scores.get(name, {})} for name in regions}
    columns = [name for name in (*METRICS, *EXTRA_METRICS) if any(row.get(name) is not None for row in rows.values())]
    head = "".join(f"<th>{HEADERS[name][0]}</th>" for name in columns)
    body = "".join(
        f"<tr><td>{html.escape(region)}</td>{''.join(f'<td>{_cell(row, name)}</td>' for name in columns)}</tr>"
        for region, row in rows.items()
    )
    return f'<div class="wide"><table><tr><th>region</th>{head}</tr>{body}</table></div>'


def _cell(row: Mapping[str, Any], metric: str) -> str:
    value = row.get(metric)
    return "-" if value is None else HEADERS[metric][1].format(value)


def _psnr_chart(figures: SplitScores) -> str:
    names = [name for name in REGIONS if any(name in one for one in figures.frame_scores)]
    lines = {name: [one[name]["psnr"] if name in one else None for one in figures.frame_scores] for name in names}
    return line_chart(lines, "PSNR [dB]")


def _flicker_chart(extra: ExtraScores) -> str:
    names = [name for name in REGIONS if any(name in one for one in extra.frames)]
    lines = {name: [one[name]["flicker"] if name in one else None for one in extra.frames] for name in names}
    return line_chart(lines, "flicker")
