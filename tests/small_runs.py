"""A tiny head in NerFace's format, and runs of a few steps on it whose grids and networks are small.

With a method's own sizes a checkpoint has 80 MB, and carving the occupancy grid, writing and reading take longer than
all steps.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

from nerface_ns.evaluation.timed_trainer import train_until
from nerface_ns.evaluation.training_config import training_config
from nerface_ns.field_components.feature_grid import FeatureGridConfig
from nerface_ns.model_components.occupancy import FaceOccupancyGridConfig
from nerface_ns.synthetic.demo_sequence import DemoSequenceConfig, write_demo_sequence

SIZE, NUM_STEPS = 24, 3


def write_head(folder: Path, num_train: int = 6, num_val: int = 2, num_test: int = 2) -> Path:
    """Write a recording whose images have `SIZE` pixels a side."""
    write_demo_sequence(
        folder, DemoSequenceConfig(SIZE, num_train, num_val, num_test, num_nvs=0, samples=1, mesh_density=0.2)
    )
    return folder


def shrink(config: Any) -> None:
    """Make grids and networks small, wherever they are in a model's configuration."""
    for name in (field.name for field in dataclasses.fields(config)):
        value = getattr(config, name)
        if isinstance(value, FeatureGridConfig):
            value.resolutions = (4, 8)
        elif isinstance(value, FaceOccupancyGridConfig):
            value.resolution = 16
        elif name in ("log2_table_size", "log2_mean_table_size"):
            setattr(config, name, 8)
        elif name in ("trunk_width", "colour_width"):
            setattr(config, name, 16)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            shrink(value)


def small_run(data: Path, output_dir: Path, *overrides: str) -> Path:
    """Train `nerface` for `NUM_STEPS`; returns the run's config.yml.

    Args:
        data: The recording.
        output_dir: Where the run goes.
        overrides: Further options as `ns-train` takes them.
    """
    options = ["--max-num-iterations", str(NUM_STEPS), "--pipeline.datamanager.train-num-rays-per-batch", "64"]
    config = training_config("nerface", output_dir, data, overrides=[*options, *overrides])
    shrink(config.pipeline.model)
    config.machine.device_type = "cpu"
    return train_until(config, time.monotonic() + 60)[1].config_path
