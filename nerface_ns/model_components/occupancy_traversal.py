"""Where rays meet the occupied cells of a grid: nerfacc's `traverse_grids` for one level and a fixed step.

Along each ray lies a lattice of intervals that starts at its near distance. An interval is kept if and only if its
middle lies in an occupied cell and between the entry into and exit from the box, both clipped to near and far.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nerface_ns.model_components.packed_samples import PackedSamples


def traverse_occupied(
    origins: Float[Tensor, "num_rays 3"],
    directions: Float[Tensor, "num_rays 3"],
    nears: Float[Tensor, "num_rays"],
    fars: Float[Tensor, "num_rays"],
    step_size: float,
    occupied: Bool[Tensor, "cells_x cells_y cells_z"],
    aabb: Float[Tensor, "6"],
) -> PackedSamples:
    """Return every interval of length `step_size` whose middle lies in an occupied cell.

    Args:
        origins, directions: The rays; distances count in lengths of the direction.
        nears, fars: Where each ray's lattice starts, and the distance that no middle exceeds.
        step_size: Length of an interval, in scene units.
        occupied: Which cells hold something.
        aabb: The grid's least corner, then its greatest.
    """
    if origins.device.type == "cpu" and origins.dtype == torch.float32:
        return _traverse_kernel(origins, directions, nears, fars, step_size, occupied, aabb)
    return traverse_occupied_torch(origins, directions, nears, fars, step_size, occupied, aabb)


def _traverse_kernel(
    origins: Tensor,
    directions: Tensor,
    nears: Tensor,
    fars: Tensor,
    step_size: float,
    occupied: Tensor,
    aabb: Tensor,
) -> PackedSamples:
    from nerface_ns.model_components import ray_kernels  # numba is slow to import

    low, high = aabb[:3].numpy(), aabb[3:].numpy()
    cells = (np.asarray(occupied.shape) / (high - low)).astype(np.float32)
    rays = [tensor.detach().contiguous().numpy() for tensor in (origins, directions, nears, fars)]
    grid = (np.float32(step_size), occupied.contiguous().numpy(), low, cells)
    num_rays = origins.shape[0]
    marks = np.empty((num_rays, _most_intervals(rays, high - low, step_size) // ray_kernels.WORD + 1), np.uint64)
    firsts, counts = np.empty(num_rays, np.int64), np.empty(num_rays, np.int64)
    ray_kernels.mark_samples(*rays, *grid, marks, firsts, counts)
    first_sample = np.concatenate([[0], np.cumsum(counts)])
    starts = np.empty(first_sample[-1], np.float32)
    ray_indices = np.empty(first_sample[-1], np.int64)
    ray_kernels.list_samples(rays[2], grid[0], marks, firsts, first_sample, starts, ray_indices)
    t_starts = torch.from_numpy(starts)
    return PackedSamples(torch.from_numpy(ray_indices), t_starts, t_starts + step_size, torch.from_numpy(first_sample))


def _most_intervals(rays: list[np.ndarray], extent: np.ndarray, step_size: float) -> int:
    """Return a bound on the intervals of any ray within the box."""
    _, directions, nears, fars = rays
    if len(nears) == 0:
        return 0
    slowest = float(np.sqrt(np.einsum("ni,ni->n", directions, directions).min()))
    across = float(np.linalg.norm(extent)) / max(slowest, 1e-12)
    return int(min(across, max(float((fars - nears).max()), 0.0)) / step_size) + 2


def box_distances(
    origins: Float[Tensor, "num_rays 3"], directions: Float[Tensor, "num_rays 3"], aabb: Float[Tensor, "6"]
) -> Float[Tensor, "num_rays 2"]:
    """Return where each ray enters and leaves a box; the exit lies before the entry where the ray misses it."""
    inverse = 1 / torch.where(directions.abs() < 1e-12, torch.full_like(directions, 1e-12), directions)
    first, second = (aabb[:3] - origins) * inverse, (aabb[3:] - origins) * inverse
    enter = torch.minimum(first, second).amax(dim=-1)
    leave = torch.maximum(first, second).amin(dim=-1)
    return torch.stack([enter, leave], dim=-1)


def traverse_occupied_torch(
    origins: Float[Tensor, "num_rays 3"],
    directions: Float[Tensor, "num_rays 3"],
    nears: Float[Tensor, "num_rays"],
    fars: Float[Tensor, "num_rays"],
    step_size: float,
    occupied: Bool[Tensor, "cells_x cells_y cells_z"],
    aabb: Float[Tensor, "6"],
) -> PackedSamples:
    """Compute `traverse_occupied` in plain torch operations, for any device and precision."""
    enter, leave = box_distances(origins, directions, aabb).unbind(-1)
    enter, leave = torch.maximum(enter, nears), torch.minimum(leave, fars)
    first = ((enter - nears) / step_size - 0.5).ceil().clamp(min=0)
    last = ((leave - nears) / step_size - 0.5).ceil()
    counts = torch.where(leave > enter, last - first, torch.zeros_like(first)).clamp(min=0).long()
    ray_indices = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    rank = torch.arange(len(ray_indices), device=counts.device) - (counts.cumsum(0) - counts)[ray_indices]
    t_starts = nears[ray_indices] + (first[ray_indices] + rank) * step_size
    middles = origins[ray_indices] + (t_starts + step_size / 2)[:, None] * directions[ray_indices]
    shape = torch.tensor(occupied.shape, device=origins.device)
    cell = ((middles - aabb[:3]) / (aabb[3:] - aabb[:3]) * shape).long()
    cell = torch.minimum(cell.clamp(min=0), shape - 1)
    kept = occupied[cell[:, 0], cell[:, 1], cell[:, 2]]
    t_starts = t_starts[kept]
    return PackedSamples.from_ray_indices(ray_indices[kept], t_starts, t_starts + step_size, len(counts))
