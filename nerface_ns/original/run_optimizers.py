"""Adam's state in the optimizers of a run: one for each parameter group here, a single one in NerFace's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nerface_ns.original.adam_state import ParameterState, SplitAdam


def group_names(pipeline: Any) -> dict[str, list[str]]:
    """Return the names of the model's parameters in each group, in the optimizer's order."""
    names = {id(parameter): name for name, parameter in pipeline.model.named_parameters()}
    groups = pipeline.model.get_param_groups()
    return {group: [names[id(parameter)] for parameter in parameters] for group, parameters in groups.items()}


def started_optimizers(
    config: Any, pipeline: Any, adam: SplitAdam | None, iteration: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the state dicts of a run's optimizers and schedulers, as if it had trained up to an iteration.

    Args:
        config: The run's.
        pipeline: The run's.
        adam: NerFace's optimizer; None leaves the moments empty.
        iteration: The last that was trained.
    """
    from nerfstudio.engine.optimizers import Optimizers

    optimizers = Optimizers(config.optimizers.copy(), pipeline.get_param_groups())
    parameters = dict(pipeline.model.named_parameters())
    for group, names in group_names(pipeline).items():
        optimizer, scheduler = optimizers.optimizers[group], optimizers.schedulers[group]
        if adam is not None:
            for name in names:
                if name in adam.states:
                    optimizer.state[parameters[name]] = dict(adam.states[name])
        rate = scheduler.base_lrs[0] * scheduler.lr_lambdas[0](iteration + 1) if adam is None else adam.rate
        optimizer.param_groups[0]["lr"] = rate
        place = {"last_epoch": iteration + 1, "_step_count": iteration + 2, "_last_lr": [rate]}
        scheduler.load_state_dict({**scheduler.state_dict(), **place})
    return (
        {group: optimizer.state_dict() for group, optimizer in optimizers.optimizers.items()},
        {group: scheduler.state_dict() for group, scheduler in optimizers.schedulers.items()},
    )


def states_by_parameter(pipeline: Any, optimizers: Mapping[str, Any]) -> dict[str, ParameterState]:
    """Return Adam's state of each parameter that has one.

    Args:
        pipeline: The run's.
        optimizers: State dicts by parameter group, as a run's checkpoint holds them.
    """
    return {
        name: optimizers[group]["state"][index]
        for group, names in group_names(pipeline).items()
        if group in optimizers
        for index, name in enumerate(names)
        if index in optimizers[group]["state"]
    }
