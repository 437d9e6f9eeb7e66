"""Occupancy under every coefficient's extreme, as NeRFBlendShape refreshes its density grid."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.models.base_face_model import FaceModel
from nerface_ns.models.occ_face_model import OccFaceModel

BASES_AT_A_TIME = 8
"""Expressions whose tables are in memory at the same time."""


def extreme_expressions(model: FaceModel) -> Float[Tensor, "num_expressions num_coefficients"]:
    """Return raw expressions: the neutral one, then each coefficient alone at its greatest trained value."""
    high = model.expression_encoding.high
    return torch.cat([torch.zeros_like(high)[None], torch.diag(high)])


def density_over_bases(
    model: OccFaceModel, positions: Float[Tensor, "num_positions 3"]
) -> Float[Tensor, "num_positions"]:
    """Return the greatest density of positions over the extremes of all bases (NeRFBlendShape, section 3.4).

    Every position is asked under every extreme, so this costs as many evaluations as there are coefficients. Each
    extreme gets a random training frame's head pose.

    Args:
        model: Whose field and training expressions.
        positions: In head space.
    """
    expressions = extreme_expressions(model)
    poses: Tensor = model.train_camera_to_world
    greatest = torch.zeros(len(positions), device=positions.device)
    for few in expressions.split(BASES_AT_A_TIME):
        camera_to_world = poses[torch.randint(len(poses), (len(few),), device=poses.device)]
        prepared = model.field.prepare(model.make_condition(camera_to_world, expression=few))
        for row in range(len(few)):
            rows = torch.full((len(positions),), row, device=positions.device)
            greatest = torch.maximum(greatest, model.field.get_density(positions, rows, prepared)[0])
    return greatest
