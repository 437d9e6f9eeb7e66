"""Loss terms of a rendered face. Each returns a plain mean; weights belong to the model's config."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def matte_loss(accumulation: Float[Tensor, "num_rays 1"], alpha: Float[Tensor, "num_rays 1"]) -> Float[Tensor, ""]:
    """Mean squared difference of a ray's opacity from the recorded matte."""
    return ((accumulation - alpha) ** 2).mean()


def opacity_entropy(accumulation: Float[Tensor, "num_rays 1"]) -> Float[Tensor, ""]:
    """Mean binary entropy of a ray's opacity: a head is there or not, seldom half (nats)."""
    p = accumulation.clamp(1e-5, 1 - 1e-5)
    return -(p * p.log() + (1 - p) * (1 - p).log()).mean()


def code_penalty(codes: Float[Tensor, "num_frames code_length"]) -> Float[Tensor, ""]:
    """Mean squared length of the latent codes in use."""
    return (codes**2).sum(dim=-1).mean() if codes.numel() else codes.new_zeros(())


def distortion_loss(
    weights: Float[Tensor, "num_samples"],
    middles: Float[Tensor, "num_samples"],
    lengths: Float[Tensor, "num_samples"],
    first_sample: Tensor,
    ray_indices: Tensor,
) -> Float[Tensor, ""]:
    """Mean distortion of rays, in scene units (Mip-NeRF 360, eq. 15), by running sums over packed samples.

    Args:
        weights: Share of each sample in its ray's colour.
        middles, lengths: Where the intervals are and how long.
        first_sample, ray_indices: As in `PackedSamples`.
    """

    def exclusive_sum(values: Tensor) -> Tensor:
        running = torch.cat([values.new_zeros(1, dtype=torch.float64), values.double().cumsum(0)])
        return (running[:-1] - running[first_sample[ray_indices]]).to(values.dtype)

    # sum over i, j of w_i w_j |m_i - m_j| is twice the sum over j < i, and middles grow along a ray.
    between = 2 * weights * (middles * exclusive_sum(weights) - exclusive_sum(weights * middles))
    within = weights**2 * lengths / 3
    return (between + within).sum() / max(len(first_sample) - 1, 1)
