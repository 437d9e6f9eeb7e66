"""nerfacc's grid traversal for one level and a fixed step, one interval at a time, and rays to try it on."""

from __future__ import annotations

import torch
from torch import Tensor

BOX = torch.tensor([-0.5, -0.3, -0.4, 0.4, 0.6, 0.5])
SHAPE = (6, 4, 5)
STEP = 0.037
BORDER = 2e-6
"""Distance from a border below which single precision may decide either way, scene units."""


def random_grid(share: float = 0.4) -> Tensor:
    """Cells of which a share is occupied."""
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(3)) < share


def random_rays(count: int = 60) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Origins, directions, nears, fars: at the box and past it, from inside, parallel to axes, cut short."""
    generator = torch.Generator().manual_seed(0)
    origins = torch.randn(count, 3, generator=generator)
    targets = torch.rand(count, 3, generator=generator) * (BOX[3:] - BOX[:3]) * 1.6 + BOX[:3] - 0.25
    targets[:4], origins[4:12] = -3 * origins[:4], torch.rand(8, 3, generator=generator) * 0.4
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    directions[8:20] = torch.cat([torch.eye(3), -torch.eye(3)] * 2)
    origins[12:20] = origins[12:20] * 0.2 - directions[12:20]
    nears = torch.rand(count, generator=generator) * 0.3
    fars = torch.full((count,), 10.0)
    fars[::3] = 1.0 + torch.rand(len(fars[::3]), generator=generator)
    return origins, directions, nears, fars


def box_span(origin: list[float], direction: list[float]) -> tuple[float, float]:
    """Entry and exit, the exit before the entry where the ray misses the box."""
    enter, leave = float("-inf"), float("inf")
    for x, d, low, high in zip(origin, direction, BOX[:3].tolist(), BOX[3:].tolist()):
        if d == 0:
            if not low <= x <= high:
                return 0.0, -1.0
            continue
        ends = sorted([(low - x) / d, (high - x) / d])
        enter, leave = max(enter, ends[0]), min(leave, ends[1])
    return enter, leave


def slow_traversal(rays: tuple[Tensor, Tensor, Tensor, Tensor], occupied: Tensor) -> list[dict[int, bool]]:
    """For each ray the lattice intervals near the box by number: True where kept; undecidable ones are left out."""
    results = []
    for origin, direction, near, far in zip(*[tensor.double().tolist() for tensor in rays]):
        enter, leave = box_span(origin, direction)
        enter, leave = max(enter, near), min(leave, far)
        decided = {}
        for number in range(int(max(leave - near, 0) / STEP) + 2):
            middle = near + (number + 0.5) * STEP
            if enter > leave or min(abs(middle - enter), abs(middle - leave)) < BORDER:
                continue
            if not enter <= middle < leave:
                decided[number] = False
                continue
            cell = [
                (x + middle * d - low) / (high - low) * cells
                for x, d, low, high, cells in zip(origin, direction, BOX[:3].tolist(), BOX[3:].tolist(), SHAPE)
            ]
            if min(abs(c - round(c)) for c in cell) > BORDER * 10:
                decided[number] = bool(occupied[tuple(int(c) for c in cell)])
        results.append(decided)
    return results


def interval_set_of(samples, nears: Tensor, step: float = STEP) -> set[tuple[int, int]]:
    """Ray, and number on its lattice, of each packed sample."""
    rows = samples.ray_indices.cpu()
    numbers = (samples.t_starts.cpu() - nears[rows]) / step
    return set(zip(rows.tolist(), numbers.round().long().tolist()))
