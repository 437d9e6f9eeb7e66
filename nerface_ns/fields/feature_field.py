"""What fields of a bent head share: bending, and the networks that make density and colour of a point's features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Sequence

import torch
from jaxtyping import Float, Int
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor, nn

from nerface_ns.field_components.per_frame_linear import FrameBiasLinear
from nerface_ns.field_components.shading import NUM_LIGHT_FEATURES, light_features, rotate_to_camera
from nerface_ns.fields.base_face_field import FaceField, FaceFieldConfig

DISPLACEMENT_SCALE = 0.3
"""Displacement of a point, as a share of the scene box, for a deformation output of 1."""
DENSITY_GAIN = 4.0
"""Factor on the density network's output, so that surfaces harden within the first hundred steps."""
NUM_GEOMETRY_FEATURES = 15
"""Outputs of the density network beside the density (instant-ngp)."""


@dataclass
class FeatureFieldConfig(FaceFieldConfig):
    """Settings of the two networks."""

    width: int = 64
    """Units of the density and colour networks' hidden layers."""
    density_scale: float = 48.0
    """Density per length of the scene box for a softplus of 1: 1/64 of the box is then half opaque."""
    density_bias: float = 0.5
    """Number before the softplus at the start: an opaque head, from which training carves, needs few samples."""
    light_from_camera: bool = True
    """Let colour depend on a learned normal in the camera's axes, which carries over to views never trained."""


class FeatureField(FaceField):
    """A field whose density network sees features, and whose colour network sees what comes out of it.

    Subclasses make `deformation` (or None) and the features, then call `make_networks`.

    Args:
        config: Sizes.
        scene_box: Box that holds the head.
        num_coefficients: Length of the expression.
        code_length: Length of the latent code.
    """

    config: FeatureFieldConfig
    deformation: Any
    density_gain: float = DENSITY_GAIN
    colour_modules = ("normal", "colour_first", "colour_rest")

    def __init__(
        self, config: FeatureFieldConfig, scene_box: SceneBox, num_coefficients: int, code_length: int
    ) -> None:
        super().__init__(config, scene_box, num_coefficients, code_length)
        self.box_length = float((scene_box.aabb[1] - scene_box.aabb[0]).max())

    def make_networks(
        self,
        num_features: int,
        num_seen: int,
        num_told: int,
        num_geometry: int = NUM_GEOMETRY_FEATURES,
        density_layers: int = 1,
        colour_layers: int = 2,
    ) -> None:
        """Build both networks.

        Args:
            num_features: Of a point.
            num_seen: Numbers of a sample that the colour network is given, the light not counted.
            num_told: Numbers of a frame that it is given.
            num_geometry: Outputs of the density network beside the density.
            density_layers, colour_layers: Hidden layers.
        """
        width = self.config.width
        hidden = _hidden_layers(num_features, width, density_layers)
        self.density_net = nn.Sequential(*hidden, nn.Linear(width, 1 + num_geometry))
        if self.config.light_from_camera:
            self.normal = nn.Linear(num_geometry, 3)
            num_seen += NUM_LIGHT_FEATURES
        self.colour_first = FrameBiasLinear(num_seen, num_told, width)
        hidden = _hidden_layers(width, width, colour_layers - 1)
        self.colour_rest = nn.Sequential(nn.ReLU(inplace=True), *hidden, nn.Linear(width, 3), nn.Sigmoid())

    def bend(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: Any
    ) -> tuple[Float[Tensor, "num_samples 3"], Float[Tensor, "num_samples num_ambient"]]:
        """Return where positions lie in the canonical head's unit box, and their extra coordinates."""
        points = self.normalise(positions)
        if self.deformation is None:
            return points, points[:, :0]
        moved = self.deformation(points, frame_rows, prepared)
        return points + DISPLACEMENT_SCALE * moved[:, :3], moved[:, 3:]

    def decode_density(
        self, features: Float[Tensor, "num_samples num_features"]
    ) -> tuple[Float[Tensor, "num_samples"], tuple[Tensor, Tensor]]:
        """Return density, and the features with the geometry features."""
        outputs = self.density_net(features)
        return self.density_of(outputs[:, 0]), (features, outputs[:, 1:])

    def density_of(self, outputs: Float[Tensor, "num_samples"]) -> Float[Tensor, "num_samples"]:
        """Return the densities that a network's outputs mean."""
        raw = self.density_gain * outputs + self.config.density_bias
        return nn.functional.softplus(raw) * (self.config.density_scale / self.box_length)

    def decode_colour(
        self,
        seen: Sequence[Tensor],
        geometry: Float[Tensor, "num_samples num_geometry"],
        told: Float[Tensor, "num_frames num_told"],
        sample_rotation: Float[Tensor, "num_samples 3 3"],
        frame_rows: Int[Tensor, "num_samples"],
    ) -> Float[Tensor, "num_samples 3"]:
        """Return colours of what a sample's colour network sees and its frame's is told, under the camera's light."""
        light = []
        if self.config.light_from_camera:
            normals = nn.functional.normalize(self.normal(geometry), dim=-1, eps=1e-6)
            light = [light_features(rotate_to_camera(normals, sample_rotation))]
        hidden = self.colour_first(torch.cat([*seen, *light], dim=-1), told, frame_rows)
        return self.colour_rest(hidden)


def _hidden_layers(num_in: int, width: int, count: int) -> List[nn.Module]:
    """Return so many linear layers, each with its ReLU."""
    layers: List[nn.Module] = []
    for number in range(count):
        layers += [nn.Linear(num_in if number == 0 else width, width), nn.ReLU(inplace=True)]
    return layers
