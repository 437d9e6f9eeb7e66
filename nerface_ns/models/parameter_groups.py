"""Which parameters of a face's model learn at which rate."""

from __future__ import annotations

from typing import Dict, List, Sequence

from torch import nn
from torch.nn import Parameter

GRIDS = ("table", "grids", "rest_grids", "head_grids")
"""Last names of parameters that are feature grids."""
TABLES = ("bases",)
"""Last names of parameters that are feature tables of single coefficients."""


def parameter_groups(
    fields: Sequence[nn.Module], latent_codes: nn.Module, background: nn.Module
) -> Dict[str, List[Parameter]]:
    """Group parameters by how fast they may learn; groups with nothing to train are left out.

    Args:
        fields: The radiance fields.
        latent_codes, background: The model's other parts that may learn.

    Returns:
        "networks", "grids", "tables", "latent_codes", "background", each with the parameters that are trained and not
        empty.
    """
    named = [(name.split(".")[-1], parameter) for field in fields for name, parameter in field.named_parameters()]
    groups = {
        "networks": [parameter for name, parameter in named if name not in GRIDS + TABLES],
        "grids": [parameter for name, parameter in named if name in GRIDS],
        "tables": [parameter for name, parameter in named if name in TABLES],
        "latent_codes": list(latent_codes.parameters()),
        "background": list(background.parameters()),
    }
    trained = {name: [p for p in group if p.requires_grad and p.numel() > 0] for name, group in groups.items()}
    return {name: group for name, group in trained.items() if group}
