"""Layers with sine activations that start so that every depth has outputs of the same spread (SIREN).

Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", NeurIPS 2020, section 3.2.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nerface_ns.field_components.per_frame_linear import FrameBiasLinear


class SineLayer(nn.Module):
    """The sine of a frequency times a linear layer on [features, condition], with one condition per frame.

    Weights start uniform: for n coordinates in [-1, 1] within 1 / n, which gives angles up to the frequency; for n
    outputs of another sine layer within sqrt(6 / n) / frequency, which gives angles of variance 1. The weights of a
    condition start within that second bound, n its own length: it shifts the angles as much as a sine layer's outputs
    would, in every layer and at every frequency. Biases start as torch's do, as in SIREN's own code.

    Args:
        num_features: Length of a sample's features.
        num_condition: Length of a frame's condition; 0 for none.
        num_out: Outputs.
        frequency: Factor on the linear layer's output, in radians.
        is_first: Whether the features are coordinates, not another sine layer's outputs.
    """

    def __init__(
        self, num_features: int, num_condition: int, num_out: int, frequency: float, is_first: bool = False
    ) -> None:
        super().__init__()
        self.frequency = frequency
        self.linear = FrameBiasLinear(num_features, num_condition, num_out)
        bound = 1 / num_features if is_first else math.sqrt(6 / num_features) / frequency
        nn.init.uniform_(self.linear.linear.weight, -bound, bound)
        if self.linear.condition is not None:
            bound = math.sqrt(6 / num_condition) / frequency
            nn.init.uniform_(self.linear.condition.weight, -bound, bound)

    def forward(
        self,
        features: Float[Tensor, "num_samples num_features"],
        condition: Float[Tensor, "num_frames num_condition"],
        frame_rows: Int[Tensor, "num_samples"],
    ) -> Float[Tensor, "num_samples num_out"]:
        """Return the layer's output; `frame_rows` says which condition holds for a sample."""
        return torch.sin(self.frequency * self.linear(features, condition, frame_rows))


def sine_readout(num_features: int, num_out: int, spread: float) -> nn.Linear:
    """Make a linear layer on a sine layer's outputs.

    Args:
        num_features, num_out: Sizes.
        spread: Standard deviation of the outputs at the start, biases aside.
    """
    layer = nn.Linear(num_features, num_out)
    bound = math.sqrt(6 / num_features) * spread
    nn.init.uniform_(layer.weight, -bound, bound)
    return layer
