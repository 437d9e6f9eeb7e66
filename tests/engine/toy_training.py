"""A training of a few numbers in nerfstudio's own loop, which can be made to go wrong at given steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Type

import torch
from nerfstudio.configs.base_config import InstantiateConfig, MachineConfig
from tiny_training import forget_writers
from torch import nn

from nerface_ns.engine.face_trainer import FaceTrainer, FaceTrainerConfig
from nerface_ns.model_components.adam import FaceAdamConfig
from nerface_ns.model_components.schedules import WarmupDecaySchedulerConfig

NUM_FRAMES = 4


@dataclass
class ToyPipelineConfig(InstantiateConfig):
    """Faults by step."""

    _target: Type = field(default_factory=lambda: ToyTraining)
    bad_loss: tuple[int, ...] = ()
    """Steps whose loss is NaN."""
    bad_gradient: tuple[int, ...] = ()
    """Steps with a finite loss and an infinite gradient."""
    failure: tuple[int, Exception] | None = None
    """Step whose batch cannot be read, and how."""
    datamanager: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(data=None))
    """Has no data, after which a run would be named."""


class ToyTraining(nn.Module):
    """Codes that learn random targets."""

    def __init__(self, config: ToyPipelineConfig, **_: Any) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.ones(3))
        self.codes = nn.Parameter(torch.zeros(NUM_FRAMES, 3))
        names = [f"train/f_{number:04d}" for number in range(NUM_FRAMES)]
        dataset = SimpleNamespace(metadata={"frame_names": names})
        self.datamanager = SimpleNamespace(
            train_dataset=dataset, eval_dataset=None, get_train_rays_per_batch=lambda: 1, drawn_images=None
        )

    def get_param_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"networks": [self.weight], "latent_codes": [self.codes]}

    def get_training_callbacks(self, attributes: Any) -> list[Any]:
        return []

    def load_pipeline(self, state: dict[str, Any], step: int) -> None:
        self.load_state_dict(state)

    def get_train_loss_dict(self, step: int) -> tuple[Any, Any, Any]:
        failure = self.config.failure
        if failure is not None and step == failure[0]:
            raise failure[1]
        images = torch.randperm(NUM_FRAMES)[:2]
        self.datamanager.drawn_images = images
        error = (self.weight * torch.rand(2, 3) + self.codes[images] - 1).square().mean()
        if step in self.config.bad_gradient:
            error.register_hook(lambda gradient: gradient * torch.inf)
        terms = {"rgb_loss": error, "code_loss": 0.01 * self.codes.square().mean()}
        if step in self.config.bad_loss:
            terms["rgb_loss"] = error * torch.nan
        return {}, terms, {}


def toy_trainer(folder: Path, num_steps: int, pipeline: Any = None, **settings: Any) -> FaceTrainer:
    """Set a trainer up."""
    optimizers = {
        name: {"optimizer": FaceAdamConfig(lr=0.1), "scheduler": WarmupDecaySchedulerConfig(max_steps=100)}
        for name in ("networks", "latent_codes")
    }
    config = FaceTrainerConfig(
        method_name="toy",
        experiment_name="toy",
        timestamp="run",
        output_dir=folder,
        vis="tensorboard",
        machine=MachineConfig(device_type="cpu"),
        max_num_iterations=num_steps,
        steps_per_save=0,
        pipeline=pipeline or ToyPipelineConfig(),
        optimizers=optimizers,
        **settings,
    )
    config.logging.local_writer.enable = False
    torch.manual_seed(0)
    try:
        trainer = config.setup(local_rank=0, world_size=1)
        trainer.setup()
    finally:
        forget_writers()
    return trainer
