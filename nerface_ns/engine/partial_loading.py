"""Lays a checkpoint beside a pipeline: what becomes of every tensor when some parameter groups are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Literal, Optional, Tuple

from torch import Tensor, nn
from torch.nn import Parameter

from nerface_ns.engine.checkpoint_file import plain_name, plain_names
from nerface_ns.engine.group_choice import GroupChoice
from nerface_ns.engine.tensor_groups import Groups, tensor_groups

Outcome = Literal["taken", "skipped", "missing", "mismatched"]
"""taken; skipped: not asked for; missing: asked for and not in the checkpoint; mismatched: of another size there."""
Size = Tuple[int, ...]


@dataclass(frozen=True)
class TensorOutcome:
    """What becomes of one tensor."""

    name: str
    """As the pipeline calls it, or the checkpoint where the pipeline has none."""
    groups: Optional[Groups]
    """Groups that it goes with, none for what the data decide; None where the pipeline has no such tensor."""
    outcome: Outcome
    """What becomes of it."""
    size: Optional[Size]
    """Its size in the pipeline."""
    stored_size: Optional[Size]
    """Its size in the checkpoint."""


@dataclass
class PartialCheckpoint:
    """A checkpoint laid beside a pipeline."""

    source: Path
    """The file."""
    tensors: List[TensorOutcome]
    """What becomes of each tensor that holds a number."""
    taken: Dict[str, Tensor]
    """Values of those that are taken, by the pipeline's names."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out, neither of the pipeline nor of the checkpoint."""
        return all(tensor.outcome == "taken" for tensor in self.tensors)

    @property
    def groups(self) -> Groups:
        """Groups of which every trained tensor is taken."""
        own = [tensor for tensor in self.tensors if tensor.groups is not None and len(tensor.groups) == 1]
        taken, left = (
            {group for tensor in own for group in tensor.groups or () if (tensor.outcome == "taken") is is_taken}
            for is_taken in (True, False)
        )
        return tuple(sorted(taken - left))

    def check(self, num_frames: int) -> None:
        """Refuse tensors of another size, of which a training would otherwise hear at its first step, or never.

        Args:
            num_frames: Training frames of the data.

        Raises:
            ValueError: A tensor that is asked for has another size in the checkpoint.
        """
        for tensor in self.tensors:
            if tensor.outcome == "mismatched":
                raise ValueError(f"{self.source}: {_mismatch(tensor, num_frames)}")


def compare(
    source: Path,
    state: Mapping[str, Any],
    pipeline: nn.Module,
    param_groups: Mapping[str, Sequence[Parameter]],
    choice: GroupChoice,
) -> PartialCheckpoint:
    """Say what becomes of every tensor.

    Args:
        source: The checkpoint's file, for messages.
        state: Its content.
        pipeline: What is to be loaded.
        param_groups: As `Pipeline.get_param_groups` gives them.
        choice: What is asked for.

    Raises:
        ValueError: A group that is asked for is unknown, or not in the checkpoint.
    """
    choice.check(str(source), param_groups, state["optimizers"])
    stored, groups_of = plain_names(state["pipeline"]), tensor_groups(pipeline, param_groups)
    takes_all = all(choice.takes((group,)) for group in param_groups)
    tensors, taken = [], {}
    for name, value in pipeline.state_dict().items():
        found = stored.pop(plain_name(name), None)
        outcome = _outcome(takes_all or choice.takes(groups_of[name]), value, found)
        if outcome == "taken":
            taken[name] = found
        if value.numel() > 0 or (found is not None and found.numel() > 0):
            stored_size = None if found is None else tuple(found.shape)
            tensors.append(TensorOutcome(plain_name(name), groups_of[name], outcome, tuple(value.shape), stored_size))
    tensors += [TensorOutcome(name, None, "skipped", None, tuple(found.shape)) for name, found in stored.items()]
    return PartialCheckpoint(source, tensors, taken)


def _outcome(is_asked_for: bool, value: Tensor, found: Optional[Tensor]) -> Outcome:
    if not is_asked_for:
        return "skipped"
    if found is None:
        return "missing"
    return "taken" if found.shape == value.shape else "mismatched"


def _mismatch(tensor: TensorOutcome, num_frames: int) -> str:
    size, stored, groups = tensor.size, tensor.stored_size, ",".join(tensor.groups or ())
    assert size is not None and stored is not None
    here, there = (" x ".join(map(str, shape)) or "one number" for shape in (size, stored))
    advice = f"; --load-ignore {groups} would leave it out" if groups else ""
    if size[:1] == (num_frames,) and size[1:] == stored[1:]:
        expected, got = f"{num_frames} training frames as in the data", f"{stored[0]}"
        return f"{groups}: expected {expected}, got {got} ({tensor.name} is {there} there, {here} here){advice}"
    return f"{groups}: expected {tensor.name} of size {here}, got {there}{advice}"
