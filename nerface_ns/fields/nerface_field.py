"""NerFace's network: one deep perceptron on encoded positions, expression and latent code."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, Type

import torch
from jaxtyping import Float, Int
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor, nn

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.field_components.octave_encoding import encode_octaves, octave_encoding_length
from nerface_ns.field_components.per_frame_linear import FrameBiasLinear
from nerface_ns.fields.base_face_field import FaceField, FaceFieldConfig


@dataclass
class NeRFaceFieldConfig(FaceFieldConfig):
    """NerFace's network; sizes and constants are those of its released code where nothing else is said."""

    _target: Type = field(default_factory=lambda: NeRFaceField)
    """Target class to instantiate."""
    coordinates: Literal["world", "box"] = "world"
    """What is encoded: positions as they are, or the scene box mapped to [-1, 1]^3, which a head of another size than
    the release's (about 0.25) needs to be seen in the same detail."""
    position_octaves: int = 10
    """Octaves of the position's encoding; the position itself is included."""
    direction_octaves: int = 4
    """Octaves of the view direction's encoding; the direction itself is not included."""
    trunk_layers: int = 6
    """Layers before the features (the paper's figure shows 8, its code has 6)."""
    trunk_width: int = 256
    """Units of the trunk's layers and of the features."""
    skip_layer: int = 3
    """Trunk layer, counted from 0, that gets the trunk's input again; 0 for none."""
    colour_layers: int = 3
    """Layers from features and view direction to the colour (the code allocates a fourth and never uses it)."""
    colour_width: int = 128
    """Units of the colour layers."""
    unused_colour_layer: bool = False
    """Keep the fourth colour layer that the code allocates and never asks, untrained; imported checkpoints have it, so
    that they can be exported as they were."""
    density_activation: Literal["relu", "softplus"] = "relu"
    """What makes the density positive. Behind an occupancy grid take the softplus: a ReLU that is zero over a cell when
    the grid is first refreshed gets no gradient there ever after."""
    density_bias: float = 0.0
    """Added before the activation."""
    density_scale: float = 1.0
    """Density for an activation of 1: per scene unit, or per length of the scene box when coordinates are "box"."""
    density_noise: float = 0.1
    """Standard deviation of the normal noise added before the activation in training."""


class NeRFaceField(FaceField):
    """Trunk, density from linear features, colour from features and view direction.

    The expression and the latent code enter the trunk's first and skip layer as biases made once per frame, which is
    the same number as their concatenation to every sample's input.

    Args:
        config: Sizes.
        scene_box: Box that holds the head.
        num_coefficients: Length of the expression.
        code_length: Length of the latent code.

    Raises:
        ValueError: There is no trunk or colour layer, or the skip layer is none of the trunk's.
    """

    config: NeRFaceFieldConfig
    colour_modules = ("colour", "rgb")

    def __init__(
        self, config: NeRFaceFieldConfig, scene_box: SceneBox, num_coefficients: int, code_length: int
    ) -> None:
        super().__init__(config, scene_box, num_coefficients, code_length)
        if config.trunk_layers < 1 or config.colour_layers < 1:
            raise ValueError(f"trunk_layers, colour_layers: expected at least 1 of each, got {config}")
        if not 0 <= config.skip_layer < config.trunk_layers:
            raise ValueError(
                f"skip_layer: expected 1..{config.trunk_layers - 1}, or 0 for none, got {config.skip_layer}"
            )
        num_position = octave_encoding_length(config.position_octaves, include_input=True)
        num_direction = octave_encoding_length(config.direction_octaves, include_input=False)
        num_condition = num_coefficients + code_length
        box_length = float((scene_box.aabb[1] - scene_box.aabb[0]).max())
        self.density_factor = config.density_scale / (box_length if config.coordinates == "box" else 1.0)
        width = config.trunk_width
        self.trunk = nn.ModuleList(nn.Linear(width, width) for _ in range(config.trunk_layers))
        self.trunk[0] = _concatenating_linear(num_position, num_condition, width)
        if config.skip_layer:
            self.trunk[config.skip_layer] = _concatenating_linear(num_position + width, num_condition, width)
        self.feature = nn.Linear(width, width)
        self.density = nn.Linear(width, 1)
        self.colour = nn.ModuleList([nn.Linear(width + num_direction, config.colour_width)])
        self.colour.extend(nn.Linear(config.colour_width, config.colour_width) for _ in range(config.colour_layers - 1))
        self.rgb = nn.Linear(config.colour_width, 3)
        if config.unused_colour_layer:
            self.unused_colour = nn.Linear(config.colour_width, config.colour_width).requires_grad_(False)

    def prepare(self, condition: FaceCondition) -> Tensor:
        """Join each frame's expression and latent code."""
        return torch.cat([condition.expression, condition.latent_code], dim=-1)

    def get_hidden(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: Tensor
    ) -> Float[Tensor, "num_samples width"]:
        """Return the trunk's output."""
        if self.config.coordinates == "box":
            positions = self.normalise(positions) * 2 - 1
        encoded = encode_octaves(positions, self.config.position_octaves, include_input=True)
        hidden = torch.relu(self.trunk[0](encoded, prepared, frame_rows))
        for layer in self.trunk[1:]:
            if isinstance(layer, FrameBiasLinear):
                hidden = torch.relu(layer(torch.cat([encoded, hidden], dim=-1), prepared, frame_rows))
            else:
                hidden = torch.relu(layer(hidden))
        return hidden

    def get_raw_density(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: Tensor
    ) -> tuple[Float[Tensor, "num_samples"], Float[Tensor, "num_samples num_features"]]:
        """Return density before noise and activation, and the features."""
        features = self.feature(self.get_hidden(positions, frame_rows, prepared))
        return self.density(features)[:, 0], features

    def get_density(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: Tensor
    ) -> tuple[Float[Tensor, "num_samples"], Float[Tensor, "num_samples num_features"]]:
        """Return density, noisy in training, and the features."""
        raw, features = self.get_raw_density(positions, frame_rows, prepared)
        return self._activate(raw), features

    def get_lean_density(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: Tensor
    ) -> tuple[Float[Tensor, "num_samples"], Float[Tensor, "num_samples width"]]:
        """Return density and the trunk's output; feature and density layer are linear, hence one layer."""
        hidden = self.get_hidden(positions, frame_rows, prepared)
        weight, bias = self.density.weight @ self.feature.weight, self.density(self.feature.bias)
        return self._activate(nn.functional.linear(hidden, weight, bias)[:, 0]), hidden

    def get_embedding(self, lean: Float[Tensor, "num_samples width"]) -> Float[Tensor, "num_samples num_features"]:
        """Return the features of the trunk's output."""
        return self.feature(lean)

    def _activate(self, raw: Tensor) -> Tensor:
        if self.training and self.config.density_noise > 0:
            raw = raw + torch.randn_like(raw) * self.config.density_noise
        activation = torch.relu if self.config.density_activation == "relu" else nn.functional.softplus
        return activation(raw + self.config.density_bias) * self.density_factor

    def get_rgb(
        self,
        directions: Float[Tensor, "num_samples 3"],
        frame_rows: Int[Tensor, "num_samples"],
        prepared: Tensor,
        embedding: Float[Tensor, "num_samples num_features"],
    ) -> Float[Tensor, "num_samples 3"]:
        """Return colours of features as seen along view directions, or along what the model tells instead of them."""
        encoded = encode_octaves(directions, self.config.direction_octaves, include_input=False)
        hidden = torch.cat([embedding, encoded], dim=-1)
        for layer in self.colour:
            hidden = torch.relu(layer(hidden))
        return torch.sigmoid(self.rgb(hidden))


def _concatenating_linear(num_features: int, num_condition: int, num_out: int) -> FrameBiasLinear:
    """Make a layer that starts as torch starts one linear layer on features and condition side by side."""
    layer = FrameBiasLinear(num_features, num_condition, num_out)
    bound = 1 / math.sqrt(num_features + num_condition)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound)
    return layer
