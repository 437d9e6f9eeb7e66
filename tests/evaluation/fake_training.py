"""A pipeline of few parameters that nerfstudio's trainer can train in microseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Type

import torch
from nerfstudio.configs.base_config import InstantiateConfig
from nerfstudio.engine.optimizers import AdamOptimizerConfig
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.pipelines.base_pipeline import Pipeline

RAYS_PER_STEP, SAMPLES_PER_STEP = 8, 24


class FakeClock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeProgress:
    """Stands in for the schedules' view of a training's progress."""

    def __init__(self) -> None:
        self.fractions = []

    def set_fraction(self, fraction: float) -> None:
        self.fractions.append(fraction)


class FakeModel(torch.nn.Module):
    """One weight for every coefficient of the data."""

    def __init__(self, config, num_coefficients) -> None:
        super().__init__()
        self.config = config
        self.weight = torch.nn.Parameter(torch.zeros(num_coefficients))
        self.training_progress = FakeProgress()

    def update_to_step(self, step):
        pass


class FakePipeline(Pipeline):
    """Moves the weights towards 1; every step takes `seconds_per_step` of the fake clock."""

    clock = FakeClock()
    seconds_per_step = 1.0
    num_coefficients = 1

    def __init__(self, config, **kwargs) -> None:
        super().__init__()
        self._model = FakeModel(config.model, self.num_coefficients)
        self.datamanager = SimpleNamespace(
            train_dataset=[0], eval_dataset=None, get_train_rays_per_batch=lambda: RAYS_PER_STEP
        )

    def get_train_loss_dict(self, step):
        FakePipeline.clock.now += FakePipeline.seconds_per_step
        metrics = {"num_samples_per_batch": torch.tensor(SAMPLES_PER_STEP)}
        return {}, {"loss": (1 - self.model.weight).square().sum()}, metrics

    def load_pipeline(self, loaded_state, step):
        self.load_state_dict(loaded_state, strict=True)

    def get_param_groups(self):
        return {"fields": [self.model.weight]}

    def get_training_callbacks(self, attributes):
        return []


@dataclass
class FakePipelineConfig(InstantiateConfig):
    """Sets the fake up."""

    _target: Type = field(default_factory=lambda: FakePipeline)
    datamanager: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(data=None))
    model: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(code_protocol="zero"))


def fake_config(output_dir, max_num_iterations=1000):
    """A trainer's configuration for the fake pipeline."""
    config = TrainerConfig(
        output_dir=output_dir,
        method_name="fake",
        experiment_name="fake",
        timestamp="run",
        max_num_iterations=max_num_iterations,
        pipeline=FakePipelineConfig(),
        optimizers={"fields": {"optimizer": AdamOptimizerConfig(lr=0.1), "scheduler": None}},
        vis="tensorboard",
    )
    config.machine.device_type = "cpu"
    config.logging.local_writer.enable = False
    config.steps_per_save = 0
    return config
