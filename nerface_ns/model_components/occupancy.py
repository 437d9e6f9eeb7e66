"""Which parts of the scene box may hold something, for any expression."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Callable, Optional, Type

import torch
from jaxtyping import Bool, Float
from nerfacc import OccGridEstimator
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor, nn

from nerface_ns.model_components.nerfacc_cuda import cuda_kernels_error
from nerface_ns.model_components.occupancy_traversal import traverse_occupied
from nerface_ns.model_components.packed_samples import PackedSamples
from nerface_ns.model_components.view_cache import RayMemo
from nerface_ns.model_components.visibility import keep_visible

DensityOfPositions = Callable[[Tensor], Tensor]
"""Density of positions (num_positions, 3), under expressions of its own choice."""
DensityOfSamples = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Density of samples given their t_starts, t_ends and ray_indices."""


@lru_cache(maxsize=1)
def _say_that_torch_samples(reason: str) -> None:
    """Warn once in a process."""
    warnings.warn(
        f"nerfacc's CUDA kernels do not work here ({reason}): rays are sampled with torch operations, which evaluate "
        "every sample in occupied cells instead of stopping at the first surface. `nerface-doctor` tells more.",
        stacklevel=3,
    )


@dataclass
class FaceOccupancyGridConfig(InstantiateConfig):
    """Occupancy grid over the scene box."""

    _target: Type = field(default_factory=lambda: FaceOccupancyGrid)
    """Target class to instantiate."""
    resolution: int = 64
    """Cells along each axis."""
    threshold: float = 0.01
    """Opacity of one interval from which on a cell counts as occupied, or the grid's mean where that is less."""
    decay: float = 0.9
    """Factor on a cell's memory at each refresh (NeRFBlendShape: 0.9)."""
    early_decay: float = 0.5
    """The same at the early refreshes, which visit all cells: what a training begins with, an opaque head, has to be
    forgotten before anything can be left out; `decay` would take some 6,000 steps."""
    early_steps: int = 400
    """Steps of these early refreshes."""
    refresh_steps: int = 50
    """Steps between two refreshes; every 20th step in the first 200."""
    refresh_share: float = 0.25
    """Share of the cells that a refresh after `early_steps` visits; earlier ones visit all."""
    early_stop_eps: float = 1e-3
    """A ray ends when less light than this passes."""
    alpha_threshold: float = 5e-3
    """Samples less opaque than this are dropped."""


class FaceOccupancyGrid(OccGridEstimator):
    """nerfacc's occupancy grid with one level, a part that stays empty for good, and a way to sample on the CPU.

    It remembers the greatest opacity over the expressions that its refreshes were given: their union, which fades by
    `decay`, in the early refreshes by `early_decay`.

    Args:
        config: Sizes and thresholds.
        aabb: Least and greatest corner of the scene box.
    """

    resolution: Tensor
    aabbs: Tensor
    occs: Tensor
    binaries: Tensor
    grid_coords: Tensor
    allowed: Tensor

    def __init__(self, config: FaceOccupancyGridConfig, aabb: Float[Tensor, "2 3"]) -> None:
        super().__init__(aabb.flatten(), resolution=config.resolution, levels=1)
        self.config = config
        self.binaries.fill_(True)
        self.register_buffer("allowed", torch.ones_like(self.binaries))

    def cell_centres(self) -> Float[Tensor, "num_cells 3"]:
        """Return the cells' centres, z fastest."""
        low, high = self.aabbs[0, :3], self.aabbs[0, 3:]
        return low + (self.grid_coords + 0.5) / self.resolution * (high - low)

    def forbid(self, empty: Bool[Tensor, "num_cells"]) -> None:
        """Keep cells empty for good."""
        self.allowed &= ~empty.reshape(self.allowed.shape)
        self.binaries &= self.allowed

    def is_refresh_step(self, step: int) -> bool:
        """Whether the grid is due at a training step."""
        return step > 0 and (step % self.config.refresh_steps == 0 or (step <= 200 and step % 20 == 0))

    @torch.no_grad()
    def refresh(self, step: int, step_size: float, density_fn: DensityOfPositions) -> None:
        """Visit cells at random places and mark those that hold something, with their neighbours.

        Args:
            step: Training step.
            step_size: Length of a sample's interval.
            density_fn: Density of positions (num_positions, 3).
        """
        cells = self.allowed.flatten().nonzero()[:, 0]
        is_early = step <= self.config.early_steps
        if not is_early:
            count = max(int(len(cells) * self.config.refresh_share), 1)
            cells = cells[torch.randint(len(cells), (count,), device=cells.device)]
        coordinates = self.grid_coords[cells]
        low, high = self.aabbs[0, :3], self.aabbs[0, 3:]
        positions = low + (coordinates + torch.rand_like(coordinates, dtype=low.dtype)) / self.resolution * (high - low)
        opacity = -torch.expm1(-density_fn(positions) * step_size)
        decay = self.config.early_decay if is_early else self.config.decay
        self.occs[cells] = torch.maximum(self.occs[cells] * decay, opacity)
        self._mark()

    def _mark(self) -> None:
        allowed = self.allowed.flatten()
        threshold = torch.clamp(self.occs[allowed].mean(), max=self.config.threshold)
        occupied = (self.occs > threshold).reshape(self.binaries.shape).float()[None]
        self.binaries.copy_((nn.functional.max_pool3d(occupied, 3, stride=1, padding=1)[0] > 0) & self.allowed)

    @torch.no_grad()
    def sample(
        self,
        origins: Float[Tensor, "num_rays 3"],
        directions: Float[Tensor, "num_rays 3"],
        nears: Float[Tensor, "num_rays"],
        fars: Float[Tensor, "num_rays"],
        step_size: float,
        density_fn: DensityOfSamples,
        jitter: Optional[Float[Tensor, "num_rays"]] = None,
        keep: Optional[Callable[[Tensor, Tensor], None]] = None,
        memo: Optional[RayMemo] = None,
    ) -> PackedSamples:
        """Return the visible samples of rays, as nerfacc's `sampling` does.

        Args:
            origins, directions: The rays; directions have length 1.
            nears, fars: Part of each ray to sample.
            step_size: Length of an interval.
            density_fn: Density of samples, for early stopping.
            jitter: Share of a step in [0, 1) by which each ray's lattice is moved away from the camera.
            keep: See `keep_visible`.
            memo: Of these rays, for the next time they are asked for; nerfacc's kernels have no use for it.
        """
        if jitter is not None:
            nears = nears + jitter * step_size
        threshold = min(self.config.alpha_threshold, float(self.occs.mean()))
        if origins.is_cuda:
            if cuda_kernels_error() is None:
                return self._sample_cuda(origins, directions, nears, fars, step_size, density_fn, threshold)
            _say_that_torch_samples(str(cuda_kernels_error()))
        state = (self.binaries._version, step_size)
        samples = None if memo is None else memo.recall(state)
        if samples is None:
            samples = traverse_occupied(origins, directions, nears, fars, step_size, self.binaries[0], self.aabbs[0])
            if memo is not None:
                memo.keep(state, samples)
        return keep_visible(samples, density_fn, self.config.early_stop_eps, threshold, keep)

    def _sample_cuda(
        self,
        origins: Tensor,
        directions: Tensor,
        nears: Tensor,
        fars: Tensor,
        step_size: float,
        density_fn: DensityOfSamples,
        threshold: float,
    ) -> PackedSamples:
        ray_indices, t_starts, t_ends = self.sampling(
            origins,
            directions,
            sigma_fn=density_fn,
            t_min=nears,
            t_max=fars,
            render_step_size=step_size,
            early_stop_eps=self.config.early_stop_eps,
            alpha_thre=threshold,
        )
        return PackedSamples.from_ray_indices(ray_indices, t_starts, t_ends, len(origins))
