"""How much better a frame's own expression fits its mouth than another frame's, from the same camera.

    python benchmarks/expression_margin.py --load-config RUN/config.yml --json benchmarks/results/NAME.json

Every test frame is rendered twice from its own camera: with its expression, and with that of the test frame whose
expression is farthest away. Both are compared with the frame inside its mouth box.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.evaluation.run_record import run_record, write_json
from nerface_ns.evaluation.split_scores import SplitRenderer
from nerface_ns.model_components.image_metrics import box_scores


@dataclass
class ExpressionMargin:
    """Measure the margin on the test split."""

    load_config: Path
    """The run's config.yml."""
    json: Path
    """File for the figures."""


def main(command: ExpressionMargin) -> None:
    """Measure and write."""
    _, pipeline, _, _ = load_run(command.load_config)
    pipeline.eval()
    renderer = SplitRenderer(pipeline, "test")
    expression = renderer.dataset.cameras.metadata["expression"].clone()
    other = torch.cdist(expression, expression).argmax(dim=1)
    own_psnr = _mouth_psnr(renderer)
    renderer.dataset.cameras.metadata["expression"] = expression[other]
    other_psnr = _mouth_psnr(renderer)
    margins = [own - strange for own, strange in zip(own_psnr, other_psnr)]
    record = {
        "mouth_psnr_own_expression": sum(own_psnr) / len(own_psnr),
        "mouth_psnr_other_expression": sum(other_psnr) / len(other_psnr),
        "mean_margin_db": sum(margins) / len(margins),
        "least_margin_db": min(margins),
        "frames": len(margins),
        **run_record(),
    }
    write_json(command.json, record)
    print(record)


def _mouth_psnr(renderer: SplitRenderer) -> list[float]:
    values = []
    for index in range(len(renderer)):
        frame = renderer.render(index)
        values.append(box_scores(frame.outputs["rgb"], frame.truth, frame.boxes["mouth"])["psnr"])
    return values


if __name__ == "__main__":
    main(tyro.cli(ExpressionMargin))
