"""Which parameter groups each tensor of a pipeline's state goes with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Dict, Tuple

from torch import nn
from torch.nn import Parameter

MODEL = "_model"
"""Name under which nerfstudio's pipelines hold their model."""
FOLLOWERS = {"occupancy": "field"}
"""Modules of a model that train nothing and remember what another one holds: they go where it goes."""

Groups = Tuple[str, ...]
"""Names of parameter groups, sorted; none for what the data decide."""


def tensor_groups(pipeline: nn.Module, param_groups: Mapping[str, Sequence[Parameter]]) -> Dict[str, Groups]:
    """Return the groups that each entry of a pipeline's state dict goes with.

    A trained parameter goes with its own group. A buffer, or a parameter that is not trained, goes with all groups of
    the smallest module around it that trains anything, short of the whole model. The occupancy grid, which trains
    nothing, goes with the field. What is left follows from the data: ranges of expressions and poses, a photograph.

    Args:
        pipeline: Its `state_dict` names the entries.
        param_groups: As `Pipeline.get_param_groups` gives them.
    """
    group_of = {id(parameter): name for name, group in param_groups.items() for parameter in group}
    trained = {
        name: group_of[id(parameter)] for name, parameter in pipeline.named_parameters() if id(parameter) in group_of
    }
    return {
        name: (trained[name],) if name in trained else _groups_around(name, trained) for name in pipeline.state_dict()
    }


def _groups_around(name: str, trained: Mapping[str, str]) -> Groups:
    """Return the groups of the smallest module around an entry that trains anything."""
    path = name.split(".")[:-1]
    root = [MODEL] if path[:1] == [MODEL] else []
    while len(path) > len(root):
        groups = _groups_below(".".join(path), trained)
        if groups:
            return groups
        path = path[:-1]
    leader = FOLLOWERS.get(name.split(".")[len(root)])
    return () if leader is None else _groups_below(".".join([*root, leader]), trained)


def _groups_below(module: str, trained: Mapping[str, str]) -> Groups:
    return tuple(sorted({group for name, group in trained.items() if name.startswith(f"{module}.")}))
