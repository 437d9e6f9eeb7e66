"""Throughput and memory of the blended tables, against a lookup in every basis.

    python benchmarks/basis_encoding.py --json benchmarks/results/basis_encoding.json

One step is what training does with the encoding: blend, look up, and the gradients of both tables. The other way looks
every sample up in each basis, times the sample's coefficient, and sums; it uses the same compiled lookup. Each way runs
in a process of its own, so that the largest resident memory is its own.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import torch
import tyro
from torch import Tensor

from nerface_ns.evaluation.run_record import peak_rss_mb, run_record, write_json
from nerface_ns.field_components.blended_lookup import blended_lookup
from nerface_ns.field_components.blended_tables import BlendedTables, BlendedTablesConfig

COPY_NUMBERS = 2**25
"""float32 numbers that are copied to find the memory's bandwidth."""


@dataclass
class BasisEncoding:
    """Time both ways."""

    json: Path
    """File for the figures."""
    tables: BlendedTablesConfig = field(default_factory=lambda: BlendedTablesConfig(num_basis_levels=0))
    """Sizes; every level follows the expression unless something else is asked for."""
    num_coefficients: int = 46
    """Length of the expression (NeRFBlendShape: 46)."""
    num_samples: int = 2**15
    """Samples of a step."""
    num_frames: int = 8
    """Frames of a step."""
    rounds: int = 5
    """Steps that are timed, after one that is not."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    """Where to run."""
    ways: tuple[str, ...] = ("blended", "basis_by_basis")
    """Which ways to time."""


def blended(tables: BlendedTables, points: Tensor, frame_rows: Tensor, expression: Tensor) -> Tensor:
    """Blend once per frame, then look up once."""
    return tables(points, frame_rows, tables.prepare(expression))


def basis_by_basis(tables: BlendedTables, points: Tensor, frame_rows: Tensor, expression: Tensor) -> Tensor:
    """Look up in every basis and sum."""
    alone = torch.zeros_like(frame_rows)
    mean_levels = tables.basis_levels + tables.mean_levels
    assert tables.table is not None
    features = blended_lookup(points, alone, tables.table[None], mean_levels)
    num_moving = len(tables.basis_levels.sizes) * tables.config.channels
    weights = expression if tables.basis_map is None else tables.basis_map(expression)
    moving = features[:, :num_moving]
    # Unbound at once: a gradient of one basis after the other would each time fill an array for all of them.
    for number, basis in enumerate(tables.bases.unbind()):
        found = blended_lookup(points, alone, basis[None], tables.basis_levels)
        moving = moving + weights[frame_rows, number, None] * found
    return torch.cat([moving, features[:, num_moving:]], dim=-1)


WAYS: dict[str, Callable[..., Tensor]] = {"blended": blended, "basis_by_basis": basis_by_basis}


def timed(step: Callable[[], Any], rounds: int, device: str) -> float:
    """Return the median seconds of a step, the first not counted."""
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def copy_bandwidth(device: str) -> float:
    """Return bytes that a copy reads and writes in a second."""
    source = torch.rand(COPY_NUMBERS, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / timed(lambda: target.copy_(source), 5, device)


def least_bytes(tables: BlendedTables, num_samples: int, num_frames: int) -> dict[str, int]:
    """Return what a step has to move even if every table that is looked up in stayed in the cache.

    Forward the bases are read and the frames' tables written; backward the frames' gradients are read and the bases'
    written. Samples come as points and go as features, forward and backward.
    """
    assert tables.table is not None
    frame_tables = num_frames * tables.basis_levels.num_rows * tables.config.channels * 4
    return {
        "bases": 2 * tables.bases.nbytes + 2 * tables.table.nbytes,
        "frame_tables": 2 * frame_tables,
        "samples": 2 * num_samples * (3 + tables.num_features) * 4,
    }


def memory_mb(device: str) -> float:
    """Return the largest memory so far, in units of 2**20 bytes."""
    return torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else peak_rss_mb()


def run_way(way: str, command: BasisEncoding) -> dict[str, Any]:
    """Time one way in this process."""
    torch.manual_seed(0)
    tables: BlendedTables = command.tables.setup(num_coefficients=command.num_coefficients).to(command.device)
    points = torch.rand(command.num_samples, 3, device=command.device)
    frame_rows = torch.randint(command.num_frames, (command.num_samples,), device=command.device).sort().values
    expression = torch.rand(command.num_frames, command.num_coefficients, device=command.device)
    upstream = torch.randn(command.num_samples, tables.num_features, device=command.device)
    few = slice(0, 8)
    WAYS[way](tables, points[few], frame_rows[few], expression).sum().backward()  # compiles, and makes the gradients
    before = memory_mb(command.device)

    def step() -> None:
        tables.zero_grad(set_to_none=True)
        WAYS[way](tables, points, frame_rows, expression).backward(upstream)

    seconds = timed(step, command.rounds, command.device)
    parts = least_bytes(tables, command.num_samples, command.num_frames)
    return {
        "seconds_a_step": seconds,
        "samples_per_s": command.num_samples / seconds,
        "parameters_mb": sum(parameter.nbytes for parameter in tables.parameters()) / 2**20,
        "peak_memory_mb": memory_mb(command.device),
        "peak_memory_above_parameters_and_gradients_mb": memory_mb(command.device) - before,
        "least_mb_a_step": {name: value / 2**20 for name, value in parts.items()},
        "share_of_bandwidth": sum(parts.values()) / seconds / copy_bandwidth(command.device),
    }


def main(command: BasisEncoding) -> None:
    """Time, compare, write."""
    if not command.tables.include_mean:
        raise SystemExit("--tables.include-mean: expected True, the comparison counts the mean table's traffic")
    context = multiprocessing.get_context("spawn")
    rows = {}
    for way in command.ways:
        with context.Pool(1) as pool:
            rows[way] = pool.apply(run_way, (way, command))
        print(way, rows[way])
    record: dict[str, Any] = {"ways": rows, "device": command.device}
    if len(rows) == len(WAYS):
        record["speed_ratio"] = rows["basis_by_basis"]["seconds_a_step"] / rows["blended"]["seconds_a_step"]
        print(f"blended over basis by basis: {record['speed_ratio']:.2f} times")
    sizes = {name: value for name, value in vars(command.tables).items() if not name.startswith("_")}
    settings = {name: getattr(command, name) for name in ("num_coefficients", "num_samples", "num_frames", "rounds")}
    write_json(command.json, {**record, "tables": sizes, "settings": settings, **run_record()})


if __name__ == "__main__":
    main(tyro.cli(BasisEncoding))
