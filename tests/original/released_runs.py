"""Training steps of a run, as `ns-train` makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nerfstudio.scripts import train
from nerfstudio.utils import profiler, writer


def trained_run(config: Any, num_steps: int) -> Path:
    """Train for some steps with few rays and samples; returns the run's config.yml."""
    config.vis, config.machine.device_type, config.max_num_iterations = "tensorboard", "cpu", num_steps
    config.steps_per_eval_batch = config.steps_per_eval_image = config.steps_per_eval_all_images = 0
    config.pipeline.datamanager.train_num_rays_per_batch = 32
    config.pipeline.model.num_coarse_samples = config.pipeline.model.num_importance_samples = 6
    try:
        train.main(config)
    finally:
        close_writers()
    return config.get_base_dir() / "config.yml"


def close_writers() -> None:
    """Let go of what nerfstudio's trainer opened for the whole process."""
    for event_writer in writer.EVENT_WRITERS:
        if isinstance(event_writer, writer.TensorboardWriter):
            event_writer.tb_writer.close()
    for registry in (writer.EVENT_WRITERS, writer.EVENT_STORAGE, profiler.PROFILER):
        registry.clear()
