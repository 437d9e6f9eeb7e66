"""Checkpoints as NerFace's training script writes them: read safely, checked, written.

The script saves a dict of the iteration, both networks' state dicts, the one Adam's, the background (rows, columns,
RGB in [0, 1]), the latent codes (a row for each training frame), and the last loss and PSNR.
"""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

COARSE, FINE = "model_coarse_state_dict", "model_fine_state_dict"
"""Entries of the two networks."""
OPTIMIZER = "optimizer_state_dict"
"""Entry of Adam's state."""
ENTRIES = ("iter", COARSE, FINE, OPTIMIZER, "background", "latent_codes")
"""Entries that this package reads; others are handed on as they are."""


@dataclass
class OriginalCheckpoint:
    """What a checkpoint of NerFace holds."""

    iteration: int
    """The iteration after which it was saved, counted from 0."""
    coarse: dict[str, Tensor]
    """State dict of the network that is asked along the whole ray."""
    fine: dict[str, Tensor]
    """State dict of the network that makes the picture."""
    latent_codes: Float[Tensor, "num_frames code_length"]
    """Codes of the training frames."""
    background: Float[Tensor, "height width 3"] | None
    """Colours of the rays' last samples; None for a network that learned them itself."""
    optimizer: dict[str, Any] | None
    """Adam's state dict; None where the file has none."""
    others: dict[str, Any] = field(default_factory=dict)
    """Entries that nothing here reads, such as the last loss."""
    order: tuple[str, ...] = ENTRIES
    """The entries' names in the file's order."""


def read_original_checkpoint(path: Path) -> OriginalCheckpoint:
    """Read a checkpoint without running any code that it may hold: tensors, numbers and text only.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no checkpoint, pickles something else, or lacks or spoils an entry.
    """
    content = load_tensors(path)
    if not isinstance(content, dict) or not any(name in content for name in (COARSE, FINE)):
        got = sorted(map(str, content))[:6] if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"{path}: expected NerFace's checkpoint, a dict with {', '.join(ENTRIES)}, got {got}")
    for name in (COARSE, FINE):
        if not isinstance(content.get(name), dict):
            got = type(content[name]).__name__ if name in content else "no such entry"
            raise ValueError(f"{path}: {name}: expected a network's state dict, got {got}")
    iteration = content.get("iter")
    if not isinstance(iteration, int) or isinstance(iteration, bool) or iteration < 0:
        raise ValueError(f"{path}: iter: expected a whole number of at least 0, got {iteration!r}")
    optimizer = content.get(OPTIMIZER)
    if optimizer is not None and not isinstance(optimizer, dict):
        raise ValueError(f"{path}: {OPTIMIZER}: expected a state dict, got {type(optimizer).__name__}")
    background = content.get("background")
    if background is not None:
        background = _as_tensor(path, "background", background, "height x width x 3")
        if background.ndim != 3 or background.shape[2] != 3:
            raise ValueError(f"{path}: background: expected shape height x width x 3, got {tuple(background.shape)}")
    codes = _as_tensor(path, "latent_codes", content.get("latent_codes"), "frames x length")
    if codes.ndim != 2:
        raise ValueError(f"{path}: latent_codes: expected shape frames x length, got {tuple(codes.shape)}")
    return OriginalCheckpoint(
        iteration=iteration,
        coarse=dict(content[COARSE]),
        fine=dict(content[FINE]),
        latent_codes=codes,
        background=background,
        optimizer=optimizer,
        others={name: value for name, value in content.items() if name not in ENTRIES},
        order=tuple(content),
    )


def write_original_checkpoint(path: Path, checkpoint: OriginalCheckpoint) -> None:
    """Write a checkpoint that NerFace's scripts load, whole or not at all."""
    entries = {
        "iter": checkpoint.iteration,
        COARSE: OrderedDict(checkpoint.coarse),
        FINE: OrderedDict(checkpoint.fine),
        OPTIMIZER: checkpoint.optimizer,
        "background": checkpoint.background,
        "latent_codes": checkpoint.latent_codes,
        **checkpoint.others,
    }
    save_aside(path, {name: entries[name] for name in checkpoint.order})


def load_tensors(path: Path) -> Any:
    """Load a file of `torch.save` that holds tensors, numbers, text and containers of them.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no such file, or it names a class or function, which loading would call.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a checkpoint file here, found none")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file of anything can make the reader stumble in any way
        refused = re.search(r"GLOBAL (\S+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if refused is not None:
            raise ValueError(
                f"{path}: expected tensors, numbers and text only, got a pickle that would call {refused[1]}; "
                "nothing of it was run"
            ) from error
        reason = _first_reason(error)
        raise ValueError(f"{path}: expected a checkpoint of torch.save, got a file that is none ({reason})") from error


def save_aside(path: Path, content: Any) -> None:
    """Save with torch under another name first, so that a file of this name is always whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    torch.save(content, partial)
    partial.replace(path)


def _as_tensor(path: Path, name: str, value: Any, expected: str) -> Tensor:
    if not isinstance(value, Tensor) or value.dtype != torch.float32:
        got = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"{path}: {name}: expected a float32 tensor of {expected}, got {got}")
    return value.detach()


def _first_reason(error: Exception) -> str:
    """What torch's long message says of the file; the rest is advice on how to load it unsafely."""
    found = re.search(r"WeightsUnpickler error:\s*(.+)", str(error))
    text = found[1] if found else re.split(r"\. |\n", str(error).strip())[0]
    return text or type(error).__name__
