"""NeRFBlendShape's networks, as its training script saves them, in the parts of a `BlendshapeField`.

Its state dict holds the tables of the coefficients (`encoder.embeddings`) and the one of the constant coefficient
(`encoder.embeddings_mean`), and each network of tiny-cuda-nn as one run of float32 numbers (half precision is made of
them at every use): matrix after matrix, each row by row with a row per output, no biases, the last one's rows padded to
a multiple of 16. Inputs are padded likewise, with ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List

import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.field_components.blended_lookup import TableLevels
from nerface_ns.field_components.blended_tables import BlendedTablesConfig
from nerface_ns.fields.blendshape_field import BlendshapeFieldConfig

WORLD_SCALE = 0.33
"""Factor of its loader on positions."""
HALF_BOX = 0.06
"""Half the side of its scene box, after the scaling."""
AXIS_ORDER = (1, 2, 0)
"""Axes of the data's world that its loader calls x, y and z."""
BASE_RESOLUTION, FINEST_RESOLUTION, LOG2_TABLE_SIZE = 16, 1024, 14
"""Sizes of its tables, which are no option of its script."""
DIRECTION_DEGREE = 4
"""Degrees of its spherical harmonics."""
ALIGNMENT = 16
"""tiny-cuda-nn pads widths to multiples of this."""
HARMONICS_SIGNS = (1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1)
"""tiny-cuda-nn's spherical harmonics over nerfstudio's: those of odd order have the other sign."""


@dataclass
class ReleasedSizes:
    """What a state dict does not say of itself: options of the release's script, with its defaults."""

    width: int = 64
    """Units of the hidden layers (`--hidden_dim`, `--hidden_dim_col`)."""
    density_layers: int = 4
    """Hidden layers of the density network (`--num_layers`)."""
    colour_layers: int = 1
    """Hidden layers of the colour network (`--num_layers_col`)."""
    num_geometry_features: int = 64
    """Outputs of the density network beside the density (`--geo_feat_dim`)."""


def released_field_config(state: Dict[str, Any], sizes: ReleasedSizes) -> BlendshapeFieldConfig:
    """Return the settings under which a field computes what the release does.

    Args:
        state: The release's state dict.
        sizes: Its script's options.
    """
    _, _, channels = _tables(state).shape
    tables = BlendedTablesConfig(
        num_levels=len(state["encoder.offsets"]) - 1,
        channels=channels,
        base_resolution=BASE_RESOLUTION,
        finest_resolution=FINEST_RESOLUTION,
        num_basis_levels=0,
        log2_table_size=LOG2_TABLE_SIZE,
        half_shifted=True,
    )
    return BlendshapeFieldConfig(
        tables=tables,
        warp="none",
        width=sizes.width,
        density_layers=sizes.density_layers,
        colour_layers=sizes.colour_layers,
        num_geometry_features=sizes.num_geometry_features,
        direction_degree=DIRECTION_DEGREE,
        colour_from_features=False,
        light_from_camera=False,
        density_scale=2 * HALF_BOX,
        density_gain=1.0,
        density_bias=0.0,
        axis_order=AXIS_ORDER,
    )


def released_field_state(state: Dict[str, Any], sizes: ReleasedSizes, code_length: int = 0) -> Dict[str, Tensor]:
    """Return the parameters of a field of `released_field_config`, without its scene box.

    Args:
        state: The release's state dict.
        sizes: Its script's options.
        code_length: Length of the latent codes that the field takes; the release has none, so they change nothing.

    Raises:
        ValueError: An entry is missing or has another size.
    """
    bases, mean = _tables(state), _tables(state, "encoder.embeddings_mean")
    num_levels = len(state["encoder.offsets"]) - 1
    levels = TableLevels.half_shifted(BASE_RESOLUTION, FINEST_RESOLUTION, num_levels, LOG2_TABLE_SIZE)
    if list(state["encoder.offsets"]) != [*levels.first_rows, levels.num_rows]:
        raise ValueError(
            f"encoder.offsets: expected levels of {BASE_RESOLUTION} to {FINEST_RESOLUTION} cells with at most "
            f"2^{LOG2_TABLE_SIZE} rows, which start at {[*levels.first_rows, levels.num_rows]}, got "
            f"{[int(row) for row in state['encoder.offsets']]}"
        )
    for name, table in (("encoder.embeddings", bases), ("encoder.embeddings_mean", mean)):
        if table.shape[1:] != (levels.num_rows, bases.shape[2]):
            raise ValueError(f"{name}: expected {levels.num_rows} x {bases.shape[2]} per basis, got {table.shape[1:]}")
    if len(mean) != 1:
        raise ValueError(f"encoder.embeddings_mean: expected one table, got {len(mean)}; was it trained without mean?")
    found = {"tables.bases": _reorder_rows(bases, levels), "tables.table": _reorder_rows(mean, levels)[0]}
    num_features, width = num_levels * bases.shape[2], sizes.width
    geometry, harmonics = sizes.num_geometry_features, DIRECTION_DEGREE**2
    density = split_matrices(state, "sigma_net.params", num_features, width, sizes.density_layers, 1 + geometry)
    colour = split_matrices(state, "color_net.params", harmonics + geometry, width, sizes.colour_layers, 3)
    for number, (weight, bias) in enumerate(density):
        found.update({f"density_net.{2 * number}.weight": weight, f"density_net.{2 * number}.bias": bias})
    weight, bias = colour[0]
    signs = torch.tensor(HARMONICS_SIGNS, dtype=weight.dtype)
    weight = torch.cat([weight[:, harmonics:], weight[:, :harmonics] * signs], dim=1)
    found.update({"colour_first.linear.weight": weight, "colour_first.linear.bias": bias})
    if code_length > 0:
        found["colour_first.condition.weight"] = torch.zeros(width, code_length)
    for number, (weight, bias) in enumerate(colour[1:]):
        found.update({f"colour_rest.{2 * number + 1}.weight": weight, f"colour_rest.{2 * number + 1}.bias": bias})
    return found


def split_matrices(
    state: Dict[str, Any], name: str, num_in: int, width: int, hidden_layers: int, num_out: int
) -> List[tuple[Float[Tensor, "num_out num_in"], Float[Tensor, "num_out"]]]:
    """Cut the numbers of one of tiny-cuda-nn's fully fused networks into weights and biases.

    A bias is what the padded inputs, ones, contribute: zero for all layers but the first, and there without padding.

    Raises:
        ValueError: There are not so many numbers.
    """
    padded_in, padded_out = (-(-count // ALIGNMENT) * ALIGNMENT for count in (num_in, num_out))
    shapes = [(width, padded_in), *[(width, width)] * (hidden_layers - 1), (padded_out, width)]
    expected = sum(rows * columns for rows, columns in shapes)
    numbers = state.get(name)
    if not isinstance(numbers, Tensor) or numbers.shape != (expected,):
        got = tuple(numbers.shape) if isinstance(numbers, Tensor) else "no such tensor"
        raise ValueError(
            f"{name}: expected {expected} numbers for {num_in} inputs, {hidden_layers} hidden layers of {width} and "
            f"{num_out} outputs, got {got}"
        )
    parts = numbers.float().split([rows * columns for rows, columns in shapes])
    layers = [part.reshape(shape) for part, shape in zip(parts, shapes)]
    first = layers[0]
    pairs = [(first[:, :num_in], first[:, num_in:].sum(dim=1))]
    pairs += [(layer, torch.zeros(len(layer))) for layer in layers[1:]]
    pairs[-1] = (pairs[-1][0][:num_out], pairs[-1][1][:num_out])
    return pairs


def _tables(state: Dict[str, Any], name: str = "encoder.embeddings") -> Float[Tensor, "num_bases rows channels"]:
    tables = state.get(name)
    if not isinstance(tables, Tensor) or tables.ndim != 3 or "encoder.offsets" not in state:
        raise ValueError(f"{name}: expected tables (bases, rows, channels) and encoder.offsets, got neither or one")
    return tables.float()


def _reorder_rows(
    tables: Float[Tensor, "num_bases rows channels"], levels: TableLevels
) -> Float[Tensor, "num_bases rows channels"]:
    """Let z run fastest in the dense levels, where the release lets x."""
    parts = list(tables.split(list(levels.sizes), dim=1))
    for number, (resolution, size) in enumerate(zip(levels.resolutions, levels.sizes)):
        if resolution**3 == size:
            cube = parts[number].unflatten(1, (resolution, resolution, resolution))
            parts[number] = cube.permute(0, 3, 2, 1, 4).flatten(1, 3)
    return torch.cat(parts, dim=1)
