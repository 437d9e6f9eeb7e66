import random

import numpy as np
import torch

from nerface_ns.engine.random_state import part_ways, random_state, set_random_state


def draws() -> list[float]:
    return [random.gauss(0, 1), np.random.normal(), float(torch.rand(())), random.random(), np.random.rand()]


def test_generators_go_on_where_they_stood(tmp_path):
    """Through a file that torch reads without pickles, with half a pair of normal numbers still to come."""
    random.gauss(0, 1)
    np.random.normal()
    torch.save(random_state("cpu"), tmp_path / "state.pt")
    expected = draws()
    draws()
    set_random_state(torch.load(tmp_path / "state.pt", weights_only=True), "cpu")
    assert draws() == expected


def test_processes_part_ways():
    """The first goes on; the others draw numbers of their own, the same at every try."""
    state = random_state("cpu")
    drawn = []
    for rank in (0, 1, 2, 0, 1):
        set_random_state(state, "cpu")
        part_ways(rank)
        drawn.append(draws())
    assert drawn[3:] == drawn[:2] and len({tuple(numbers) for numbers in drawn}) == 3
