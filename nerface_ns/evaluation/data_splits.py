"""Which splits a dataset has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nerface_ns.evaluation.split_scores import EVALUATION_SPLITS


def existing_splits(dataparser: Any) -> list[str]:
    """Return the names of a dataset's splits; nerfstudio's own dataparsers always have train, val and test."""
    sequence = getattr(dataparser, "sequence", None)
    return ["train", "val", "test"] if sequence is None else list(sequence.splits)


def check_splits(dataparser: Any, wanted: Sequence[str] = ()) -> list[str]:
    """Return the splits to score.

    Args:
        dataparser: The dataset's parser.
        wanted: Names of splits; without any, every one of test, val and nvs (novel views) that exists.

    Raises:
        ValueError: A wanted split does not exist.
    """
    existing = existing_splits(dataparser)
    for split in wanted:
        if split not in existing:
            raise ValueError(f"--split {split}: {dataparser.config.data} has only {', '.join(existing)}")
    return list(wanted) if wanted else [split for split in EVALUATION_SPLITS if split in existing]
