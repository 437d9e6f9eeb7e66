"""The default field: a canonical head in feature grids, bent by the expression, lit from the camera."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Type

import torch
from jaxtyping import Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor, nn

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.conditioning.head_pose import POSE_LENGTH
from nerface_ns.field_components.deformation import BilinearDeformationConfig
from nerface_ns.field_components.feature_grid import FeatureGridConfig
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
class WarpedGridFieldConfig(FaceFieldConfig):
    """Canonical feature grids behind a deformation linear in the expression."""

    _target: Type = field(default_factory=lambda: WarpedGridField)
    """Target class to instantiate."""
    canonical_grid: FeatureGridConfig = field(default_factory=FeatureGridConfig)
    """Features of the canonical head."""
    deformation: InstantiateConfig = field(default_factory=BilinearDeformationConfig)
    """How an expression bends the head."""
    deform_with_pose: bool = True
    """Let the head's pose bend space too, for neck and torso, which do not follow the head."""
    num_ambient: int = 4
    """Extra coordinates that the deformation gives each point, for what no bending explains: an opening mouth, a
    closing lid (HyperNeRF, section 3.2)."""
    width: int = 64
    """Units of the density and colour networks' hidden layers."""
    density_scale: float = 48.0
    """Density per length of the scene box for a softplus of 1: 1/64 of the box is then half opaque."""
    density_bias: float = 0.5
    """Number before the softplus at the start: an opaque head, from which training carves, needs few samples."""
    colour_from_expression: bool = False
    """Tell the colour network the whole expression. Without, an expression acts on a point's colour through the
    deformation alone, by where it moves the point and by the extra coordinates there, so that no corner of the mouth
    tints the hair."""
    light_from_camera: bool = True
    """Let colour depend on a learned normal in the camera's axes, which carries over to views never trained."""


class _Prepared(NamedTuple):
    deformation: Any
    colour_condition: Tensor
    camera_rotation: Tensor


class WarpedGridField(FaceField):
    """Deformation to a canonical head, feature grids there, and two small networks.

    Args:
        config: Sizes.
        scene_box: Box that holds the head.
        num_coefficients: Length of the expression.
        code_length: Length of the latent code.
    """

    config: WarpedGridFieldConfig

    def __init__(
        self, config: WarpedGridFieldConfig, scene_box: SceneBox, num_coefficients: int, code_length: int
    ) -> None:
        super().__init__(config, scene_box, num_coefficients, code_length)
        self.deformation = config.deformation.setup(
            num_coefficients=num_coefficients + (POSE_LENGTH if config.deform_with_pose else 0),
            num_out=3 + config.num_ambient,
        )
        self.box_length = float((scene_box.aabb[1] - scene_box.aabb[0]).max())
        self.grid = config.canonical_grid.setup()
        num_features = self.grid.num_features + config.num_ambient
        self.density_net = nn.Sequential(
            nn.Linear(num_features, config.width), nn.ReLU(), nn.Linear(config.width, 1 + NUM_GEOMETRY_FEATURES)
        )
        self.normal = nn.Linear(NUM_GEOMETRY_FEATURES, 3)
        num_colour = num_features + NUM_GEOMETRY_FEATURES + (NUM_LIGHT_FEATURES if config.light_from_camera else 0)
        num_told = num_coefficients if config.colour_from_expression else 0
        self.colour_first = FrameBiasLinear(num_colour, num_told + code_length, config.width)
        self.colour_rest = nn.Sequential(
            nn.ReLU(), nn.Linear(config.width, config.width), nn.ReLU(), nn.Linear(config.width, 3), nn.Sigmoid()
        )

    def prepare(self, condition: FaceCondition) -> _Prepared:
        """Blend the deformation and gather the colour network's condition."""
        bending, told = condition.expression, condition.latent_code
        if self.config.deform_with_pose:
            bending = torch.cat([bending, condition.head_pose], dim=-1)
        if self.config.colour_from_expression:
            told = torch.cat([condition.expression, told], dim=-1)
        return _Prepared(self.deformation.prepare(bending), told, condition.camera_rotation)

    def get_density(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: _Prepared
    ) -> tuple[Float[Tensor, "num_samples"], tuple[Tensor, Tensor]]:
        """Return density, and the canonical features with the geometry features."""
        points = self.normalise(positions)
        moved = self.deformation(points, frame_rows, prepared.deformation)
        canonical = points + DISPLACEMENT_SCALE * moved[:, :3]
        features = torch.cat([self.grid(canonical), moved[:, 3:]], dim=-1)
        outputs = self.density_net(features)
        raw = DENSITY_GAIN * outputs[:, 0] + self.config.density_bias
        density = nn.functional.softplus(raw) * (self.config.density_scale / self.box_length)
        return density, (features, outputs[:, 1:])

    def get_rgb(
        self,
        directions: Float[Tensor, "num_samples 3"],
        frame_rows: Int[Tensor, "num_samples"],
        prepared: _Prepared,
        embedding: tuple[Tensor, Tensor],
    ) -> Float[Tensor, "num_samples 3"]:
        """Return colours; they depend on the view only through the light, which stays with the camera."""
        features, geometry = embedding
        inputs = [features, geometry]
        if self.config.light_from_camera:
            normals = nn.functional.normalize(self.normal(geometry), dim=-1, eps=1e-6)
            inputs.append(light_features(rotate_to_camera(normals, prepared.camera_rotation[frame_rows])))
        hidden = self.colour_first(torch.cat(inputs, dim=-1), prepared.colour_condition, frame_rows)
        return self.colour_rest(hidden)
