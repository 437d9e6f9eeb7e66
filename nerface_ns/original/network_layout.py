"""NerFace's networks: their sizes, and which column of their layers is which column here.

Facts are those of the class `ConditionalBlendshapePaperNeRFModel` of github.com/gafniguy/4D-Facial-Avatars: both the
first and the skip layer take position encoding, expression and latent code side by side, the skip layer followed by
the hidden features; four colour layers are allocated and three are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from nerface_ns.field_components.octave_encoding import octave_encoding_length
from nerface_ns.original.parameter_layout import OriginalParameter, Part

COLOUR_LAYERS = 3
"""Colour layers that NerFace's code asks; it allocates one more."""


@dataclass(frozen=True)
class NetworkSizes:
    """What may differ between networks of NerFace's design."""

    position_octaves: int
    direction_octaves: int
    num_coefficients: int
    code_length: int
    trunk_layers: int
    trunk_width: int
    skip_layer: int
    """Trunk layer that gets the trunk's input again; 0 for none."""
    colour_width: int

    @property
    def num_position(self) -> int:
        """Columns of an encoded position."""
        return octave_encoding_length(self.position_octaves, include_input=True)

    @property
    def num_direction(self) -> int:
        """Columns of an encoded direction."""
        return octave_encoding_length(self.direction_octaves, include_input=False)

    @property
    def num_inputs(self) -> int:
        """Columns of the first layer."""
        return self.num_position + self.num_coefficients + self.code_length


def odd_features(num_octaves: int, include_input: bool) -> Bool[Tensor, "num_features"]:
    """Mark the features of `encode_octaves` that change their sign with the vector's x: itself and its sines."""
    octave = torch.tensor([True, False, False, False, False, False])
    vector = octave[:3] if include_input else octave[:0]
    return torch.cat([vector, octave.repeat(num_octaves)])


def network_layout(
    sizes: NetworkSizes, prefix: str, position_is_mirrored: bool, direction_is_mirrored: bool
) -> tuple[OriginalParameter, ...]:
    """List a network's parameters in NerFace's order.

    Args:
        sizes: Of the network.
        prefix: What stands before the field's parameters in this package's model, such as "fine_field.".
        position_is_mirrored: Whether the network's world is this package's mirrored in x.
        direction_is_mirrored: Whether the network's direction is a vector of that mirrored world.
    """
    width = sizes.trunk_width
    position = _flips(position_is_mirrored, odd_features(sizes.position_octaves, include_input=True))
    direction = _flips(direction_is_mirrored, odd_features(sizes.direction_octaves, include_input=False))
    position_columns = torch.arange(sizes.num_position)
    condition_columns = torch.arange(sizes.num_position, sizes.num_inputs)
    hidden_columns = torch.arange(sizes.num_inputs, sizes.num_inputs + width)
    unflipped = torch.zeros(width, dtype=torch.bool)
    parameters = []

    def add(original: str, ours: str, num_out: int, num_in: int, weight_parts: tuple[Part, ...] = ()) -> None:
        """Add a linear layer's weight and bias."""
        parts = weight_parts or (Part(f"{prefix}{ours}.weight"),)
        parameters.append(OriginalParameter(f"{original}.weight", (num_out, num_in), parts))
        parameters.append(OriginalParameter(f"{original}.bias", (num_out,), (Part(f"{prefix}{ours}.bias"),)))

    for layer in range(sizes.trunk_layers):
        ours = f"trunk.{layer}"
        if layer == 0 or layer == sizes.skip_layer:
            columns, flipped = position_columns, position
            if layer:
                columns, flipped = torch.cat([columns, hidden_columns]), torch.cat([flipped, unflipped])
            parts = (
                Part(f"{prefix}{ours}.linear.weight", columns, flipped),
                Part(f"{prefix}{ours}.condition.weight", condition_columns),
            )
            add(f"layers_xyz.{layer}", f"{ours}.linear", width, len(columns) + len(condition_columns), parts)
        else:
            add(f"layers_xyz.{layer}", ours, width, width)
    add("fc_feat", "feature", width, width)
    add("fc_alpha", "density", 1, width)
    with_direction = width + sizes.num_direction
    colour_part = Part(f"{prefix}colour.0.weight", torch.arange(with_direction), torch.cat([unflipped, direction]))
    add("layers_dir.0", "colour.0", sizes.colour_width, with_direction, (colour_part,))
    for layer in range(1, COLOUR_LAYERS):
        add(f"layers_dir.{layer}", f"colour.{layer}", sizes.colour_width, sizes.colour_width)
    add(f"layers_dir.{COLOUR_LAYERS}", "unused_colour", sizes.colour_width, sizes.colour_width)
    add("fc_rgb", "rgb", 3, sizes.colour_width)
    return tuple(parameters)


def _flips(is_mirrored: bool, odd: Bool[Tensor, "num_features"]) -> Bool[Tensor, "num_features"]:
    return odd if is_mirrored else torch.zeros_like(odd)


def read_sizes(where: str, network: Mapping[str, Any], position_octaves: int, code_length: int) -> NetworkSizes:
    """Read a network's sizes off its tensors and check that every one has its shape.

    The first layer's columns do not tell octaves from coefficients, so the octaves are an argument.

    Args:
        where: Words that name the network in an error.
        network: Its state dict.
        position_octaves: Octaves of the position's encoding.
        code_length: Numbers in a latent code.

    Raises:
        ValueError: A parameter is missing, is unknown, is no float32 tensor, or has another shape.
    """
    trunk_layers = sum(re.fullmatch(r"layers_xyz\.\d+\.weight", name) is not None for name in network)
    _check_tensors(where, network, _parameter_names(max(trunk_layers, 1)))
    width, num_inputs = _matrix_shape(where, network, "layers_xyz.0.weight")
    colour_width, with_direction = _matrix_shape(where, network, "layers_dir.0.weight")
    num_position = octave_encoding_length(position_octaves, include_input=True)
    if num_inputs <= num_position + code_length:
        raise ValueError(
            f"{where}: layers_xyz.0.weight: expected columns for a position ({num_position}), an expression and a "
            f"latent code ({code_length}), got {num_inputs}"
        )
    if with_direction < width or (with_direction - width) % 6:
        raise ValueError(
            f"{where}: layers_dir.0.weight: expected {width} columns of features and 6 for each octave of the "
            f"direction, got {with_direction}"
        )
    inner = {layer: _matrix_shape(where, network, f"layers_xyz.{layer}.weight")[1] for layer in range(1, trunk_layers)}
    skips = [layer for layer, num_in in inner.items() if num_in == num_inputs + width]
    sizes = NetworkSizes(
        position_octaves=position_octaves,
        direction_octaves=(with_direction - width) // 6,
        num_coefficients=num_inputs - num_position - code_length,
        code_length=code_length,
        trunk_layers=trunk_layers,
        trunk_width=width,
        skip_layer=skips[0] if skips else 0,
        colour_width=colour_width,
    )
    for parameter in network_layout(sizes, "", False, False):
        got = tuple(network[parameter.name].shape)
        if got != parameter.shape:
            raise ValueError(f"{where}: {parameter.name}: expected shape {parameter.shape}, got {got}")
    return sizes


def _parameter_names(trunk_layers: int) -> list[str]:
    layers = [f"layers_xyz.{layer}" for layer in range(trunk_layers)]
    layers += ["fc_feat", "fc_alpha", *(f"layers_dir.{layer}" for layer in range(COLOUR_LAYERS + 1)), "fc_rgb"]
    return [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]


def _check_tensors(where: str, network: Mapping[str, Any], expected: Iterable[str]) -> None:
    names = list(expected)
    missing = [name for name in names if name not in network]
    unknown = [name for name in network if name not in names]
    if missing or unknown:
        raise ValueError(
            f"{where}: expected the parameters of NerFace's network (layers_xyz, fc_feat, fc_alpha, layers_dir.0..3, "
            f"fc_rgb); missing {missing[:3] or 'none'}, unknown {unknown[:3] or 'none'}"
        )
    for name in names:
        value = network[name]
        if not isinstance(value, Tensor) or value.dtype != torch.float32:
            got = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"{where}: {name}: expected a float32 tensor, got {got}")


def _matrix_shape(where: str, network: Mapping[str, Any], name: str) -> tuple[int, int]:
    shape = network[name].shape
    if len(shape) != 2:
        raise ValueError(f"{where}: {name}: expected a matrix, got shape {tuple(shape)}")
    return int(shape[0]), int(shape[1])
