"""The field of an avatar whose eyes follow a gaze: a face stream and an eye stream (after GazeNeRF)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Type

import torch
from jaxtyping import Float, Int
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor, nn

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.field_components.deformation import BilinearDeformationConfig
from nerface_ns.field_components.feature_grid import FeatureGridConfig
from nerface_ns.field_components.gaze_stream import NUM_GAZE_TERMS, GazeStreamConfig, PreparedGaze
from nerface_ns.fields.feature_field import DISPLACEMENT_SCALE, NUM_GEOMETRY_FEATURES
from nerface_ns.fields.warped_grid_field import WarpedGridField, WarpedGridFieldConfig

EYE_PLACE = 0.55
"""Distance of an eye's centre from the middle, as a share of half the eyes box's width: boxes reach from the outer
corner of one eye to that of the other, with a margin."""
EYE_RADIUS = 0.22
"""Radius of an eyeball in the same unit (12 mm of about 55)."""
REGION_RAMP = 0.15
"""Share of the eyes' region, at each of its faces, over which what gaze does to the face fades out."""


@dataclass
class GazeFieldConfig(WarpedGridFieldConfig):
    """The default field as face stream, with eyes of their own."""

    _target: Type = field(default_factory=lambda: GazeField)
    """Target class to instantiate."""
    eyes: GazeStreamConfig = field(default_factory=GazeStreamConfig)
    """The eye stream."""
    merge: Literal["density", "maximum"] = "density"
    """How a sample's streams become one: features weighed by their densities, which add up; or the greater of each
    number (GazeNeRF)."""
    lids_follow: bool = True
    """Let gaze bend the face within the eyes' region: lids go with the eyes."""
    lids: BilinearDeformationConfig = field(
        default_factory=lambda: BilinearDeformationConfig(grid=FeatureGridConfig(resolutions=(8, 16)), width=16)
    )
    """How it bends."""


class _Bending(NamedTuple):
    """What bends the face: the expression everywhere, the gaze round the eyes."""

    face: Any
    lids: Any
    gaze: PreparedGaze


class GazeField(WarpedGridField):
    """Default field plus two eyeballs, whose gaze reaches only the samples in the eyes' region.

    Until `place_eyes` has said where that is, gaze does nothing.

    Args:
        config: Sizes.
        scene_box: Box that holds the head.
        num_coefficients: Length of the expression.
        code_length: Length of the latent code.
    """

    config: GazeFieldConfig
    region: Tensor

    def __init__(self, config: GazeFieldConfig, scene_box: SceneBox, num_coefficients: int, code_length: int) -> None:
        super().__init__(config, scene_box, num_coefficients, code_length)
        num_features = self.grid.num_features + config.num_ambient
        self.num_outputs = 1 + num_features + NUM_GEOMETRY_FEATURES
        self.eyes = config.eyes.setup(num_out=self.num_outputs)
        self.uncovered = nn.Linear(NUM_GEOMETRY_FEATURES, 1)
        self.lids = None
        if config.lids_follow:
            self.lids = config.lids.setup(num_coefficients=NUM_GAZE_TERMS, num_out=3 + config.num_ambient)
        self.register_buffer("region", torch.zeros(2, 3))

    @property
    def has_eyes(self) -> bool:
        """Whether it is known where the eyes are."""
        return bool((self.region[1] > self.region[0]).all())

    @property
    def eyes_position(self) -> Float[Tensor, "3"]:
        """The middle between both eyes' centres, from where a person looks."""
        return self.eyes.centres.detach().mean(dim=0)

    @torch.no_grad()
    def place_eyes(self, region: Float[Tensor, "2 3"]) -> None:
        """Say where the eyes are.

        Args:
            region: Least and greatest corner, in scene units, of all that gaze may move.

        Raises:
            ValueError: It is empty.
        """
        if not (region[1] > region[0]).all():
            raise ValueError(f"eyes' region: expected the first corner below the second, got {region.tolist()}")
        self.region.copy_(region)
        middle, half_width = region.mean(dim=0), float(region[1, 0] - region[0, 0]) / 2
        aside = middle.new_tensor([EYE_PLACE * half_width, 0.0, 0.0])
        self.eyes.place(torch.stack([middle - aside, middle + aside]), EYE_RADIUS * half_width)

    def prepare(self, condition: FaceCondition) -> Any:
        """Blend both deformations and gather the rest; without a gaze the eyes look ahead."""
        prepared = super().prepare(condition)
        gaze = condition.gaze
        if gaze is None:
            gaze = condition.expression.new_zeros(len(condition.expression), 2)
        eyes = self.eyes.prepare(gaze)
        lids = None if self.lids is None else self.lids.prepare(eyes.terms)
        return prepared._replace(deformation=_Bending(prepared.deformation, lids, eyes))

    def bend(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: Any
    ) -> tuple[Float[Tensor, "num_samples 3"], Float[Tensor, "num_samples num_ambient"]]:
        """Bend by the expression, and round the eyes by the gaze too."""
        canonical, ambient = super().bend(positions, frame_rows, prepared.face)
        if self.lids is None:
            return canonical, ambient
        places = (positions - self.region[0]) / (self.region[1] - self.region[0])
        to_border = torch.minimum(places, 1 - places).amin(dim=-1)
        rows = (to_border > 0).nonzero()[:, 0]
        ramp = (to_border[rows, None] / REGION_RAMP).clamp(max=1)
        moved = ramp * ramp * (3 - 2 * ramp) * self.lids(places[rows], frame_rows[rows], prepared.lids)
        canonical = canonical.index_add(0, rows, DISPLACEMENT_SCALE * moved[:, :3])
        return canonical, ambient.index_add(0, rows, moved[:, 3:])

    def get_density(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: Any
    ) -> tuple[Float[Tensor, "num_samples"], tuple[Tensor, ...]]:
        """Return density, and the merged streams' features and geometry features."""
        density, (features, geometry, *shares) = super().get_density(positions, frame_rows, prepared)
        offsets, is_second, weight = self.eyes.locate(positions)
        rows = (weight > 0).nonzero()[:, 0]
        outputs = self.eyes(offsets[rows], is_second[rows], frame_rows[rows], prepared.deformation.gaze)
        face_density, face = density[rows], torch.cat([features[rows], geometry[rows]], dim=-1)
        # A closing lid covers the eyeball by less than a sample's interval, so the face says how much it covers.
        uncovered = torch.sigmoid(self.uncovered(geometry[rows])[:, 0])
        eye_density = self.density_of(outputs[:, 0]) * weight[rows] * uncovered
        merged_density, merged = self._merge(face_density, face, eye_density, outputs[:, 1:])
        density = density.index_copy(0, rows, merged_density)
        together = torch.cat([features, geometry], dim=-1).index_copy(0, rows, merged)
        return density, (together[:, : features.shape[1]], together[:, features.shape[1] :], *shares)

    def _merge(
        self, face_density: Tensor, face: Tensor, eye_density: Tensor, eye: Tensor
    ) -> tuple[Float[Tensor, "num_samples"], Float[Tensor, "num_samples num_numbers"]]:
        """Make one sample's density and features of two streams'."""
        if self.config.merge == "maximum":
            return torch.maximum(face_density, eye_density), torch.maximum(face, eye)
        total = face_density + eye_density
        share = (eye_density / total.clamp(min=1e-9))[:, None]
        return total, torch.lerp(face, eye, share)
