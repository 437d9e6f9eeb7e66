"""nerfstudio's trainer, which can also take parts of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Optional, Type

from nerfstudio.engine.optimizers import Optimizers
from nerfstudio.engine.trainer import Trainer, TrainerConfig
from nerfstudio.utils.rich_utils import CONSOLE
from torch import Tensor, nn
from torch.optim import Optimizer

from nerface_ns.engine.checkpoint_file import checkpoint_path, optimizer_steps, read_checkpoint
from nerface_ns.engine.group_choice import GroupChoice
from nerface_ns.engine.loading_report import loading_table
from nerface_ns.engine.partial_loading import compare


@dataclass
class FaceTrainerConfig(TrainerConfig):
    """nerfstudio's settings of a training, and which parts of a checkpoint it starts from."""

    _target: Type = field(default_factory=lambda: FaceTrainer)
    """Target class to instantiate."""
    load_only: Optional[str] = None
    """Take only these parameter groups, named with commas between, of the checkpoint that load-dir or load-checkpoint
    names: cameras,latent_codes. The rest starts fresh, at step 0. Without it the whole checkpoint is taken, and the
    training goes on at its step."""
    load_ignore: Optional[str] = None
    """Take all parameter groups of the checkpoint but these."""


class FaceTrainer(Trainer):
    """Trains as nerfstudio does, from a whole checkpoint, from some parameter groups of one, or from scratch.

    Args:
        config: Settings; those of nerfstudio's own class, as runs from before this one have them, load no parts.
        local_rank: Rank of this process.
        world_size: Number of processes.
    """

    def __init__(self, config: TrainerConfig, local_rank: int = 0, world_size: int = 1) -> None:
        super().__init__(config, local_rank, world_size)
        self.group_choice = GroupChoice.parse(getattr(config, "load_only", None), getattr(config, "load_ignore", None))
        if self.group_choice is not None:
            self._checkpoint_path()  # a checkpoint that is not there is found out before the data are read

    def _checkpoint_path(self) -> Path:
        return checkpoint_path(self.config.load_dir, self.config.load_step, self.config.load_checkpoint)

    def setup_optimizers(self) -> Optimizers:
        """Build the optimizers, and find out whether the checkpoint fits, before a viewer opens.

        Raises:
            ValueError: The checkpoint lacks a group that is asked for, or does not fit the model or the data.
        """
        optimizers = super().setup_optimizers()
        if self.group_choice is None:
            return optimizers
        path = self._checkpoint_path()
        self._stored = read_checkpoint(path)
        self._partial = compare(path, self._stored, self.pipeline, optimizers.parameters, self.group_choice)
        if any(tensor.outcome == "mismatched" for tensor in self._partial.tensors):
            CONSOLE.print(loading_table(self._partial, {}))
        self._partial.check(len(self.pipeline.datamanager.train_dataset))  # type: ignore[arg-type]
        return optimizers

    def _load_checkpoint(self) -> None:
        """Load what is asked for; called by `setup`."""
        if self.group_choice is None:
            self._load_whole()
            return
        stored, self._stored = self._stored, {}
        if self._partial.is_whole and set(stored["optimizers"]) == set(self.optimizers.optimizers):
            self._load_whole()
            done = dict.fromkeys(self._partial.groups, f"goes on at step {self._start_step}")
        else:
            done = self._load_parts(stored["optimizers"])
        CONSOLE.print(loading_table(self._partial, done))
        CONSOLE.print(f"Training starts at step {self._start_step}.")
        self._partial.taken.clear()

    def _load_whole(self) -> None:
        """Load as nerfstudio does, naming the file where the data's sizes differ."""
        try:
            super()._load_checkpoint()
        except ValueError as error:
            raise ValueError(f"{self.config.load_dir or self.config.load_checkpoint}: {error}") from error

    def _load_parts(self, stored: Dict[str, Any]) -> Dict[str, str]:
        """Load tensors and the optimizers of whole groups; returns what became of each optimizer."""
        # Not the pipeline's own way, which asks for all of a model.
        nn.Module.load_state_dict(self.pipeline, self._partial.taken, strict=False)
        return {
            group: load_moments(optimizer, stored.get(group)) if group in self._partial.groups else "fresh"
            for group, optimizer in self.optimizers.optimizers.items()
        }


def load_moments(optimizer: Optimizer, stored: Optional[Dict[str, Any]]) -> str:
    """Give an optimizer the moments of a checkpoint; rates stay as they are, for their schedules start anew.

    Args:
        optimizer: Adam or a relative, of the same parameters as the stored one.
        stored: State of the checkpoint's optimizer; None where it has none.

    Returns:
        "fresh" where nothing fitted, else how many steps the moments have seen.
    """
    fresh = optimizer.state_dict()["param_groups"]
    if stored is None or not stored["state"]:
        return "fresh"
    if [len(group["params"]) for group in stored["param_groups"]] != [len(group["params"]) for group in fresh]:
        return "fresh"
    sizes = [parameter.shape for group in optimizer.param_groups for parameter in group["params"]]
    moments = stored["state"]
    for row, state in moments.items():
        if any(isinstance(moment, Tensor) and moment.dim() and moment.shape != sizes[row] for moment in state.values()):
            return "fresh"
    optimizer.load_state_dict({"state": moments, "param_groups": fresh})
    return f"moments of {max(optimizer_steps(stored), default=0)} steps"
