"""Reads the checkpoint that a trainer's configuration names."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import torch

ENTRIES = ("step", "pipeline", "optimizers")
"""What of a checkpoint's entries partial loading needs."""


def checkpoint_path(load_dir: Optional[Path], load_step: Optional[int], load_checkpoint: Optional[Path]) -> Path:
    """Return the file, as nerfstudio chooses it: the folder goes before the file, the last step before earlier ones.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: None is named.
    """
    if load_dir is not None:
        name = "step-*.ckpt" if load_step is None else f"step-{load_step:09d}.ckpt"
        found = sorted(load_dir.glob(name))
        if not found:
            raise FileNotFoundError(f"--load-dir {load_dir}: expected a checkpoint {name}, found none")
        return found[-1]
    if load_checkpoint is None:
        raise ValueError("--load-only, --load-ignore: expected --load-dir or --load-checkpoint as well, got neither")
    if not load_checkpoint.is_file():
        raise FileNotFoundError(f"--load-checkpoint {load_checkpoint}: no such file")
    return load_checkpoint


def newest_checkpoint(folder: Path) -> Tuple[Path, Dict[str, Any], List[str]]:
    """Read the checkpoint of the last step that is whole.

    This package's own are always whole; others' may have been cut off by a full disk or while they were copied.

    Args:
        folder: Where they lie.

    Returns:
        The file, its content, and what is wrong with later ones.

    Raises:
        FileNotFoundError: There is none.
        ValueError: None is whole.
    """
    checkpoint_path(folder, None, None)
    faults = []
    for path in sorted(folder.glob("step-*.ckpt"), reverse=True):
        try:
            return path, read_checkpoint(path), faults
        except ValueError as error:
            faults.append(str(error))
    raise ValueError(faults[0])


def read_checkpoint(path: Path) -> Dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Raises:
        ValueError: It is none of nerfstudio's.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise RuntimeError("no zip archive")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file of anything can make torch's reader stumble in any way
        raise ValueError(f"{path}: expected a checkpoint of nerfstudio, which torch loads, got {error}") from error
    missing = [entry for entry in ENTRIES if not isinstance(state, dict) or entry not in state]
    if missing:
        raise ValueError(f"{path}: expected a checkpoint of nerfstudio, got one without {', '.join(missing)}")
    return state


def plain_names(state: Dict[str, Any]) -> Dict[str, Any]:
    """Take out of a pipeline's entry names what training on several GPUs puts in."""
    return {plain_name(name): value for name, value in state.items()}


def plain_name(name: str) -> str:
    """Take out of an entry's name what training on several GPUs puts in."""
    return name.removeprefix("module.").replace("_model.module.", "_model.", 1)


def optimizer_steps(state: Dict[str, Any]) -> Tuple[int, ...]:
    """Return the numbers of steps that an optimizer's state has seen, one for each parameter."""
    return tuple(int(moments["step"]) for moments in state["state"].values() if "step" in moments)
