"""Samples of many rays in one flat list, and the volume rendering of such lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass
class PackedSamples:
    """Intervals on rays, ordered by ray and along each ray. Distances are in scene units."""

    ray_indices: Int[Tensor, "num_samples"]
    """The ray of each sample."""
    t_starts: Float[Tensor, "num_samples"]
    """Near end of each interval."""
    t_ends: Float[Tensor, "num_samples"]
    """Far end of each interval."""
    first_sample: Int[Tensor, "num_rays_plus_1"]
    """Where each ray's samples begin, and after them the number of samples."""

    def __len__(self) -> int:
        return self.ray_indices.shape[0]

    @property
    def num_rays(self) -> int:
        """Number of rays, those without a sample included."""
        return self.first_sample.shape[0] - 1

    @property
    def t_middles(self) -> Float[Tensor, "num_samples"]:
        """Middle of each interval, where the field is evaluated."""
        return (self.t_starts + self.t_ends) / 2

    def select(self, kept: Bool[Tensor, "num_samples"]) -> PackedSamples:
        """Return the samples that are marked."""
        running = torch.cat([kept.new_zeros(1, dtype=torch.long), kept.cumsum(0)])
        return PackedSamples(self.ray_indices[kept], self.t_starts[kept], self.t_ends[kept], running[self.first_sample])

    @staticmethod
    def from_ray_indices(
        ray_indices: Int[Tensor, "num_samples"],
        t_starts: Float[Tensor, "num_samples"],
        t_ends: Float[Tensor, "num_samples"],
        num_rays: int,
    ) -> PackedSamples:
        """Pack samples that are already ordered by ray."""
        counts = torch.bincount(ray_indices, minlength=num_rays)
        first_sample = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return PackedSamples(ray_indices, t_starts, t_ends, first_sample)


def packed_weights(densities: Float[Tensor, "num_samples"], samples: PackedSamples) -> Float[Tensor, "num_samples"]:
    """Return each sample's share of its ray's colour, T_i (1 - exp(-density_i * length_i)) (NeRF, eq. 3).

    Differentiable in the densities. On a CPU with float32 the compiled kernels run, else torch.

    Args:
        densities: At least 0, per scene unit.
        samples: Where they belong.
    """
    if densities.device.type == "cpu" and densities.dtype == torch.float32:
        return _KernelWeights.apply(
            densities.contiguous(), samples.t_starts.contiguous(), samples.t_ends.contiguous(), samples.first_sample
        )
    return packed_weights_torch(densities, samples)


def packed_weights_torch(
    densities: Float[Tensor, "num_samples"], samples: PackedSamples
) -> Float[Tensor, "num_samples"]:
    """Compute `packed_weights` in plain torch operations, for any device and precision."""
    thickness = densities * (samples.t_ends - samples.t_starts)
    # A running sum over all rays loses digits in single precision.
    running = torch.cat([thickness.new_zeros(1, dtype=torch.float64), thickness.double().cumsum(0)])
    before = running[:-1] - running[samples.first_sample[samples.ray_indices]]
    return ((-before).exp() * -torch.expm1(-thickness.double())).to(densities.dtype)


def accumulate(
    weights: Float[Tensor, "num_samples"], values: Float[Tensor, "num_samples channels"], samples: PackedSamples
) -> Float[Tensor, "num_rays channels"]:
    """Sum weight times value along every ray; a ray without samples gets zeros."""
    total = torch.zeros(samples.num_rays, values.shape[-1], dtype=values.dtype, device=values.device)
    return total.index_add(0, samples.ray_indices, weights[:, None] * values)


class _KernelWeights(torch.autograd.Function):
    """`packed_weights` on the CPU."""

    @staticmethod
    def forward(ctx: Any, densities: Tensor, t_starts: Tensor, t_ends: Tensor, first_sample: Tensor) -> Tensor:
        """Compute the weights, and keep what the derivatives need."""
        from nerface_ns.model_components import ray_kernels  # numba is slow to import

        weights = torch.empty_like(densities)
        arrays = [tensor.detach().numpy() for tensor in (densities, t_starts, t_ends, first_sample)]
        ray_kernels.weights(*arrays, weights.numpy())
        ctx.arrays = arrays
        ctx.weights = weights.numpy()
        return weights

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Return the derivatives by the densities."""
        from nerface_ns.model_components import ray_kernels  # numba is slow to import

        density_grad = torch.empty(ctx.weights.shape)
        ray_kernels.weights_gradient(*ctx.arrays, ctx.weights, gradients[0].contiguous().numpy(), density_grad.numpy())
        return density_grad, None, None, None
