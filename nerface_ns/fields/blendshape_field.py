"""Field of the blendshape avatar: feature tables blended by the expression, and two small networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Tuple, Type

import torch
from jaxtyping import Float, Int
from nerfstudio.data.scene_box import SceneBox
from nerfstudio.utils.math import components_from_spherical_harmonics
from torch import Tensor

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.conditioning.head_pose import POSE_LENGTH
from nerface_ns.field_components.blended_tables import BlendedFrames, BlendedTablesConfig
from nerface_ns.field_components.deformation import BilinearDeformationConfig
from nerface_ns.fields.feature_field import DENSITY_GAIN, NUM_GEOMETRY_FEATURES, FeatureField, FeatureFieldConfig

HIGHEST_DEGREE = 5
"""Degrees of spherical harmonics that nerfstudio computes."""


@dataclass
class BlendshapeFieldConfig(FeatureFieldConfig):
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
    num_ambient: int = 0
    """Extra coordinates that a warp gives each point beside where it moves it; see `WarpedGridFieldConfig`."""
    density_layers: int = 1
    """Hidden layers of the density network."""
    colour_layers: int = 2
    """Hidden layers of the colour network."""
    num_geometry_features: int = NUM_GEOMETRY_FEATURES
    """Outputs of the density network beside the density, from which the colour is made."""
    direction_degree: int = 4
    """Degrees of spherical harmonics of the view direction that colour sees, so many squared; 0 for none."""
    colour_from_features: bool = True
    """Let colour see the blended features beside what the density network makes of them (NeRFBlendShape: not)."""
    density_gain: float = DENSITY_GAIN
    """Factor on the density network's output, so that surfaces harden within the first hundred steps."""
    axis_order: Tuple[int, int, int] = (0, 1, 2)
    """Axes of the scene that the tables and the harmonics take for x, y and z (NeRFBlendShape: 1, 2, 0)."""


class _Prepared(NamedTuple):
    frames: BlendedFrames
    deformation: Any
    latent_code: Tensor
    camera_rotation: Tensor


class BlendshapeField(FeatureField):
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
        self.density_gain = config.density_gain
        self.axis_order = list(config.axis_order)
        self.is_reordered = self.axis_order != [0, 1, 2]
        self.tables = config.tables.setup(num_coefficients=num_coefficients)
        self.deformation, num_features = None, self.tables.num_features
        if config.warp != "none":
            num_bending = POSE_LENGTH + (num_coefficients if config.warp == "expression" else 0)
            num_out = 3 + config.num_ambient
            self.deformation = config.deformation.setup(num_coefficients=num_bending, num_out=num_out)
            num_features += config.num_ambient
        num_geometry = config.num_geometry_features
        num_seen = num_geometry + config.direction_degree**2 + (num_features if config.colour_from_features else 0)
        depths = config.density_layers, config.colour_layers
        self.make_networks(num_features, num_seen, code_length, num_geometry, *depths)

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
        canonical, ambient = self.bend(positions, frame_rows, prepared.deformation)
        features = self.tables(self._reorder(canonical), frame_rows, prepared.frames)
        return self.decode_density(torch.cat([features, ambient], dim=-1))

    def get_rgb(
        self,
        directions: Float[Tensor, "num_samples 3"],
        frame_rows: Int[Tensor, "num_samples"],
        prepared: _Prepared,
        embedding: tuple[Tensor, Tensor],
    ) -> Float[Tensor, "num_samples 3"]:
        """Return colours as seen along view directions, under a light that stays with the camera."""
        features, geometry = embedding
        seen = [features, geometry] if self.config.colour_from_features else [geometry]
        if self.config.direction_degree > 0:
            along = self._reorder(directions)
            seen.append(components_from_spherical_harmonics(self.config.direction_degree, along))
        told, rotation = prepared.latent_code, prepared.camera_rotation
        return self.decode_colour(seen, geometry, told, rotation[frame_rows], frame_rows)

    def _reorder(self, vectors: Float[Tensor, "num_samples 3"]) -> Float[Tensor, "num_samples 3"]:
        """Order coordinates as the tables know them."""
        return vectors[:, self.axis_order] if self.is_reordered else vectors

    def table_penalty(self) -> Float[Tensor, ""]:
        """Mean absolute entry of the expression's tables; see `BlendedTables.table_penalty`."""
        return self.tables.table_penalty()
