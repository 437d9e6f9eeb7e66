"""Everything that a training's next step depends on, as a checkpoint holds it.

What nerfstudio saves lacks the random generators and gradients that are still being gathered. They are in an entry of
their own, which nerfstudio's commands do not look at; all of it is of plain types, which torch loads without pickles.
"""

from __future__ import annotations

import copy
from typing import Any, Dict, List, Optional

import torch
from nerfstudio.engine.trainer import Trainer
from nerfstudio.utils import comms
from torch import Tensor, nn

from nerface_ns.engine.random_state import part_ways, random_state, set_random_state

FACE_STATE = "face_state"
"""Name of the entry."""
VERSION = 1
"""Counted up when the entry changes meaning."""


def training_state(trainer: Trainer, step: int, num_rollbacks: int) -> Dict[str, Any]:
    """Return the state after a step; tensors are the training's own, not copies.

    Args:
        trainer: In the middle of a training.
        step: The last step that was made.
        num_rollbacks: How often the training went back.
    """
    optimizers, schedulers = trainer.optimizers.optimizers, trainer.optimizers.schedulers
    return {
        "step": step,
        "pipeline": _bare(trainer).state_dict(),
        "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers.items()},
        "schedulers": {name: scheduler.state_dict() for name, scheduler in schedulers.items()},
        "scalers": trainer.grad_scaler.state_dict(),
        FACE_STATE: {
            "version": VERSION,
            "random": random_state(trainer.device),
            "gradients": _gathered_gradients(trainer, step),
            "frame_names": frame_names(trainer),
            "num_rollbacks": num_rollbacks,
        },
    }


def load_training_state(trainer: Trainer, stored: Dict[str, Any]) -> None:
    """Load what nerfstudio would of a checkpoint, and gathered gradients; `start_random` does the rest.

    Args:
        trainer: Of the same method and data.
        stored: As `training_state` returned it, or a checkpoint of nerfstudio's.
    """
    face_state = stored.get(FACE_STATE, {"version": VERSION, "gradients": {}})
    if face_state["version"] != VERSION:
        raise ValueError(f"{FACE_STATE}: expected version {VERSION}, got {face_state['version']}")
    trainer._start_step = stored["step"] + 1
    trainer.pipeline.load_pipeline(stored["pipeline"], stored["step"])
    _check_groups(trainer, stored["optimizers"])
    trainer.optimizers.load_optimizers(stored["optimizers"])
    if "schedulers" in stored and trainer.config.load_scheduler:
        trainer.optimizers.load_schedulers(stored["schedulers"])
    if "scalers" in stored:
        trainer.grad_scaler.load_state_dict(stored["scalers"])
    for name, gradients in face_state["gradients"].items():
        for parameter, gradient in zip(trainer.optimizers.parameters.get(name, []), gradients):
            parameter.grad = None if gradient is None else gradient.to(parameter).clone()


def _check_groups(trainer: Trainer, stored: Dict[str, Any]) -> None:
    """Refuse optimizers of other settings, which train more or fewer tensors of a group."""
    for name, optimizer in trainer.optimizers.optimizers.items():
        groups = stored.get(name, optimizer.state_dict())["param_groups"]
        found, wanted = (sum(len(group["params"]) for group in side) for side in (groups, optimizer.param_groups))
        if found != wanted:
            raise ValueError(
                f"parameter group {name}: expected {wanted} trained tensors, as the settings have it, got {found}; "
                "go on with the settings of the run's config.yml"
            )


def start_random(trainer: Trainer, face_state: Dict[str, Any]) -> None:
    """Put the random generators where a checkpoint's training left them, right before the first step."""
    set_random_state(face_state["random"], trainer.device)
    part_ways(comms.get_rank())


def frame_names(trainer: Trainer) -> Optional[List[str]]:
    """Return the training frames' names, to which latent codes belong; None where the data have none."""
    names = getattr(trainer.pipeline.datamanager.train_dataset, "metadata", {}).get("frame_names")
    return None if names is None else [str(name) for name in names]


def not_finite(trainer: Trainer) -> List[str]:
    """Return the parameter groups in which a parameter or a moment of its optimizer is NaN or infinite."""
    marks, names = [], []
    for name, parameters in trainer.optimizers.parameters.items():
        moments = [list(state.values()) for state in trainer.optimizers.optimizers[name].state.values()]
        tensors = [*parameters, *(value for values in moments for value in values if isinstance(value, Tensor))]
        finite = [torch.isfinite(tensor.detach()).all() for tensor in tensors if tensor.numel()]
        if finite:
            # Steps of an optimizer are counted on the CPU.
            marks.append(torch.stack([mark.to(trainer.device) for mark in finite]).all())
            names.append(name)
    if not marks:
        return []
    return [name for name, is_finite in zip(names, torch.stack(marks).tolist()) if not is_finite]


def copied(state: Any) -> Any:
    """Return a copy of a state that the training does not reach."""
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {name: copied(value) for name, value in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(copied(value) for value in state)
    return copy.deepcopy(state)


def go_back(trainer: Trainer, good: Dict[str, Any]) -> None:
    """Take parameters, buffers and optimizers back to an earlier state; steps, schedules and chance go on."""
    _bare(trainer).load_state_dict(good["pipeline"])
    for name, optimizer in trainer.optimizers.optimizers.items():
        # An optimizer takes the tensors themselves, and would write into the good state.
        optimizer.load_state_dict(copied(good["optimizers"][name]))
        for parameter in trainer.optimizers.parameters[name]:
            parameter.grad = None


def lower_rates(trainer: Trainer, factor: float) -> None:
    """Lower all learning rates for the rest of the training, in the schedules too."""
    for optimizer in trainer.optimizers.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] *= factor
            if "initial_lr" in group:
                group["initial_lr"] *= factor
    for scheduler in trainer.optimizers.schedulers.values():
        scheduler.base_lrs = [rate * factor for rate in scheduler.base_lrs]


def _bare(trainer: Trainer) -> nn.Module:
    return getattr(trainer.pipeline, "module", trainer.pipeline)


def _gathered_gradients(trainer: Trainer, step: int) -> Dict[str, List[Optional[Tensor]]]:
    """Gradients of groups that step only every few steps, where the next step goes on gathering."""
    counts = trainer.gradient_accumulation_steps
    return {
        name: [parameter.grad for parameter in parameters]
        for name, parameters in trainer.optimizers.parameters.items()
        if (step + 1) % counts[name] != 0
    }
