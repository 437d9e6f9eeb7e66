"""Fits a checkpoint of some persons to a model that knows these and more: where a new person starts from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from torch import Tensor

from nerface_ns.engine.checkpoint_file import plain_name
from nerface_ns.engine.more_frames import fitted_rows, frame_rows, is_per_frame

MODEL = "_model."
CODES = f"{MODEL}identities.codes"
ENCODING = f"{MODEL}identities.encodings."
GRIDS = ".identity_grids.persons."
PER_PERSON = (CODES, f"{MODEL}background.image")
"""Tensors with a row for each person."""
FEW_FRAMES = 30
"""A new person of fewer training frames has the known ones' mean expression: theirs would not be their average face."""


def with_more_identities(
    source: Path,
    stored: Dict[str, Any],
    model: Any,
    before: Optional[Sequence[str]],
    now: Optional[Sequence[str]],
    like: Optional[str] = None,
) -> Dict[str, Any]:
    """Return the pipeline's state for a training that begins from a checkpoint of fewer persons.

    Known persons keep all that is theirs. New ones get the code and the grid of the known person whom they are like, or
    the mean of all; ranges of expressions that hold everybody's; and a background as in an untrained model.

    Args:
        source: The checkpoint, for messages.
        stored: Its pipeline's state.
        model: Untrained, of the new data.
        before: Names of the frames that the checkpoint was trained on.
        now: Names of the training frames.
        like: Name of a known person.

    Raises:
        ValueError: The checkpoint or the data know one person, a person of the checkpoint is not in the data, or the
            others are not the last of the data's list.
    """
    identities = model.identities
    named = {plain_name(name): value for name, value in stored.items()}
    if identities is None or CODES not in named:
        raise ValueError(
            f"{source}: --load-identities: expected a checkpoint and data of several persons, got a "
            f"{'checkpoint' if identities is not None else 'dataset'} of one"
        )
    rows, known = frame_rows(source, before, now, "--load-identities"), len(named[CODES])
    names: List[str] = list(identities.names)
    whose = identities.frame_identity.tolist()
    new = [person for person in range(len(names)) if all(row < 0 for row, own in zip(rows, whose) if own == person)]
    if new != list(range(known, len(names))) or not new:
        raise ValueError(
            f"{source}: --load-identities: expected the checkpoint's {known} persons first and new ones after them, "
            f"got {', '.join(names)}, of whom {', '.join(names[person] for person in new) or 'none'} are new"
        )
    if like is not None and like not in names[:known]:
        raise ValueError(f"--new-identity-like {like}: expected one of {', '.join(names[:known])}")
    model_row = None if like is None else names.index(like)
    fresh = {f"{MODEL}{name}": value for name, value in model.state_dict().items()}
    return {name: _start(name, value, named, rows, known, model_row, model) for name, value in fresh.items()}


def _start(
    name: str,
    fresh: Tensor,
    stored: Dict[str, Tensor],
    rows: Sequence[int],
    known: int,
    like: Optional[int],
    model: Any,
) -> Tensor:
    """One tensor of the new model."""
    if name in PER_PERSON:
        new = fresh[known:] if name != CODES else _of_known(stored[name], like).expand(len(fresh) - known, -1)
        return torch.cat([stored[name], new.to(stored[name])])
    if name in stored and is_per_frame(name):
        return fitted_rows(stored[name], fresh, rows)
    if name in stored:
        return stored[name]
    if GRIDS in name:
        begin, end = name.split(GRIDS)
        rest = end.split(".", 1)[1]
        tables = torch.stack([stored[f"{begin}{GRIDS}{person}.{rest}"] for person in range(known)])
        return _of_known(tables, like)[0]
    if name.startswith(ENCODING):
        person, part = name[len(ENCODING) :].split(".")
        others = torch.stack([stored[f"{ENCODING}{row}.{part}"] for row in range(known)])
        if part == "mean":
            count = int((model.identities.frame_identity == int(person)).sum())
            return others.mean(dim=0) if count < FEW_FRAMES else fresh
        together = torch.cat([others, fresh[None].to(others)])
        return together.amin(dim=0) if part == "low" else together.amax(dim=0)
    return fresh


def _of_known(values: Tensor, like: Optional[int]) -> Tensor:
    """One known person's row, or the mean of all, with the persons' axis kept."""
    return values.mean(dim=0, keepdim=True) if like is None else values[like : like + 1]
