"""Loss terms of a rendered face. Each returns a plain mean; weights belong to the model's config."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def colour_errors(
    render: Float[Tensor, "num_rays 3"], truth: Float[Tensor, "num_rays 3"], delta: float
) -> Float[Tensor, "num_rays"]:
    """Huber loss of each ray's colour over delta; of delta 0 its absolute difference."""
    if delta == 0:
        return (render - truth).abs().mean(dim=-1)
    return torch.nn.functional.huber_loss(render, truth, delta=delta, reduction="none").mean(dim=-1) / delta


def matte_loss(accumulation: Float[Tensor, "num_rays 1"], alpha: Float[Tensor, "num_rays 1"]) -> Float[Tensor, ""]:
    """Mean squared difference of a ray's opacity from the recorded matte."""
    return ((accumulation - alpha) ** 2).mean()


def silhouette_loss(accumulation: Float[Tensor, "num_rays 1"], alpha: Float[Tensor, "num_rays 1"]) -> Float[Tensor, ""]:
    """1 less the intersection over the union of rendered and recorded silhouette, both soft, over a step's rays.

    Unlike a mean difference it does not shrink with the silhouette's share of the rays.
    """
    both = (accumulation * alpha).sum()
    return 1 - both / (accumulation + alpha - accumulation * alpha).sum().clamp(min=1e-6)


def depth_roughness(
    depth: Float[Tensor, "patches size size"],
    opacity: Float[Tensor, "patches size size"],
    colour: Float[Tensor, "patches size size 3"],
) -> Float[Tensor, ""]:
    """Mean bend of the depth along rows and columns of patches, in the depth's unit.

    A place counts by how opaque its three pixels are, and less by exp(-10 x) where the true colour's own bend is x:
    edges of the picture may be edges of the surface.
    """
    bends = []
    for axis in (1, 2):
        count = depth.shape[axis] - 2
        first, middle, last = (depth.narrow(axis, start, count) for start in range(3))
        one, two, three = (colour.narrow(axis, start, count) for start in range(3))
        opaque = torch.stack([opacity.narrow(axis, start, count) for start in range(3)]).amin(dim=0).detach()
        edge = torch.exp(-10 * (one - 2 * two + three).abs().mean(dim=-1))
        bends.append(((first - 2 * middle + last).abs() * opaque * edge).mean())
    return torch.stack(bends).mean()


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
        """Return the sum of a ray's values before each sample."""
        running = torch.cat([values.new_zeros(1, dtype=torch.float64), values.double().cumsum(0)])
        return (running[:-1] - running[first_sample[ray_indices]]).to(values.dtype)

    # sum over i, j of w_i w_j |m_i - m_j| is twice the sum over j < i, and middles grow along a ray.
    between = 2 * weights * (middles * exclusive_sum(weights) - exclusive_sum(weights * middles))
    within = weights**2 * lengths / 3
    return (between + within).sum() / max(len(first_sample) - 1, 1)
