"""The eye stream: eyeballs whose features are turned by the gaze (after GazeNeRF, Ruzzi et al. 2022, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Optional, Type

import torch
from jaxtyping import Bool, Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor, nn

from nerface_ns.conditioning.gaze import gaze_rotation
from nerface_ns.field_components.feature_grid import FeatureGrid, FeatureGridConfig
from nerface_ns.field_components.per_frame_linear import FrameBiasLinear, frame_counts, per_frame_matmul

NUM_EYES = 2
"""The person's right eye, at smaller x, then the left one."""
NUM_GAZE_TERMS = 5
"""Length of `gaze_terms`."""
GAZE_UNIT = 0.4
"""Radians that count as 1 where gaze enters a network: what eyes turn aside in a usual recording."""
BLUR = 0.25
"""Share of the eyes' reach over which their density fades out."""

UNPLACED = 1e-9
"""Radius of eyeballs before it is known where they are: no sample meets them."""


def gaze_terms(gaze: Float[Tensor, "num_frames 2"]) -> Float[Tensor, "num_frames 5"]:
    """Return gaze as coefficients: pitch, yaw and their products, as lids follow eyes up and down differently."""
    pitch, yaw = (gaze / GAZE_UNIT).unbind(-1)
    return torch.stack([pitch, yaw, pitch * pitch, yaw * yaw, pitch * yaw], dim=-1)


def turn_vectors(
    features: Float[Tensor, "num_samples length"],
    rotations: Float[Tensor, "num_frames 3 3"],
    frame_rows: Int[Tensor, "num_samples"],
) -> Float[Tensor, "num_samples length"]:
    """Turn features, taken as 3-vectors one after the other, back by their frame's rotation: R^T v.

    So a vector that belongs to an eye is told in the eye's own axes, in which an eye that looks ahead lies.

    Args:
        features: Ordered by frame; their length is a multiple of 3.
        rotations: Of each frame.
        frame_rows: Frame of each sample, never falling.
    """
    vectors = features.reshape(-1, 3)
    counts = [count * (features.shape[1] // 3) for count in frame_counts(frame_rows, len(rotations))]
    return per_frame_matmul(vectors, rotations, counts).reshape(features.shape)


@dataclass
class GazeStreamConfig(InstantiateConfig):
    """Sizes of the eye stream."""

    _target: Type = field(default_factory=lambda: GazeStream)
    """Target class to instantiate."""
    gaze_as: Literal["rotation", "condition"] = "rotation"
    """"rotation": features are 3-vectors, which the gaze turns (GazeNeRF); "condition": gaze is told to the network as
    numbers, for comparison."""
    rigid_eyeballs: bool = True
    """Look features up where they would be in an eye that looks ahead, too: an eyeball turns as a whole about its
    centre. Only with "rotation"."""
    vectors: FeatureGridConfig = field(default_factory=lambda: FeatureGridConfig(resolutions=(16,), channels=6))
    """Features that stay in place; their number is a multiple of 3."""
    eyeballs: FeatureGridConfig = field(default_factory=lambda: FeatureGridConfig(resolutions=(16, 32), channels=4))
    """Features that turn with the eyes."""
    width: int = 32
    """Units of the hidden layer."""
    reach: float = 1.6
    """Radius of the balls in which the stream is asked, in radii of an eyeball: it holds the eyeball, and room for an
    error of its place."""


class PreparedGaze(NamedTuple):
    """What a frame's gaze decides."""

    rotations: Float[Tensor, "num_frames 3 3"]
    """From an eye that looks ahead to the frame's."""
    terms: Float[Tensor, "num_frames 5"]
    """See `gaze_terms`."""


class GazeStream(nn.Module):
    """Two eyeballs about learned centres.

    Args:
        config: Sizes.
        num_out: Numbers per sample.

    Raises:
        ValueError: The features do not make 3-vectors.
    """

    base: Tensor
    radius: Tensor

    def __init__(self, config: GazeStreamConfig, num_out: int) -> None:
        super().__init__()
        self.config = config
        self.vectors: FeatureGrid = config.vectors.setup()
        if self.vectors.num_features % 3 != 0:
            raise ValueError(f"vectors: expected a multiple of 3 features, got {self.vectors.num_features}")
        self.turns = config.gaze_as == "rotation"
        self.eyeballs: Optional[FeatureGrid] = config.eyeballs.setup() if self.turns and config.rigid_eyeballs else None
        num_turned = 0 if self.eyeballs is None else self.eyeballs.num_features
        num_told = 0 if self.turns else NUM_GAZE_TERMS
        num_features = 3 + self.vectors.num_features + num_turned
        self.first = FrameBiasLinear(num_features, num_told, config.width)
        self.last = nn.Linear(config.width, num_out)
        self.shift = nn.Parameter(torch.zeros(NUM_EYES, 3))
        self.register_buffer("base", torch.zeros(NUM_EYES, 3))
        self.register_buffer("radius", torch.tensor(UNPLACED))

    def place(self, centres: Float[Tensor, "2 3"], radius: float) -> None:
        """Say where the eyeballs are, about; training moves their centres.

        Args:
            centres: Of the eye at smaller x, and the other.
            radius: Of an eyeball.
        """
        self.base.copy_(centres)
        self.radius.fill_(radius)

    @property
    def centres(self) -> Float[Tensor, "2 3"]:
        """Where the eyeballs' centres are, in scene units."""
        return self.base + self.radius * self.shift

    def prepare(self, gaze: Float[Tensor, "num_frames 2"]) -> PreparedGaze:
        """Compute what gaze alone decides."""
        return PreparedGaze(gaze_rotation(gaze), gaze_terms(gaze))

    def locate(
        self, positions: Float[Tensor, "num_samples 3"]
    ) -> tuple[Float[Tensor, "num_samples 3"], Bool[Tensor, "num_samples"], Float[Tensor, "num_samples"]]:
        """Return offsets from the nearer eye's centre in radii, whether that is the second eye, and a weight.

        The weight is 1 at an eyeball and falls to 0 at the end of the reach.
        """
        centres = self.centres
        is_second = positions[:, 0] > (centres[0, 0] + centres[1, 0]) / 2
        offsets = (positions - torch.where(is_second[:, None], centres[1], centres[0])) / self.radius
        fade = ((1 - offsets.detach().norm(dim=-1) / self.config.reach) / BLUR).clamp(0, 1)
        return offsets, is_second, fade * fade * (3 - 2 * fade)

    def forward(
        self,
        offsets: Float[Tensor, "num_samples 3"],
        is_second: Bool[Tensor, "num_samples"],
        frame_rows: Int[Tensor, "num_samples"],
        prepared: PreparedGaze,
    ) -> Float[Tensor, "num_samples num_out"]:
        """Return the head's numbers of samples, given as `locate` does and ordered by frame."""
        vectors = torch.cat([offsets, self.vectors(self._grid_points(offsets, is_second))], dim=-1)
        features = [vectors]
        if self.turns:
            turned = turn_vectors(vectors, prepared.rotations, frame_rows)
            features = [turned]
            if self.eyeballs is not None:
                features.append(self.eyeballs(self._grid_points(turned[:, :3], is_second)))
        hidden = self.first(torch.cat(features, dim=-1), prepared.terms, frame_rows)
        return self.last(torch.relu(hidden))

    def _grid_points(self, offsets: Tensor, is_second: Tensor) -> Float[Tensor, "num_samples 3"]:
        """Map both eyes' surroundings side by side, along x, into the unit box of one grid."""
        points = (offsets / self.config.reach + 1) / 2
        return torch.cat([(points[:, :1] + is_second[:, None]) / 2, points[:, 1:]], dim=-1)
