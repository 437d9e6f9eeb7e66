"""How much faster `nerface-paper` renders when it skips samples, and what that does to its images.

    python benchmarks/paper_rendering.py --load-config RUN/config.yml --json benchmarks/results/NAME.json

Frames of the test split are rendered with every sample and with those that the occupied space calls for, in turns and
each time in the other order. The peak signal-to-noise ratio is that of one rendering against the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.evaluation.run_record import run_record, write_json
from nerface_ns.evaluation.split_scores import RenderedFrame, SplitRenderer
from nerface_ns.models.paper_face_model import PaperFaceModel

MODES = ("none", "occupied")
"""Values of `eval_skipping`."""


@dataclass
class PaperRendering:
    """Measure the ratio and the difference on the test split."""

    load_config: Path
    """The run's config.yml."""
    json: Path
    """File for the figures."""
    split: str = "test"
    """Split to render."""
    frames: int = 8
    """Frames of it, evenly spread."""


def main(command: PaperRendering) -> None:
    """Measure and write."""
    config, pipeline, _, step = load_run(command.load_config)
    if not isinstance(pipeline.model, PaperFaceModel):
        raise SystemExit(f"{command.load_config}: expected a run of nerface-paper, got one of {config.method_name}")
    pipeline.eval()
    renderer = SplitRenderer(pipeline, command.split)
    count = min(command.frames, len(renderer))
    chosen = np.linspace(0, len(renderer) - 1, count).round().astype(int).tolist()
    rows = [
        frame_row(renderer, index, MODES if number % 2 == 0 else MODES[::-1]) for number, index in enumerate(chosen)
    ]
    model_config = pipeline.model.config
    names = [field.name for field in fields(model_config)]
    record = {
        **summary(rows),
        "height_width": list(pipeline.model.image_size),
        "step": step,
        "fidelity": model_config.fidelity,
        "settings": {name: getattr(model_config, name) for name in names if name.startswith("skipping_")},
        "frames": rows,
        **run_record(),
    }
    write_json(command.json, record)
    print({name: record[name] for name in summary(rows)})


def frame_row(renderer: SplitRenderer, index: int, order: tuple[str, ...]) -> dict[str, Any]:
    """Render one frame in both modes and compare."""
    rendered: dict[str, RenderedFrame] = {}
    model = renderer.pipeline.model
    for mode in order:
        model.eval_skipping = mode
        rendered[mode] = renderer.render(index)
    whole, fast = (rendered[mode].outputs for mode in MODES)
    return {
        "frame": rendered["none"].name,
        "seconds_all_samples": rendered["none"].render_s,
        "seconds_skipping": rendered["occupied"].render_s,
        "psnr_between": psnr(fast["rgb"], whole["rgb"]),
        "psnr_all_samples": psnr(whole["rgb"], rendered["none"].truth),
        "psnr_skipping": psnr(fast["rgb"], rendered["none"].truth),
        "fine_samples_per_ray": float(fast["num_samples_per_ray"].mean()),
        "opacity_difference": float((fast["accumulation"] - whole["accumulation"]).abs().mean()),
    }


def psnr(image: torch.Tensor, truth: torch.Tensor) -> float:
    """Peak signal-to-noise ratio of colours in [0, 1]."""
    error = float(((image.clamp(0, 1) - truth) ** 2).mean())
    return -10 * math.log10(error) if error > 0 else math.inf


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the ratio of the total times, and the mean and the least agreement."""
    whole, fast = (sum(row[f"seconds_{name}"] for row in rows) for name in ("all_samples", "skipping"))
    between = [row["psnr_between"] for row in rows]
    return {
        "speed_ratio": whole / fast,
        "mean_psnr_between": sum(between) / len(between),
        "least_psnr_between": min(between),
        "seconds_a_frame_all_samples": whole / len(rows),
        "seconds_a_frame_skipping": fast / len(rows),
        "psnr_all_samples": sum(row["psnr_all_samples"] for row in rows) / len(rows),
        "psnr_skipping": sum(row["psnr_skipping"] for row in rows) / len(rows),
    }


if __name__ == "__main__":
    main(tyro.cli(PaperRendering))
