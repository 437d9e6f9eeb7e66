"""Runs of a few steps of each registered method, made as `ns-train` makes them."""

from __future__ import annotations

import copy
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import torch
from small_runs import NUM_STEPS, shrink

METHODS = {
    entry.name: entry
    for entry in entry_points(group="nerfstudio.method_configs")
    if entry.value.startswith("nerface_ns.")
}


def method_config(name: str, dataset: Path, output_dir: Path) -> Any:
    """What `ns-train NAME --vis tensorboard --data DATASET` makes, with cheap steps and small networks."""
    config = copy.deepcopy(METHODS[name].load().config)
    shrink(config.pipeline.model)
    config.pipeline.datamanager.train_num_rays_per_batch = 64
    config.pipeline.datamanager.eval_num_rays_per_batch = 32
    for setting in ("num_coarse_samples", "num_importance_samples"):
        if hasattr(config.pipeline.model, setting):
            setattr(config.pipeline.model, setting, 6)
    config.data, config.output_dir, config.vis = dataset, output_dir, "tensorboard"
    config.experiment_name, config.timestamp = "head", "first"
    config.machine.device_type = "cpu"
    config.max_num_iterations, config.steps_per_eval_batch, config.steps_per_eval_image = NUM_STEPS, 1, 2
    return config


def ns_train(config: Any) -> Path:
    """Run `ns-train` as its command line does once it is parsed; returns the run's config.yml."""
    from nerfstudio.scripts import train
    from nerfstudio.utils import profiler, writer

    try:
        train.main(config)
    finally:
        for event_writer in writer.EVENT_WRITERS:
            if isinstance(event_writer, writer.TensorboardWriter):
                event_writer.tb_writer.close()
        for registry in (writer.EVENT_WRITERS, writer.EVENT_STORAGE, profiler.PROFILER):
            registry.clear()
    return config.get_base_dir() / "config.yml"


def checkpoint(run: Path, step: int) -> dict[str, Any]:
    """Load as torch >= 2.6 does by default, which refuses numpy's scalars and all classes."""
    return torch.load(run.parent / "nerfstudio_models" / f"step-{step:09d}.ckpt", weights_only=True)
