"""Field of the blendshape avatar: feature tables blended by the expression, and two small networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, List, Literal, NamedTuple, Tuple, Type

import torch
from jaxtyping import Float, Int
from nerfstudio.data.scene_box import SceneBox
from nerfstudio.utils.math import components_from_spherical_harmonics
from torch import Tensor, nn

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.conditioning.head_pose import POSE_LENGTH
from nerface_ns.field_components.blended_tables import BlendedFrames, BlendedTablesConfig
from nerface_ns.field_components.deformation import BilinearDeformationConfig
from nerface_ns.field_components.per_frame_linear import FrameBiasLinear
from nerface_ns.field_components.shading import NUM_LIGHT_FEATURES, light_features, rotate_to_camera
from nerface_ns.fields.base_face_field import FaceField, FaceFieldConfig

DISPLACEMENT_SCALE = 0.3
"""Displacement of a point, as a share of the scene box, for a deformation output of 1."""
HIGHEST_DEGREE = 5
"""Degrees of spherical harmonics that nerfstudio computes."""


@dataclass
class BlendshapeFieldConfig(FaceFieldConfig):
    """Blended tables. The release's networks are deeper: 4 density layers, 64 geometry features, 1 colour layer."""

    _target: Type = field(default_factory=lambda: BlendshapeField)
    """Target class to instantiate."""
    tables: BlendedTablesConfig = field(default_factory=BlendedTablesConfig)
    """The tables."""
    warp: Literal["none", "pose", "expression"] = "pose"
    """What bends space before the lookup: nothing (NeRFBlendShape); the head's pose, for neck and torso, which do not
    follow the head; or the expression as well."""
    deformation: BilinearDeformationConfig = field(default_factory=BilinearDeformationConfig)
    """How it bends."""
    width: int = 64
    """Units of the networks' hidden layers."""
    density_layers: int = 1
    """Hidden layers of the density network."""
    colour_layers: int = 2
    """Hidden layers of the colour network."""
    num_geometry_features: int = 15
    """Outputs of the density network beside the density, from which the colour is made."""
    direction_degree: int = 4
    """Degrees of spherical harmonics of the view direction that colour sees, so many squared; 0 for none."""
    colour_from_features: bool = True
    """Let colour see the blended features beside what the density network makes of them (NeRFBlendShape: not)."""
    light_from_camera: bool = True
    """Let colour depend on a learned normal in the camera's axes, which carries over to views never trained."""
    density_scale: float = 48.0
    """Density per length of the scene box for a softplus of 1: 1/64 of the box is then half opaque."""
    density_gain: float = 4.0
    """Factor on the density network's output, so that surfaces harden within the first hundred steps."""
    density_bias: float = 0.5
    """Number before the softplus at the start: an opaque head, from which training carves, needs few samples."""
    axis_order: Tuple[int, int, int] = (0, 1, 2)
    """Axes of the scene that the tables and the harmonics take for x, y and z (NeRFBlendShape: 1, 2, 0)."""


class _Prepared(NamedTuple):
    frames: BlendedFrames
    deformation: Any
    latent_code: Tensor
    camera_rotation: Tensor


class BlendshapeField(FaceField):
    """Density and colour from the features of a table that is blended once per frame.

    The density has one activation, a softplus, wherever it is asked for; the release renders with a softplus and
    refreshes its occupancy grid with a ReLU. The expression acts through the tables (and the warp) alone; the latent
    code enters the colour network.

    Args:
        config: Sizes.
        scene_box: Box that holds the head.
        num_coefficients: Length of the expression.
        code_length: Length of the latent code.

    Raises:
        ValueError: A network without layers, harmonics of a degree that nobody computes, or axes that are none.
    """

    config: BlendshapeFieldConfig

    def __init__(
        self, config: BlendshapeFieldConfig, scene_box: SceneBox, num_coefficients: int, code_length: int
    ) -> None:
        super().__init__(config, scene_box, num_coefficients, code_length)
        if config.density_layers < 1 or config.colour_layers < 1:
            raise ValueError(f"density_layers, colour_layers: expected at least 1 of each, got {config}")
        if not 0 <= config.direction_degree <= HIGHEST_DEGREE:
            raise ValueError(f"direction_degree: expected 0..{HIGHEST_DEGREE}, got {config.direction_degree}")
        if sorted(config.axis_order) != [0, 1, 2]:
            raise ValueError(f"axis_order: expected 0, 1 and 2 in some order, got {config.axis_order}")
        self.axis_order = list(config.axis_order)
        self.is_reordered = self.axis_order != [0, 1, 2]
        self.tables = config.tables.setup(num_coefficients=num_coefficients)
        self.deformation = None
        if config.warp != "none":
            num_bending = POSE_LENGTH + (num_coefficients if config.warp == "expression" else 0)
            self.deformation = config.deformation.setup(num_coefficients=num_bending, num_out=3)
        self.box_length = float((scene_box.aabb[1] - scene_box.aabb[0]).max())
        num_geometry = config.num_geometry_features
        self.density_net = nn.Sequential(
            *_hidden_layers(self.tables.num_features, config.width, config.density_layers),
            nn.Linear(config.width, 1 + num_geometry),
        )
        num_colour = num_geometry + config.direction_degree**2
        if config.colour_from_features:
            num_colour += self.tables.num_features
        if config.light_from_camera:
            self.normal = nn.Linear(num_geometry, 3)
            num_colour += NUM_LIGHT_FEATURES
        self.colour_first = FrameBiasLinear(num_colour, code_length, config.width)
        self.colour_rest = nn.Sequential(
            nn.ReLU(),
            *_hidden_layers(config.width, config.width, config.colour_layers - 1),
            nn.Linear(config.width, 3),
            nn.Sigmoid(),
        )

    def prepare(self, condition: FaceCondition) -> _Prepared:
        """Blend the tables and the deformation of each frame."""
        deformation = None
        if self.deformation is not None:
            bending = condition.head_pose
            if self.config.warp == "expression":
                bending = torch.cat([condition.expression, bending], dim=-1)
            deformation = self.deformation.prepare(bending)
        frames = self.tables.prepare(condition.expression)
        return _Prepared(frames, deformation, condition.latent_code, condition.camera_rotation)

    def get_density(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: _Prepared
    ) -> tuple[Float[Tensor, "num_samples"], tuple[Tensor, Tensor]]:
        """Return density, and the blended features with the geometry features."""
        points = self.normalise(positions)
        if self.deformation is not None:
            points = points + DISPLACEMENT_SCALE * self.deformation(points, frame_rows, prepared.deformation)
        features = self.tables(self._reorder(points), frame_rows, prepared.frames)
        outputs = self.density_net(features)
        raw = self.config.density_gain * outputs[:, 0] + self.config.density_bias
        density = nn.functional.softplus(raw) * (self.config.density_scale / self.box_length)
        return density, (features, outputs[:, 1:])

    def get_rgb(
        self,
        directions: Float[Tensor, "num_samples 3"],
        frame_rows: Int[Tensor, "num_samples"],
        prepared: _Prepared,
        embedding: tuple[Tensor, Tensor],
    ) -> Float[Tensor, "num_samples 3"]:
        """Return colours as seen along view directions, under a light that stays with the camera."""
        features, geometry = embedding
        inputs = [features, geometry] if self.config.colour_from_features else [geometry]
        if self.config.direction_degree > 0:
            seen_along = self._reorder(directions)
            inputs.append(components_from_spherical_harmonics(self.config.direction_degree, seen_along))
        if self.config.light_from_camera:
            normals = nn.functional.normalize(self.normal(geometry), dim=-1, eps=1e-6)
            inputs.append(light_features(rotate_to_camera(normals, prepared.camera_rotation[frame_rows])))
        hidden = self.colour_first(torch.cat(inputs, dim=-1), prepared.latent_code, frame_rows)
        return self.colour_rest(hidden)

    def _reorder(self, vectors: Float[Tensor, "num_samples 3"]) -> Float[Tensor, "num_samples 3"]:
        """Order coordinates as the tables know them."""
        return vectors[:, self.axis_order] if self.is_reordered else vectors

    def table_penalty(self) -> Float[Tensor, ""]:
        """Mean absolute entry of the expression's tables; see `BlendedTables.table_penalty`."""
        return self.tables.table_penalty()


def _hidden_layers(num_in: int, width: int, count: int) -> List[nn.Module]:
    """Return so many linear layers, each with its ReLU."""
    layers: List[nn.Module] = []
    for number in range(count):
        layers += [nn.Linear(num_in if number == 0 else width, width), nn.ReLU()]
    return layers
