"""Sines and cosines of coordinates at doubling frequencies."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def octave_encoding_length(num_octaves: int, include_input: bool) -> int:
    """Length of the encoding of a 3-vector."""
    return 6 * num_octaves + (3 if include_input else 0)


def encode_octaves(
    vectors: Float[Tensor, "num_vectors 3"], num_octaves: int, include_input: bool
) -> Float[Tensor, "num_vectors num_features"]:
    """Encode vectors as NerFace does (NeRF, eq. 4, without its factor pi, which nerfstudio's `NeRFEncoding` has).

    Args:
        vectors: Positions or directions.
        num_octaves: Frequencies 1, 2, 4, ... in radians per unit.
        include_input: Let the vector itself stand first.

    Returns:
        The vector, then for each octave the sines of x, y, z and their cosines.
    """
    frequencies = 2.0 ** torch.arange(num_octaves, dtype=vectors.dtype, device=vectors.device)
    angles = vectors[:, None] * frequencies[:, None]
    waves = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
    return torch.cat([vectors, waves], dim=-1) if include_input else waves
