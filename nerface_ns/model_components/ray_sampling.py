"""At which depths of a ray a coarse and a fine network are asked: NeRF's two rounds of samples.

nerfstudio's `UniformSampler` and `PDFSampler` cut a ray into intervals that end at the far plane and ask in their
middles. Here, as in NerFace, samples are points, each of which stands for the stretch up to the next one.
"""

from __future__ import annotations

from typing import Optional

import torch
from jaxtyping import Float
from torch import Tensor

WEIGHT_PADDING = 1e-5
"""Added to every weight before importance sampling, so that no part of a ray is ruled out (NeRF's code)."""
LEAST_SHARE = 1e-5
"""Bins with a smaller share of the weights are not interpolated within (NeRF's code)."""


def stratified_depths(
    nears: Float[Tensor, "num_rays 1"],
    fars: Float[Tensor, "num_rays 1"],
    num_samples: int,
    chance: Optional[Float[Tensor, "num_rays num_samples"]] = None,
) -> Float[Tensor, "num_rays num_samples"]:
    """Spread samples evenly from near to far, both included.

    Args:
        nears, fars: Ends of the sampled part of each ray.
        num_samples: At least 2.
        chance: Numbers in [0, 1) that place each sample between the middles to its neighbours, where the outer samples
            keep to their inner side; None leaves all where they are.
    """
    share = torch.linspace(0, 1, num_samples, dtype=nears.dtype, device=nears.device)
    depths = nears * (1 - share) + fars * share
    if chance is None:
        return depths
    middles = (depths[:, 1:] + depths[:, :-1]) / 2
    lower = torch.cat([depths[:, :1], middles], dim=-1)
    upper = torch.cat([middles, depths[:, -1:]], dim=-1)
    return lower + (upper - lower) * chance


def importance_depths(
    edges: Float[Tensor, "num_rays num_edges"],
    weights: Float[Tensor, "num_rays num_bins"],
    chance: Float[Tensor, "num_rays num_samples"],
) -> Float[Tensor, "num_rays num_samples"]:
    """Draw samples from a histogram, evenly within its bins.

    Args:
        edges: Growing along a ray, one more than there are bins.
        weights: Not negative, any sum.
        chance: Numbers in [0, 1] whose place in the histogram's running sum is looked up.
    """
    padded = weights + WEIGHT_PADDING
    running = (padded / padded.sum(dim=-1, keepdim=True)).cumsum(dim=-1)
    running = torch.cat([torch.zeros_like(running[:, :1]), running], dim=-1)
    above = torch.searchsorted(running, chance.contiguous(), right=True)
    below = (above - 1).clamp(min=0)
    above = above.clamp(max=running.shape[1] - 1)
    low, high = running.gather(1, below), running.gather(1, above)
    share = torch.where(high - low < LEAST_SHARE, torch.ones_like(low), high - low)
    start, end = edges.gather(1, below), edges.gather(1, above)
    return start + (chance - low) / share * (end - start)


def refined_depths(
    depths: Float[Tensor, "num_rays num_coarse"],
    weights: Float[Tensor, "num_rays num_coarse"],
    num_samples: int,
    chance: Optional[Float[Tensor, "num_rays num_samples"]] = None,
) -> Float[Tensor, "num_rays num_fine"]:
    """Add samples where the coarse ones weigh most.

    The bin of a coarse sample reaches to the middles between it and its neighbours; the first and the last, which is
    the background, have none.

    Args:
        depths: Coarse samples, growing along a ray.
        weights: Their shares in the ray's colour.
        num_samples: Samples to add.
        chance: Numbers in [0, 1) that place the new samples on the running sum; None takes even steps.

    Returns:
        Old and new samples in order, without a gradient.
    """
    if chance is None:
        chance = torch.linspace(0, 1, num_samples, dtype=depths.dtype, device=depths.device).expand(len(depths), -1)
    middles = (depths[:, 1:] + depths[:, :-1]) / 2
    added = importance_depths(middles, weights[:, 1:-1].detach(), chance)
    return torch.cat([depths, added], dim=-1).sort(dim=-1).values
