"""NerFace's one Adam over everything, and the same state by this package's parameters."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nerface_ns.original.parameter_layout import OriginalParameter

MOMENTS = {"exp_avg": False, "exp_avg_sq": True}
"""Adam's tensors, and whether they hold squares."""
SETTINGS = ("betas", "eps", "weight_decay")
"""What all parameters must share beside the learning rate."""

ParameterState = dict[str, Tensor]
"""Adam's "step", "exp_avg" and "exp_avg_sq" of one parameter."""


@dataclass
class SplitAdam:
    """Adam's state in this package's parameters."""

    states: dict[str, ParameterState]
    """By this package's parameter."""
    rate: float
    """Learning rate of the next step."""
    settings: dict[str, Any]
    """`SETTINGS`."""
    frame: dict[str, Any]
    """NerFace's state dict with None in place of each tensor that `states` holds."""


def why_not_split(adam: Mapping[str, Any], parameters: Sequence[OriginalParameter]) -> str | None:
    """Say what keeps a state dict from being split; None if nothing does.

    Args:
        adam: NerFace's optimizer state.
        parameters: In the order in which the optimizer got them, the background last.
    """
    groups: Any = adam.get("param_groups")
    states: Any = adam.get("state")
    is_adam = isinstance(states, dict) and isinstance(groups, list) and len(groups) > 0
    if not is_adam or not all(isinstance(group, dict) and "params" in group for group in groups):
        return f"expected Adam's state and param_groups, got {sorted(map(str, adam))}"
    indices = [index for group in groups for index in group["params"]]
    if len(indices) not in (len(parameters), len(parameters) - 1):  # the last, the background, may be left out
        return f"expected Adam over {len(parameters)} parameters, got {len(indices)}"
    settings = [{name: group.get(name) for name in (*SETTINGS, "lr")} for group in groups]
    if any(other != settings[0] for other in settings) or None in settings[0].values():
        return f"expected one Adam's lr, betas, eps and weight_decay, got {settings}"
    for index, parameter in zip(indices, parameters):
        state = states.get(index)
        if state is None:
            continue
        if set(state) != {"step", *MOMENTS}:
            return f"{parameter.name}: expected step, exp_avg and exp_avg_sq, got {sorted(map(str, state))}"
        for name in MOMENTS:
            if not isinstance(state[name], Tensor) or tuple(state[name].shape) != parameter.shape:
                got = tuple(state[name].shape) if isinstance(state[name], Tensor) else type(state[name]).__name__
                return f"{parameter.name}: {name}: expected shape {parameter.shape}, got {got}"
    return None


def split_adam(adam: Mapping[str, Any], parameters: Sequence[OriginalParameter], trained: Collection[str]) -> SplitAdam:
    """Split NerFace's state into this package's parameters.

    Args:
        adam: A state dict in which `why_not_split` finds no fault.
        parameters: In the order in which the optimizer got them.
        trained: This package's parameters that an optimizer here trains; the rest of the state stays as it is.
    """
    frame = copy.deepcopy(dict(adam))
    indices = [index for group in adam["param_groups"] for index in group["params"]]
    states: dict[str, ParameterState] = {}
    for index, parameter in zip(indices, parameters):
        names = {part.name for part in parameter.parts}
        if index not in adam["state"] or not names <= set(trained):
            continue
        state = adam["state"][index]
        for name in names:
            states[name] = {"step": torch.tensor(float(state["step"]))}
        for moment, is_square in MOMENTS.items():
            for name, values in parameter.split(state[moment], is_square).items():
                states[name][moment] = values
            frame["state"][index][moment] = None
    group = adam["param_groups"][0]
    return SplitAdam(states, float(group["lr"]), {name: group[name] for name in SETTINGS}, frame)


def join_adam(
    states: Mapping[str, ParameterState], parameters: Sequence[OriginalParameter], frame: Mapping[str, Any]
) -> dict[str, Any]:
    """Fill the tensors in that a state dict of NerFace lacks.

    Args:
        states: Adam's state by this package's parameter.
        parameters: In NerFace's order.
        frame: As `split_adam` leaves it, or `new_frame` makes it.
    """
    adam = copy.deepcopy(dict(frame))
    indices = [index for group in adam["param_groups"] for index in group["params"]]
    for index, parameter in zip(indices, parameters):
        for moment, is_square in MOMENTS.items():
            if index in adam["state"] and adam["state"][index][moment] is None:
                tensors = {part.name: states[part.name][moment] for part in parameter.parts}
                adam["state"][index][moment] = parameter.join(tensors, is_square)
    return adam


def new_frame(
    states: Mapping[str, ParameterState],
    parameters: Sequence[OriginalParameter],
    rate: float,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Make the frame that NerFace's training script expects: the background in a group of its own.

    Args:
        states: Adam's state by this package's parameter.
        parameters: In NerFace's order, the background last.
        rate: Learning rate of the next step.
        settings: `SETTINGS`.
    """
    rows: dict[int, dict[str, Any]] = {}
    for index, parameter in enumerate(parameters):
        if all(part.name in states for part in parameter.parts):
            step = int(states[parameter.parts[0].name]["step"])
            rows[index] = {"step": step, **dict.fromkeys(MOMENTS)}
    last = len(parameters) - 1
    groups = [{"lr": rate, **settings, "amsgrad": False, "params": members} for members in (list(range(last)), [last])]
    return {"state": rows, "param_groups": groups}
