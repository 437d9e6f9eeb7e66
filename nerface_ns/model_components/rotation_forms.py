"""Rotations as free numbers that an optimiser may change, all zero for no rotation.

Near zero each form turns by the length of its first three numbers in radians, whichever form it is, so that one
learning rate suits all (improved NeRF-- offers the same three and starts them at the identity).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

RotationForm = Literal["quaternion", "axis_angle", "rotation_6d"]
"""How a rotation is written."""
ROTATION_LENGTHS = {"quaternion": 4, "axis_angle": 3, "rotation_6d": 6}
"""Numbers of each form."""


def rotation_matrices(numbers: Float[Tensor, "n length"], form: RotationForm) -> Float[Tensor, "n 3 3"]:
    """Return the rotations that numbers stand for.

    Args:
        numbers: "axis_angle": axis times angle in radians. "quaternion": twice the vector part, then what is added to a
            scalar part of 1; of any length. "rotation_6d": what is added to the first two columns of the identity,
            before Gram and Schmidt make them orthonormal (Zhou et al., arXiv 1812.07035).
        form: Which of them.

    Raises:
        ValueError: There is no such form.
    """
    if form == "axis_angle":
        return _from_axis_angle(numbers)
    if form == "quaternion":
        return _from_quaternion(numbers)
    if form == "rotation_6d":
        return _from_two_columns(numbers)
    raise ValueError(f"rotation: expected one of {get_args(RotationForm)}, got {form!r}")


def rotation_vectors(rotations: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Return axis times sine of the angle, which for small angles is the axis times the angle, smoothly."""
    skew = (rotations - rotations.transpose(-1, -2)) / 2
    return torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], dim=-1)


def _from_axis_angle(vectors: Tensor) -> Tensor:
    """Rodrigues' formula; `sinc` keeps it and its derivatives finite where there is no angle."""
    angle = torch.linalg.vector_norm(vectors, dim=-1)[:, None, None]
    zero = torch.zeros_like(vectors[:, 0])
    x, y, z = vectors.unbind(-1)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    identity = torch.eye(3, dtype=vectors.dtype, device=vectors.device)
    sine_share = torch.sinc(angle / torch.pi)
    cosine_share = torch.sinc(angle / (2 * torch.pi)).square() / 2
    return identity + sine_share * cross + cosine_share * (cross @ cross)


def _from_quaternion(numbers: Tensor) -> Tensor:
    x, y, z, w = normalize(torch.cat([numbers[:, :3] / 2, 1 + numbers[:, 3:]], dim=-1), dim=-1).unbind(-1)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)]
    rows += [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)]
    rows += [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def _from_two_columns(numbers: Tensor) -> Tensor:
    identity = torch.eye(3, dtype=numbers.dtype, device=numbers.device)
    first = normalize(numbers[:, :3] + identity[0], dim=-1)
    second = numbers[:, 3:] + identity[1]
    second = normalize(second - (first * second).sum(dim=-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)
