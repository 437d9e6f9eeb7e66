"""States of the random generators that a training draws from, in plain types."""

from __future__ import annotations

import random
from typing import Any, Dict

import numpy as np
import torch


def random_state(device: str) -> Dict[str, Any]:
    """Return where the generators of Python, numpy, torch and the training's device stand.

    Args:
        device: As the trainer names it: cpu, cuda:0, mps.
    """
    kind, words, position, has_gauss, gauss = np.random.get_state(legacy=True)
    state: Dict[str, Any] = {
        "python": list(random.getstate()),
        "numpy": [
            str(kind),
            torch.from_numpy(np.asarray(words, np.int64)),
            int(position),
            int(has_gauss),
            float(gauss),
        ],
        "torch": torch.get_rng_state(),
    }
    if device.startswith("cuda"):
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.startswith("mps"):
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: Dict[str, Any], device: str) -> None:
    """Put the generators where `random_state` found them; of a device that was not there, seed it by torch's own."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    kind, numbers, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, numbers.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    name = device.split(":")[0]
    if name == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif name == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])
    elif name == "cuda":
        torch.cuda.manual_seed(torch.initial_seed())


def part_ways(rank: int) -> None:
    """Give the processes of one training job, whose generators stand in one place, different numbers to draw.

    Args:
        rank: Of this process; the first one goes on as it was.
    """
    if rank > 0:
        seed = int(torch.randint(2**31, ())) + rank
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
