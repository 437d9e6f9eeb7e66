"""The default field: a canonical head in feature grids, bent by the expression, lit from the camera."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional, Type

import torch
from jaxtyping import Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor, nn

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.conditioning.head_pose import POSE_LENGTH
from nerface_ns.field_components.deformation import BilinearDeformationConfig
from nerface_ns.field_components.feature_grid import FeatureGridConfig
from nerface_ns.field_components.identity_grids import IdentityGrids
from nerface_ns.field_components.torso_frame import TorsoFrame, TorsoFrameConfig
from nerface_ns.fields.feature_field import NUM_GEOMETRY_FEATURES, FeatureField, FeatureFieldConfig


@dataclass
class WarpedGridFieldConfig(FeatureFieldConfig):
    """Canonical feature grids behind a deformation linear in the expression."""

    _target: Type = field(default_factory=lambda: WarpedGridField)
    """Target class to instantiate."""
    canonical_grid: FeatureGridConfig = field(default_factory=FeatureGridConfig)
    """Features of the canonical head."""
    identity_grid: FeatureGridConfig = field(default_factory=lambda: FeatureGridConfig(resolutions=(16, 32, 64)))
    """Each person's own features of the canonical head, where the data show several; without use where one."""
    deformation: InstantiateConfig = field(default_factory=BilinearDeformationConfig)
    """How an expression bends the head."""
    deform_with_pose: bool = True
    """Let the head's pose bend space too, for neck and torso, which do not follow the head."""
    torso: TorsoFrameConfig = field(default_factory=TorsoFrameConfig)
    """Neck and torso that stay where they are while the head turns."""
    num_ambient: int = 4
    """Extra coordinates that the deformation gives each point, for what no bending explains: an opening mouth, a
    closing lid (HyperNeRF, section 3.2)."""
    colour_from_expression: bool = False
    """Tell the colour network the whole expression. Without, an expression acts on a point's colour through the
    deformation alone, by where it moves the point and by the extra coordinates there, so that no corner of the mouth
    tints the hair."""


class _Prepared(NamedTuple):
    deformation: Any
    colour_condition: Tensor
    camera_rotation: Tensor
    identity: Optional[Tensor]
    to_rest: Optional[Tensor]


class WarpedGridField(FeatureField):
    """Deformation to a canonical head, feature grids there, and two small networks.

    Args:
        config: Sizes.
        scene_box: Box that holds the head.
        num_coefficients: Length of the expression.
        code_length: Length of the latent code.
        num_identities: Number of persons.
    """

    config: WarpedGridFieldConfig

    def __init__(
        self,
        config: WarpedGridFieldConfig,
        scene_box: SceneBox,
        num_coefficients: int,
        code_length: int,
        num_identities: int = 1,
    ) -> None:
        super().__init__(config, scene_box, num_coefficients, code_length)
        self.deformation = config.deformation.setup(
            num_coefficients=num_coefficients + (POSE_LENGTH if config.deform_with_pose else 0),
            num_out=3 + config.num_ambient,
        )
        # Runs of before there was a torso have no such setting.
        torso = getattr(config, "torso", None)
        self.torso: Optional[TorsoFrame] = torso.setup() if torso is not None and torso.enabled else None
        self.grid = config.canonical_grid.setup()
        num_features = self.grid.num_features + config.num_ambient
        self.identity_grids = None
        if num_identities > 1:
            self.identity_grids = IdentityGrids(config.identity_grid, num_identities)
            num_features += self.identity_grids.num_features
        num_told = num_coefficients if config.colour_from_expression else 0
        self.make_networks(num_features, num_features + NUM_GEOMETRY_FEATURES, num_told + code_length)
        if not config.light_from_camera:
            self.normal = nn.Linear(NUM_GEOMETRY_FEATURES, 3)  # without use, but checkpoints of such a field hold it

    def prepare(self, condition: FaceCondition) -> _Prepared:
        """Blend the deformation and gather the colour network's condition."""
        bending, told = condition.expression, condition.latent_code
        if self.config.deform_with_pose:
            bending = torch.cat([bending, condition.head_pose], dim=-1)
        if self.config.colour_from_expression:
            told = torch.cat([condition.expression, told], dim=-1)
        to_rest = None if self.torso is None else condition.to_rest
        deformation = self.deformation.prepare(bending)
        return _Prepared(deformation, told, condition.camera_rotation, condition.identity, to_rest)

    def get_density(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: _Prepared
    ) -> tuple[Float[Tensor, "num_samples"], tuple[Tensor, ...]]:
        """Return density, and the canonical features, the geometry features and, if there is one, the torso's share."""
        shares = []
        if self.torso is not None and prepared.to_rest is not None:
            positions, share = self.torso(positions, frame_rows, prepared.to_rest, self.aabb)
            shares.append(share)
        canonical, ambient = self.bend(positions, frame_rows, prepared.deformation)
        features = [self.grid(canonical), ambient]
        if self.identity_grids is not None:
            features.append(self.identity_grids(canonical, frame_rows, prepared.identity))
        density, embedding = self.decode_density(torch.cat(features, dim=-1))
        return density, (*embedding, *shares)

    def get_rgb(
        self,
        directions: Float[Tensor, "num_samples 3"],
        frame_rows: Int[Tensor, "num_samples"],
        prepared: _Prepared,
        embedding: tuple[Tensor, ...],
    ) -> Float[Tensor, "num_samples 3"]:
        """Return colours; they depend on the view only through the light, which stays with the camera."""
        features, geometry, *shares = embedding
        rotation = prepared.camera_rotation
        sample_rotation = rotation[frame_rows]
        if shares and prepared.to_rest is not None:
            # What stands still keeps its light, whichever way the head turns.
            resting = prepared.to_rest[:, :, :3] @ rotation
            sample_rotation = torch.lerp(sample_rotation, resting[frame_rows], shares[0][:, :, None])
        told = prepared.colour_condition
        return self.decode_colour([features, geometry], geometry, told, sample_rotation, frame_rows)
