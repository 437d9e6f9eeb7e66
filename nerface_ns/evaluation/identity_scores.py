"""Scores of each person, where a run was trained on several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nerface_ns.conditioning import keys
from nerface_ns.evaluation.split_scores import SplitScores, scores_as_json


def scores_by_identity(scores: Mapping[str, SplitScores], names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return the figures of each person's frames, by person and split, as `scores_as_json` gives those of all.

    Args:
        scores: By split.
        names: The persons; the names of their frames begin with theirs.
    """
    figures = {}
    for name in names:
        own = {split: _of(whole, f"{name}/") for split, whole in scores.items()}
        figures[name] = scores_as_json({split: part for split, part in own.items() if part.frame_names})
    return figures


def identity_names(pipeline: Any) -> tuple[str, ...]:
    """Return the persons whom a pipeline's data show; none where it is one."""
    dataset = getattr(pipeline.datamanager, "train_dataset", None)
    metadata = getattr(dataset, "metadata", None) or {}
    return tuple(metadata.get(keys.IDENTITY_NAMES, ()))


def _of(whole: SplitScores, beginning: str) -> SplitScores:
    rows = [row for row, frame in enumerate(whole.frame_names) if frame.startswith(beginning)]
    return SplitScores(
        whole.split,
        [whole.frame_names[row] for row in rows],
        [whole.frame_scores[row] for row in rows],
    )
