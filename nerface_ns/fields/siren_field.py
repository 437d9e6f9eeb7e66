"""A field of sines: a perceptron whose activations are sines, without any encoding of positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Type

import torch
from jaxtyping import Float, Int
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor, nn

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.field_components.siren import SineLayer, sine_readout
from nerface_ns.fields.base_face_field import FaceField, FaceFieldConfig


@dataclass
class SirenFieldConfig(FaceFieldConfig):
    """A SIREN trunk as the improved NeRF-- has it (ventusff/improved-nerfmm), told the expression in every layer."""

    _target: Type = field(default_factory=lambda: SirenField)
    """Target class to instantiate."""
    trunk_layers: int = 6
    """Sine layers before the density (NeRFace: 6 ReLU layers; improved NeRF--: 8)."""
    trunk_width: int = 128
    """Units of the trunk's layers (improved NeRF--: 128)."""
    first_frequency: float = 30.0
    """Greatest angle, in radians, that the first layer makes of half the scene box's length at the start; it decides
    the detail that is seen first (SIREN and improved NeRF--: 30)."""
    hidden_frequency: float = 10.0
    """Factor before the sine of the other layers. The start does not depend on it; their weights learn that many times
    faster (SIREN: 30, with a learning rate of 1e-4; improved NeRF--: 1, with 1e-3)."""
    density_multiplier: float = 30.0
    """Factor on the density layer's output. The start does not depend on it; the density learns that many times faster
    (improved NeRF--: 10 to 30)."""
    density_bias: float = 0.5
    """Number before the softplus at the start; see `WarpedGridFieldConfig.density_bias`."""
    density_scale: float = 48.0
    """Density per length of the scene box for a softplus of 1: 1/64 of the box is then half opaque."""
    colour_width: int = 64
    """Units of the colour's sine layer, which is told the view direction."""


class SirenField(FaceField):
    """Sine layers on positions in [-1, 1]^3, density and colours from their last outputs.

    Expression and latent code shift the phases of every trunk layer, by biases made once per frame.

    Args:
        config: Sizes and frequencies.
        scene_box: Box that holds the head.
        num_coefficients: Length of the expression.
        code_length: Length of the latent code.

    Raises:
        ValueError: There is no trunk layer, or a frequency or factor is not positive.
    """

    config: SirenFieldConfig
    colour_modules = ("colour", "rgb")

    def __init__(self, config: SirenFieldConfig, scene_box: SceneBox, num_coefficients: int, code_length: int) -> None:
        super().__init__(config, scene_box, num_coefficients, code_length)
        if config.trunk_layers < 1:
            raise ValueError(f"trunk_layers: expected at least 1, got {config.trunk_layers}")
        for name in ("first_frequency", "hidden_frequency", "density_multiplier"):
            if not 0 < getattr(config, name) < float("inf"):
                raise ValueError(f"{name}: expected a positive number, got {getattr(config, name)}")
        num_condition, width = num_coefficients + code_length, config.trunk_width
        self.trunk = nn.ModuleList([SineLayer(3, num_condition, width, config.first_frequency, is_first=True)])
        for _ in range(config.trunk_layers - 1):
            self.trunk.append(SineLayer(width, num_condition, width, config.hidden_frequency))
        self.density = sine_readout(width, 1, spread=1 / config.density_multiplier)
        nn.init.zeros_(self.density.bias)
        self.colour = SineLayer(width + 3, 0, config.colour_width, config.hidden_frequency)
        self.rgb = nn.Linear(config.colour_width, 3)
        box_length = float((scene_box.aabb[1] - scene_box.aabb[0]).max())
        self.density_factor = config.density_scale / box_length

    def prepare(self, condition: FaceCondition) -> Tensor:
        """Join each frame's expression and latent code."""
        return torch.cat([condition.expression, condition.latent_code], dim=-1)

    def get_density(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: Tensor
    ) -> tuple[Float[Tensor, "num_samples"], Float[Tensor, "num_samples width"]]:
        """Return density and the trunk's output."""
        hidden = self.normalise(positions) * 2 - 1
        for layer in self.trunk:
            hidden = layer(hidden, prepared, frame_rows)
        raw = self.config.density_multiplier * self.density(hidden)[:, 0] + self.config.density_bias
        return nn.functional.softplus(raw) * self.density_factor, hidden

    def get_rgb(
        self,
        directions: Float[Tensor, "num_samples 3"],
        frame_rows: Int[Tensor, "num_samples"],
        prepared: Tensor,
        embedding: Float[Tensor, "num_samples width"],
    ) -> Float[Tensor, "num_samples 3"]:
        """Return colours of the trunk's output as seen along view directions."""
        hidden = self.colour(torch.cat([embedding, directions], dim=-1), prepared, frame_rows)
        return torch.sigmoid(self.rgb(hidden))
