"""A tiny head, and trainings of a few steps on it."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from nerfstudio.engine.trainer import Trainer, TrainerConfig
from nerfstudio.utils import profiler, writer
from small_runs import NUM_STEPS, shrink

from nerface_ns.configs import method_configs
from nerface_ns.engine.face_trainer import FaceTrainerConfig


def without_frame(head: Path, row: int, folder: Path) -> Path:
    """The same recording without one training frame."""
    shutil.copytree(head, folder, dirs_exist_ok=True)
    file = folder / "transforms_train.json"
    content = json.loads(file.read_text())
    del content["frames"][row]
    file.write_text(json.dumps(content))
    return folder


def method_config(data: Path, output_dir: Path, method: str = "nerface", **settings: Any) -> FaceTrainerConfig:
    config = copy.deepcopy(getattr(method_configs, method.replace("-", "_")).config)
    shrink(config.pipeline.model)
    config.pipeline.datamanager.train_num_rays_per_batch = config.pipeline.datamanager.eval_num_rays_per_batch = 64
    config.data = config.pipeline.datamanager.data = data
    config.output_dir, config.vis, config.timestamp = output_dir, "tensorboard", "run"
    config.machine.device_type, config.max_num_iterations = "cpu", NUM_STEPS
    config.logging.local_writer.enable = False
    for name, value in settings.items():
        setattr(config, name, value)
    return config


def forget_writers() -> None:
    for event_writer in writer.EVENT_WRITERS:
        if isinstance(event_writer, writer.TensorboardWriter):
            event_writer.tb_writer.close()
    for registry in (writer.EVENT_WRITERS, writer.EVENT_STORAGE, profiler.PROFILER):
        registry.clear()


def made_trainer(config: TrainerConfig, num_steps: int = 0) -> Trainer:
    """Set a trainer up as `ns-train` does, and train a little."""
    torch.manual_seed(1)
    try:
        trainer = config.setup(local_rank=0, world_size=1)
        trainer.setup()
        if num_steps:
            trainer.train()
    finally:
        forget_writers()
    return trainer


def assert_same(found: Any, expected: Any) -> None:
    """To the last bit, in any nesting."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            assert_same(one, other)
    else:
        assert torch.equal(found, expected) if isinstance(expected, torch.Tensor) else found == expected
