"""The part of a face's model that takes a training through its stages."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Set, Tuple

import torch
from jaxtyping import Float
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from torch import Tensor
from torch.nn import Parameter
from torch.optim.lr_scheduler import LambdaLR

from nerface_ns.fields.base_face_field import FaceField
from nerface_ns.model_components.loss_weights import REGION, LossWeights, parse_weights
from nerface_ns.model_components.training_stages import (
    COLOUR,
    DENSITY,
    Stage,
    StagesConfig,
    check_groups,
    make_stages,
    stage_at,
)

if TYPE_CHECKING:
    from nerfstudio.models.base_model import Model

    from nerface_ns.model_components.schedules import TrainingProgress

    _Base = Model
else:
    _Base = object

NESTED = ("staged_losses", "surface_losses")
"""Fields of a model's settings that hold more weights of losses."""
REFINEMENT = ("camera", "expression")
"""Names of factors on the regularisers of refined cameras and of corrected expressions, beside their own weights."""


@dataclass
class StagedTrainingConfig:
    """Settings that every face's model has of how its training goes."""

    stages: StagesConfig = field(default_factory=StagesConfig)
    """Stages of the training, and schedules of its losses' weights."""


class StagedTraining(_Base):
    """Mixed into models: what learns at a step, how fast, and what losses weigh then.

    All of it follows from the step and the settings, so that a training goes on in any stage as if it had not stopped.
    """

    if TYPE_CHECKING:
        config: Any
        training_progress: TrainingProgress

    def populate_stages(self) -> None:
        """Read the weights; stages are read when a training begins, because they name the model's parameters."""
        self.stage_settings: StagesConfig = getattr(self.config, "stages", None) or StagesConfig()
        # A run from before a setting existed lacks it.
        nested = [
            getattr(self.config, item.name, None) or item.default_factory()  # type: ignore[misc]
            for item in fields(self.config)
            if item.name in NESTED
        ]
        schedules = parse_weights("stages.weights", self.stage_settings.weights)
        self.loss_weights = LossWeights(self.config, *nested, schedules=schedules, factors=REFINEMENT)
        self._region_names: Tuple[str, ...] = tuple(
            name[len(REGION) :] for name in schedules if name.startswith(REGION)
        )
        self._stage_number: Optional[int] = None
        self._stage_names: Tuple[str, ...] = ()

    def stage_callbacks(self, attributes: TrainingCallbackAttributes) -> List[TrainingCallback]:
        """Return what has to be done before each step of the training.

        Raises:
            ValueError: A stage names a parameter group, a loss or a region that is not there.
        """
        groups = self.get_param_groups()
        stages = make_stages(self.stage_settings, groups, self.loss_weights.now())
        check_groups(stages, groups)
        for stage in stages:
            self.loss_weights.check(f"stages.list {stage.name!r}", stage.weights)
        self._stage_names = tuple(stage.name for stage in stages)
        self._ask_for_regions(attributes, stages)
        if not stages and not self.stage_settings.weights:
            return []
        parts = self._parts(groups)
        schedulers: Mapping[str, Any] = {} if attributes.optimizers is None else attributes.optimizers.schedulers
        _check_schedulers(stages, schedulers if attributes.optimizers is not None else None)

        def enter(step: int) -> None:
            """Weigh and learn as the step's stage says."""
            if not stages:
                return self.loss_weights.follow(step, {})
            number = stage_at(stages, step, self.training_progress.fraction(step))
            stage = stages[number]
            self.loss_weights.follow(step, stage.weights)
            if number != self._stage_number:
                _let_learn(groups, parts, stage)
                self._stage_number = number
            for name in {name for one in stages for name in one.rates} & set(schedulers):
                _set_rate(schedulers[name], stage.rates.get(name, 1.0))

        return [TrainingCallback([TrainingCallbackLocation.BEFORE_TRAIN_ITERATION], enter)]

    def _ask_for_regions(self, attributes: TrainingCallbackAttributes, stages: List[Stage]) -> None:
        """Have the data manager say in which of the regions that are weighed each ray lies."""
        named = [name[len(REGION) :] for stage in stages for name in stage.weights if name.startswith(REGION)]
        self._region_names = tuple(dict.fromkeys([*self._region_names, *named]))
        if self._region_names and attributes.pipeline is not None:
            datamanager: Any = attributes.pipeline.datamanager
            datamanager.find_regions(self._region_names)

    def _parts(self, groups: Mapping[str, List[Parameter]]) -> Dict[str, Set[int]]:
        """Identities of the parameters that each name of a stage's `train` stands for."""
        parts = [module for module in self.modules() if isinstance(module, FaceField)]
        of_field = {id(parameter) for part in parts for parameter in part.parameters()}
        of_colour = {id(parameter) for part in parts for parameter in part.colour_parameters()}
        by_group = {name: {id(parameter) for parameter in group} for name, group in groups.items()}
        return {**by_group, COLOUR: of_colour, DENSITY: of_field - of_colour}

    def stage_metrics(self) -> Dict[str, Tensor]:
        """Return the stage's number and all weights, for the event log of a training that has stages or schedules."""
        if not self._stage_names and not self.stage_settings.weights:
            return {}
        metrics = {f"weight.{name}": torch.tensor(weight) for name, weight in self.loss_weights.now().items()}
        if self._stage_number is not None:
            metrics["stage"] = torch.tensor(float(self._stage_number))
        return metrics

    def ray_weights(self, batch: Dict[str, Tensor]) -> Optional[Float[Tensor, "num_rays"]]:
        """Return what the colours of a step's rays weigh, their regions' weights multiplied; None for all alike."""
        if "regions" not in batch:
            return None
        inside = batch["regions"]
        weights = torch.ones_like(inside[:, 0], dtype=torch.float32)
        for column, name in enumerate(self._region_names):
            weights = torch.where(inside[:, column], weights * self.loss_weights[REGION + name], weights)
        return weights


def _let_learn(groups: Mapping[str, List[Parameter]], parts: Mapping[str, Set[int]], stage: Stage) -> None:
    """Let the parameters learn that a stage names; the others lose gradients that they may have gathered."""
    learning = None if stage.train is None else {one for name in stage.train for one in parts[name]}
    for group in groups.values():
        for parameter in group:
            learns = learning is None or id(parameter) in learning
            parameter.requires_grad_(learns)
            if not learns:
                parameter.grad = None


def _set_rate(scheduler: LambdaLR, factor: float) -> None:
    """Set the rates that a schedule gives its present step, times a factor."""
    for group, base, law in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, scheduler.lr_lambdas):
        group["lr"] = base * law(scheduler.last_epoch) * factor


def _check_schedulers(stages: List[Stage], schedulers: Optional[Mapping[str, Any]]) -> None:
    """Refuse factors on rates that no law of the step gives.

    Raises:
        ValueError: A group has no such schedule.
    """
    for stage in stages if schedulers is not None else ():
        for name in stage.rates:
            if not isinstance(schedulers.get(name), LambdaLR):  # type: ignore[union-attr]
                raise ValueError(
                    f"stages.list {stage.name!r}: lr.{name}: expected a learning-rate schedule that is a factor of "
                    f"the step, got {type(schedulers.get(name)).__name__}"  # type: ignore[union-attr]
                )
