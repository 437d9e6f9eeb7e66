"""The list of what was taken of a checkpoint, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Dict, List, Tuple

from rich.table import Table

from nerface_ns.engine.partial_loading import PartialCheckpoint, TensorOutcome

NUM_NAMES = 4
"""Tensors of a row that are named; of more, the rest is counted."""
OUTCOMES = ("taken", "skipped", "missing", "mismatched")


def loading_table(partial: PartialCheckpoint, optimizers: Mapping[str, str]) -> Table:
    """Lay out a row for every parameter group, or groups that tensors go with together, and outcome.

    Args:
        partial: What became of every tensor.
        optimizers: What became of each group's optimizer.
    """
    table = Table("group", "outcome", "tensors", "optimizer", "which", title=f"Loading {partial.source}")
    rows = _rows(partial)
    for label, outcome in sorted(rows, key=lambda row: (row[0], OUTCOMES.index(row[1]))):
        tensors = rows[label, outcome]
        groups = tensors[0].groups
        optimizer = optimizers.get(label, "") if groups is not None and len(groups) == 1 else ""
        table.add_row(label, outcome, str(len(tensors)), optimizer, _names(tensors))
    return table


def _rows(partial: PartialCheckpoint) -> Dict[Tuple[str, str], List[TensorOutcome]]:
    rows: Dict[Tuple[str, str], List[TensorOutcome]] = {}
    for tensor in partial.tensors:
        rows.setdefault((_label(tensor), tensor.outcome), []).append(tensor)
    return rows


def _label(tensor: TensorOutcome) -> str:
    if tensor.groups is None:
        return "(not in this model)"
    return " and ".join(tensor.groups) or "(as the data say)"


def _names(tensors: List[TensorOutcome]) -> str:
    names = [tensor.name.removeprefix("_model.") + _sizes(tensor) for tensor in tensors[:NUM_NAMES]]
    more = len(tensors) - len(names)
    return ", ".join([*names, *([f"{more} more"] if more else [])])


def _sizes(tensor: TensorOutcome) -> str:
    """Return both sizes where they differ and a reader wants to know."""
    if tensor.outcome != "mismatched":
        return ""
    there, here = (" x ".join(map(str, size or ())) or "one number" for size in (tensor.stored_size, tensor.size))
    return f" ({there} there, {here} here)"
