"""Light that stands beside a static camera while the head turns in it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

NUM_LIGHT_FEATURES = 12
"""Length of `light_features`."""


def rotate_to_camera(
    normals: Float[Tensor, "num_samples 3"], camera_rotation: Float[Tensor, "num_samples 3 3"]
) -> Float[Tensor, "num_samples 3"]:
    """Express head-space vectors in the camera's axes.

    Args:
        normals: In head space.
        camera_rotation: Camera-to-head rotations R; the result is R^T n.
    """
    return torch.einsum("nij,ni->nj", camera_rotation, normals)


def light_features(normals: Float[Tensor, "num_samples 3"]) -> Float[Tensor, "num_samples 12"]:
    """Return what the colour of lit skin is nearly linear in.

    Irradiance is within about 1 % a quadratic polynomial of the unit normal (Ramamoorthi and Hanrahan 2001), and the
    light is fixed in the camera's axes; cubes add what gloss there is.

    Args:
        normals: Unit normals in the camera's axes.
    """
    x, y, z = normals.unbind(-1)
    quadratic = [x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    cubic = [x**3, y**3, z**3, x * y * z]
    return torch.stack([x, y, z, *quadratic, *cubic], dim=-1)
