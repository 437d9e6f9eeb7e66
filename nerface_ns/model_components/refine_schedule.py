"""Pretrain, drop the field, keep the cameras, train again: in one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Type

import torch
import torch.distributed
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor, nn

KEPT_GROUPS = ("cameras", "expression_corrections", "background")
"""Parameter groups that live through the drop, with their optimizers and schedules."""
SETTLED_GROUPS = ("cameras",)
"""Those whose rate has fallen to its end by then: the new field shall see cameras that hardly move."""

LENS_WAIT = 0.5
"""Share of a statue's time in which the lens waits for a shape: a rough field pulls it short."""


@dataclass
class RefineScheduleConfig(InstantiateConfig):
    """A field that was trained with moving cameras is blurred for good; one that starts anew with good cameras is not.

    Improved NeRF-- does so with a pretraining of about a tenth of its epochs.
    """

    _target: Type = field(default_factory=lambda: RefineSchedule)
    """Target class to instantiate."""
    pretrain_share: float = 0.0
    """Share of the training, in [0, 1), after which the field, latent codes and occupancy start anew; 0 never."""
    rigid_pretraining: bool = True
    """Where cameras learn: until the field is dropped nothing bends with the head's pose, because such bending can
    take the errors of poses and lens over; from then on it may, as necks do, and the lens stands still."""
    statue_share: float = 0.4
    """Share of the pretraining, in [0, 1], in which the face is a statue, told neither expression nor gaze nor latent
    code; a lens that learns does so in the second half of it, and stands still otherwise. A lens shows in perspective
    alone, which is imitated by what follows the expression, as expressions go with poses, and by a field without a
    shape. At 0 the lens learns until the field is dropped. Only where a lens learns and `rigid_pretraining` is on."""
    rest_steps: int = 300
    """Steps after that in which cameras and expressions stand still: a new field has nothing to tell them."""


class RefineSchedule(nn.Module):
    """Remembers in the checkpoint whether, and when, the field was dropped.

    Args:
        config: When to drop it.

    Raises:
        ValueError: The share is outside (0, 1), or that of the statue outside [0, 1].
    """

    dropped_at: Tensor
    statue: Tensor

    def __init__(self, config: RefineScheduleConfig) -> None:
        super().__init__()
        if not 0 < config.pretrain_share < 1:
            raise ValueError(f"refine_schedule.pretrain_share: expected a share in [0, 1), got {config.pretrain_share}")
        # Runs of before there were statues have no such setting, and go on without.
        self.statue_share = vars(config).get("statue_share", 0.0)
        if not 0 <= self.statue_share <= 1:
            raise ValueError(f"refine_schedule.statue_share: expected a share in [0, 1], got {self.statue_share}")
        self.config = config
        self.register_buffer("dropped_at", torch.full((), -1, dtype=torch.long))
        self.register_buffer("statue", torch.zeros((), dtype=torch.bool))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        state_dict.setdefault(f"{prefix}statue", torch.zeros((), dtype=torch.bool))
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def age(self, step: int) -> int:
        """Return the number of steps since the field was new."""
        return step - max(int(self.dropped_at), 0)

    @property
    def is_done(self) -> bool:
        """Whether the field has been dropped."""
        return int(self.dropped_at) >= 0

    def is_resting(self, step: int) -> bool:
        """Whether the field is too new for what it is seen from to learn."""
        return 0 <= int(self.dropped_at) <= step < int(self.dropped_at) + self.config.rest_steps

    def begin_step(self, fraction: float, learns_lens: bool) -> bool:
        """Decide whether the face is a statue in a step, and whether the lens stands still in it.

        Args:
            fraction: Share of the training that is done.
            learns_lens: Whether there is a lens that may learn.

        Returns:
            Whether the lens stands still.
        """
        if not self.config.rigid_pretraining:
            return False
        end = self.statue_share * self.config.pretrain_share
        self.statue.fill_(learns_lens and not self.is_done and fraction < end)
        # From the drop on poses bend the field, which may then stretch as another lens would.
        return self.is_done or (end > 0 and not LENS_WAIT * end <= fraction < end)

    def is_due(self, fraction: float) -> bool:
        """Whether the field has to be dropped, given the share of the training that is done."""
        return not self.is_done and fraction >= self.config.pretrain_share

    def place_schedules(self, schedulers: Mapping[str, Any], step: int) -> None:
        """Fit the schedules of what is dropped into the part of the training that it lives in.

        Args:
            schedulers: By parameter group.
            step: The coming training step.
        """
        share = self.config.pretrain_share
        for name, scheduler in schedulers.items():
            progress = getattr(scheduler, "training_progress", None)
            if progress is None:
                continue
            if name in SETTLED_GROUPS:
                progress.begin, progress.end = 0.0, share
            elif name not in KEPT_GROUPS:
                progress.begin, progress.end = (share, 1.0) if self.is_done else (0.0, share)
                progress.first_step = step - scheduler.last_epoch

    def drop(self, model: nn.Module, fresh: nn.Module, kept: Sequence[str], optimizers: Any, step: int) -> None:
        """Put a new model's numbers into the trained one, but for the parts that are kept.

        Parameters stay the same objects, so that optimizers go on knowing them; what optimizers remember of them, and
        the schedules of their rates, start anew.

        Args:
            model: The trained model.
            fresh: One of the same settings, untrained.
            kept: Beginnings of the names of parameters and buffers that are kept.
            optimizers: nerfstudio's `Optimizers`.
            step: The coming training step.
        """
        new = fresh.state_dict()
        with torch.no_grad():
            for name, value in model.state_dict().items():
                if not name.startswith(tuple(kept)):
                    value.copy_(new[name])
                    _same_everywhere(value)
        for name, optimizer in optimizers.optimizers.items():
            if name not in KEPT_GROUPS:
                optimizer.state.clear()
        for name, scheduler in optimizers.schedulers.items():
            if name not in KEPT_GROUPS:
                scheduler.last_epoch = 0
        self.dropped_at.fill_(step)
        self.place_schedules(optimizers.schedulers, step)


def _same_everywhere(value: Tensor) -> None:
    """Give the processes of one training job the same numbers: each has drawn its own."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.broadcast(value, 0)
