"""Tracks from datasets: the expressions, poses and gaze of a split, through the dataparser that reads it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.name_matching import are_placeholders

DATASET_FRAMES_PER_S = 25.0
"""Rate of a dataset, which no format tells."""
RECORDED_SPLITS = ("train", "val", "test")
"""Splits that together make the recording."""


def dataset_track(
    data: Optional[Path], dataparser: str, split: str = "all", frames_per_s: float = DATASET_FRAMES_PER_S
) -> ExpressionTrack:
    """Read a dataset's split as a track.

    Args:
        data: The dataset; None for a dataparser that needs none.
        dataparser: Name of a registered dataparser.
        split: Name of a split, or "all" for the whole recording: train, val and test in recorded order.
        frames_per_s: Rate of the recording.

    Raises:
        FileNotFoundError: There is no such dataset.
        ValueError: The dataparser is not registered, has no such split, or gives no expressions.
    """
    from nerfstudio.configs.dataparser_configs import all_dataparsers

    if dataparser not in all_dataparsers:
        known = ", ".join(sorted(all_dataparsers))
        raise ValueError(f"--dataparser {dataparser!r} is not registered; expected one of {known}")
    if data is not None and not data.exists():
        raise FileNotFoundError(f"{data}: expected a dataset here, found none")
    config = copy.deepcopy(all_dataparsers[dataparser])
    if data is not None:
        config.data = data
    return _split_track(config, split, frames_per_s)


def run_track(config_path: Path, split: str = "all", frames_per_s: float = DATASET_FRAMES_PER_S) -> ExpressionTrack:
    """Read a split of the dataset that a run was trained on, without loading its checkpoint.

    Args:
        config_path: The run's config.yml.
        split: As for `dataset_track`.
        frames_per_s: Rate of the recording.

    Raises:
        FileNotFoundError: There is no such run, or its dataset is gone.
        ValueError: The file is no run's config.
    """
    import yaml

    if not config_path.is_file():
        raise FileNotFoundError(f"{config_path}: no such file; expected the config.yml of a training run")
    try:
        # As nerfstudio itself opens runs; a config names classes, so only open those you would also render.
        config = yaml.load(config_path.read_text(), Loader=yaml.Loader)
        datamanager = config.pipeline.datamanager
        parser_config = datamanager.dataparser
    except (AttributeError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{config_path}: expected the config.yml of a training run, got {error}") from error
    data = getattr(datamanager, "data", None)
    if data is not None:
        parser_config.data = Path(data)
    return _split_track(parser_config, split, frames_per_s)


def _split_track(parser_config: Any, split: str, frames_per_s: float) -> ExpressionTrack:
    parser = parser_config.setup()
    if hasattr(parser, "check_image_sizes"):
        parser.check_image_sizes = False  # no pictures are needed
    names = RECORDED_SPLITS if split == "all" else (split,)
    outputs = [parser.get_dataparser_outputs(split=name) for name in names]
    subject = outputs[0].metadata.get("dataset_name") or Path(str(parser_config.data)).name
    return outputs_track(outputs, frames_per_s, f"{subject}, {split}")


def outputs_track(outputs: Sequence[Any], frames_per_s: float, source: str) -> ExpressionTrack:
    """Join what a dataparser gave for some splits into a track, in recorded order.

    A frame that is in several splits is taken once.

    Args:
        outputs: `DataparserOutputs`, at least one.
        frames_per_s: Rate of the recording.
        source: Where it came from, for messages.

    Raises:
        ValueError: There are no expressions.
    """
    if any("expression" not in (part.cameras.metadata or {}) for part in outputs):
        raise ValueError(f"{source}: expected a dataparser that gives an expression for each frame, got none")
    cameras = [part.cameras for part in outputs]
    files = [Path(path) for part in outputs for path in part.image_filenames]
    first_row = {path: row for row, path in reversed(list(enumerate(files)))}
    rows = np.array(sorted(first_row.values()))
    if all(part.times is not None for part in cameras):
        times = np.concatenate([part.times.flatten().numpy() for part in cameras])
        rows = rows[times[rows].argsort(kind="stable")]
    has_gaze = all("gaze" in part.metadata for part in cameras)
    names = tuple(outputs[0].metadata.get("expression_names") or ())

    def joined(parts: list[Any]) -> np.ndarray:
        """Return the parts as one array in the track's order."""
        return np.concatenate([part.double().numpy() for part in parts])[rows]

    return ExpressionTrack(
        frames_per_s=frames_per_s,
        names=() if are_placeholders(names) else names,
        expression=joined([part.metadata["expression"] for part in cameras]),
        camera_to_world=joined([part.camera_to_worlds for part in cameras]),
        gaze=joined([part.metadata["gaze"] for part in cameras]) if has_gaze else None,
        frame_files=tuple(files[row].absolute() for row in rows),
        source=source,
    )
