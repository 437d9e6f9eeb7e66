"""Which samples of a ray can be seen: nerfacc's early stopping."""

from __future__ import annotations

from typing import Callable, Optional

import numpy as np
import torch
from torch import Tensor

from nerface_ns.model_components.packed_samples import PackedSamples

FIRST_SEGMENT = 4
"""Samples of each ray that are looked at before the first test for an early stop."""
SEGMENT_GROWTH = 1.5
"""Factor on the number of samples from one test to the next."""


def keep_visible(
    samples: PackedSamples,
    density_fn: Callable[[Tensor, Tensor, Tensor], Tensor],
    early_stop_eps: float,
    alpha_threshold: float,
    keep: Optional[Callable[[Tensor, Tensor], None]] = None,
) -> PackedSamples:
    """Keep samples that light reaches (transmittance >= eps) and that are not clear (opacity >= threshold).

    Args:
        samples: All samples.
        density_fn: Density of samples given their t_starts, t_ends and ray_indices, ordered by ray; called several
            times with different samples on the CPU, so that those behind a surface are never evaluated.
        early_stop_eps: Least transmittance.
        alpha_threshold: Least opacity of an interval.
        keep: Told, after each call of `density_fn` on the CPU, the numbers of the samples that were asked for and which
            of them are kept. Elsewhere nobody calls it.
    """
    if samples.t_starts.device.type == "cpu" and samples.t_starts.dtype == torch.float32:
        return _keep_visible_by_segments(samples, density_fn, early_stop_eps, alpha_threshold, keep)
    return keep_visible_at_once(samples, density_fn, early_stop_eps, alpha_threshold)


def keep_visible_at_once(
    samples: PackedSamples,
    density_fn: Callable[[Tensor, Tensor, Tensor], Tensor],
    early_stop_eps: float,
    alpha_threshold: float,
) -> PackedSamples:
    """Compute `keep_visible` from the densities of all samples, on any device."""
    densities = density_fn(samples.t_starts, samples.t_ends, samples.ray_indices)
    thickness = (densities * (samples.t_ends - samples.t_starts)).double()
    running = torch.cat([thickness.new_zeros(1), thickness.cumsum(0)])
    transmittance = (running[samples.first_sample[samples.ray_indices]] - running[:-1]).exp()
    opacity = -torch.expm1(-thickness)
    return samples.select((transmittance >= early_stop_eps) & (opacity >= alpha_threshold))


def _keep_visible_by_segments(
    samples: PackedSamples,
    density_fn: Callable[[Tensor, Tensor, Tensor], Tensor],
    early_stop_eps: float,
    alpha_threshold: float,
    keep: Optional[Callable[[Tensor, Tensor], None]],
) -> PackedSamples:
    from nerface_ns.model_components import ray_kernels  # numba is slow to import

    first_sample = samples.first_sample.numpy()
    t_starts, t_ends = samples.t_starts.numpy(), samples.t_ends.numpy()
    counts = np.diff(first_sample)
    transmittance = np.ones(samples.num_rays, np.float32)
    visible = np.zeros(len(samples), np.bool_)
    skip, length = 0, FIRST_SEGMENT
    eps, threshold = np.float32(early_stop_eps), np.float32(alpha_threshold)
    while True:
        ends = np.cumsum(np.where(transmittance >= eps, (counts - skip).clip(0, length), 0))
        if len(ends) == 0 or ends[-1] == 0:
            return samples.select(torch.from_numpy(visible))
        listed = np.empty(ends[-1], np.int64)
        ray_kernels.list_segment(first_sample, transmittance, skip, length, eps, ends, listed)
        index = torch.from_numpy(listed)
        densities = density_fn(samples.t_starts[index], samples.t_ends[index], samples.ray_indices[index])
        ray_kernels.mark_visible(
            densities.numpy(), t_starts, t_ends, listed, ends, transmittance, eps, threshold, visible
        )
        if keep is not None:
            keep(index, torch.from_numpy(visible[listed]))
        skip, length = skip + length, int(length * SEGMENT_GROWTH)
