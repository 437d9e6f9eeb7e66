"""nerfstudio's trainer, which goes on to the bit where a checkpoint left it, and can take parts of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Type

from nerfstudio.engine.optimizers import Optimizers
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.utils.rich_utils import CONSOLE
from torch import Tensor, nn
from torch.optim import Optimizer

from nerface_ns.data.merged_identities import split_folders
from nerface_ns.engine.checkpoint_file import checkpoint_path, newest_checkpoint, optimizer_steps, read_checkpoint
from nerface_ns.engine.group_choice import GroupChoice
from nerface_ns.engine.guarded_trainer import GuardedTrainer
from nerface_ns.engine.loading_report import loading_table
from nerface_ns.engine.more_frames import frame_rows, stored_frame_names, widen_ranges, with_more_frames
from nerface_ns.engine.more_identities import with_more_identities
from nerface_ns.engine.partial_loading import compare
from nerface_ns.engine.training_state import FACE_STATE, frame_names, load_training_state


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
    load_more_frames: bool = False
    """Take a whole checkpoint of fewer training frames, all of which the data must still have by name: their latent
    codes, cameras and corrections are kept, and those of new frames start at zero."""
    load_identities: bool = False
    """Start a new training, at step 0, from a checkpoint of fewer persons, who come first in the data's list: they are
    kept, and new ones start from them."""
    new_identity_like: Optional[str] = None
    """Known person as whom new ones start; without it as the mean of all."""

    def set_experiment_name(self) -> None:
        """Name a run of several persons after all of them."""
        datamanager: Any = self.pipeline.datamanager
        folders = split_folders(datamanager.data)
        if self.experiment_name is None and len(folders) > 1:
            self.experiment_name = "+".join(folder.name for folder in folders)
        super().set_experiment_name()


class FaceTrainer(GuardedTrainer):
    """Trains as nerfstudio does, from a whole checkpoint, from some parameter groups of one, or from scratch.

    Args:
        config: Settings; those of nerfstudio's own class, as runs from before this one have them, load no parts.
        local_rank: Rank of this process.
        world_size: Number of processes.
    """

    def __init__(self, config: TrainerConfig, local_rank: int = 0, world_size: int = 1) -> None:
        super().__init__(config, local_rank, world_size)
        self.group_choice = GroupChoice.parse(getattr(config, "load_only", None), getattr(config, "load_ignore", None))
        self._takes_more_frames = getattr(config, "load_more_frames", False)
        if self._takes_more_frames and self.group_choice is not None:
            raise ValueError(f"--load-more-frames: expected a whole checkpoint, got {self.group_choice.option} as well")
        if self._takes_more_frames and config.load_dir is None and config.load_checkpoint is None:
            raise ValueError("--load-more-frames: expected --load-dir or --load-checkpoint as well, got neither")
        self._takes_identities = getattr(config, "load_identities", False)
        if self._takes_identities and (self._takes_more_frames or self.group_choice is not None):
            raise ValueError("--load-identities: expected neither --load-more-frames, --load-only nor --load-ignore")
        if self._takes_identities and config.load_dir is None and config.load_checkpoint is None:
            raise ValueError("--load-identities: expected --load-dir or --load-checkpoint as well, got neither")
        if getattr(config, "new_identity_like", None) is not None and not self._takes_identities:
            raise ValueError("--new-identity-like: expected --load-identities as well")
        if self.group_choice is not None or self._takes_identities:
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
        path, self._stored = self._read_checkpoint()
        self._partial = compare(path, self._stored, self.pipeline, optimizers.parameters, self.group_choice)
        if any(tensor.outcome == "mismatched" for tensor in self._partial.tensors):
            CONSOLE.print(loading_table(self._partial, {}))
        datamanager: Any = self.pipeline.datamanager
        self._partial.check(len(datamanager.train_dataset))
        return optimizers

    def _read_checkpoint(self) -> Tuple[Path, Dict[str, Any]]:
        """Read the checkpoint that the settings name; of a folder without a step, the last one that is whole."""
        path = self._checkpoint_path()
        if self.config.load_dir is None or self.config.load_step is not None:
            return path, read_checkpoint(path)
        path, stored, faults = newest_checkpoint(self.config.load_dir)
        for fault in faults:
            self._tell(f"{fault}; passed over for {path.name}")
        return path, stored

    def _load_checkpoint(self) -> None:
        """Load what is asked for; called by `setup`."""
        if self._takes_identities:
            self._load_identities(*self._read_checkpoint())
            return
        if self.group_choice is None:
            if self.config.load_dir is None and self.config.load_checkpoint is None:
                super()._load_checkpoint()
            else:
                self._load_whole(*self._read_checkpoint())
            return
        stored, self._stored = self._stored, {}
        if self._partial.is_whole and set(stored["optimizers"]) == set(self.optimizers.optimizers):
            self._load_whole(self._partial.source, stored)
            done = dict.fromkeys(self._partial.groups, f"goes on at step {self._start_step}")
        else:
            done = self._load_parts(stored["optimizers"])
        CONSOLE.print(loading_table(self._partial, done))
        CONSOLE.print(f"Training starts at step {self._start_step}.")
        self._partial.taken.clear()

    def _load_identities(self, path: Path, stored: Dict[str, Any]) -> None:
        """Load a checkpoint of fewer persons; schedules and moments start anew."""
        model: Any = self.pipeline.model
        datamanager: Any = self.pipeline.datamanager
        names = stored_frame_names(stored), frame_names(self)
        like = getattr(self.config, "new_identity_like", None)
        state = with_more_identities(path, stored["pipeline"], model, *names, like)
        self.pipeline.load_pipeline(state, 0)
        widen_ranges(model)
        model.reopen_space(datamanager.train_dataset)
        CONSOLE.print(f"Done loading {path}; {', '.join(model.identities.names)}: the last start anew", soft_wrap=True)

    def _load_whole(self, path: Path, stored: Dict[str, Any]) -> None:
        """Load as nerfstudio does, and what it has no place for; name the file where the data's sizes differ."""
        before, now = stored_frame_names(stored), frame_names(self)
        rows: List[int] = []
        if self._takes_more_frames:
            rows = frame_rows(path, before, now)
            stored = with_more_frames(stored, rows, self.pipeline, self.optimizers.parameters)
        try:
            load_training_state(self, stored)
        except ValueError as error:
            hint = ""
            if before is not None and now is not None and set(before) < set(now):
                hint = " --load-more-frames True keeps the codes of its frames and starts new ones at zero."
            raise ValueError(f"{self.config.load_dir or self.config.load_checkpoint}: {error}{hint}") from error
        CONSOLE.print(f"Done loading checkpoint from {path}", soft_wrap=True)
        if self._takes_more_frames:
            widen_ranges(self.pipeline.model)
            CONSOLE.print(f"{rows.count(-1)} of {len(rows)} training frames are new; their codes start at zero.")
        elif before is not None and before != now:
            self._tell(f"{path}: the checkpoint's training frames have other names than the data's")
        self._resumed = stored.get(FACE_STATE)
        if self._resumed is None:
            self._tell(f"{path}: the checkpoint has no random state, so other pixels will be drawn than without a stop")
        else:
            self._rollback.count = self._resumed["num_rollbacks"]

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
