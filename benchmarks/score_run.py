"""Score a trained run once more with some of its model's settings changed.

    python benchmarks/score_run.py --load-config RUN/config.yml --json scores.json \
        --model-settings '{"jitter_in_evaluation": true}'

For settings that only evaluation looks at; the weights are those of the run.
"""

from __future__ import annotations

import json as json_format
from dataclasses import dataclass
from pathlib import Path

import tyro

from nerface_ns.evaluation.data_splits import check_splits
from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.evaluation.run_record import run_record, write_json
from nerface_ns.evaluation.split_scores import code_protocol, scores_as_json
from nerface_ns.evaluation.timed_trainer import seed_everything
from nerface_ns.model_components.perceptual_distance import PerceptualDistance
from nerface_ns.scripts.run_steps import plain_console, score_splits


@dataclass
class ScoreRun:
    """Score every split that holds no training frame."""

    load_config: Path
    """The run's config.yml."""
    json: Path
    """File for the scores."""
    model_settings: str = "{}"
    """Settings of the model by name, as JSON."""
    max_frames: int | None = None
    """Frames of each split to score, evenly spread; all without it."""


def main(command: ScoreRun) -> None:
    """Load, change, score, write."""
    settings = json_format.loads(command.model_settings)
    _, pipeline, _, step = load_run(command.load_config, model_settings=settings)
    seed_everything(0)  # jitter, where it is asked for, is the same every time
    splits = check_splits(pipeline.datamanager.dataparser)
    distance = PerceptualDistance(pipeline.device)
    scores = score_splits(pipeline, splits, distance, plain_console(), max_frames=command.max_frames)
    figures = {**scores_as_json(scores), "code_protocol": code_protocol(pipeline), "steps": step + 1}
    write_json(command.json, {**figures, "model_settings": settings, **run_record()})


if __name__ == "__main__":
    main(tyro.cli(ScoreRun))
