"""What a model needs of a radiance field of a face."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, List, Tuple, Type

from jaxtyping import Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor, nn
from torch.nn import Parameter

from nerface_ns.conditioning.face_condition import FaceCondition


@dataclass
class FaceFieldConfig(InstantiateConfig):
    """Settings of every radiance field of a face."""

    _target: Type = field(default_factory=lambda: FaceField)
    """Target class to instantiate."""


class FaceField(nn.Module):
    """Density and colour in head space under the conditions of a few frames.

    Samples come in any number from several frames, ORDERED by frame; `frame_rows` names each sample's row in the
    condition. Work that depends on the frame alone is done once per frame in `prepare`.

    Args:
        config: Settings of the field.
        scene_box: Box that holds the head.
        num_coefficients: Length of the expression.
        code_length: Length of the latent code.
    """

    aabb: Tensor
    colour_modules: Tuple[str, ...] = ()
    """Names of the modules on which colours depend and density does not."""

    def __init__(self, config: FaceFieldConfig, scene_box: SceneBox, num_coefficients: int, code_length: int) -> None:
        super().__init__()
        self.config = config
        self.num_coefficients = num_coefficients
        self.code_length = code_length
        self.register_buffer("aabb", scene_box.aabb.clone().float())

    def normalise(self, positions: Float[Tensor, "num_samples 3"]) -> Float[Tensor, "num_samples 3"]:
        """Map the scene box to [0, 1]^3."""
        return (positions - self.aabb[0]) / (self.aabb[1] - self.aabb[0])

    def colour_parameters(self) -> List[Parameter]:
        """Return the parameters on which colours depend and density does not."""
        modules = [getattr(self, name) for name in self.colour_modules if hasattr(self, name)]
        return [parameter for module in modules for parameter in module.parameters()]

    def prepare(self, condition: FaceCondition) -> Any:
        """Compute whatever the frames alone decide; handed on to `get_density` and `get_rgb`."""
        return condition

    @abstractmethod
    def get_density(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: Any
    ) -> tuple[Float[Tensor, "num_samples"], Any]:
        """Return density (at least 0, per scene unit) and what `get_rgb` goes on from."""

    def get_lean_density(
        self, positions: Float[Tensor, "num_samples 3"], frame_rows: Int[Tensor, "num_samples"], prepared: Any
    ) -> tuple[Float[Tensor, "num_samples"], Any]:
        """Return density, and something from which `get_embedding` makes what `get_rgb` goes on from.

        For many samples of which few are coloured: a field may leave to `get_embedding` what only colours need.
        """
        return self.get_density(positions, frame_rows, prepared)

    def get_embedding(self, lean: Any) -> Any:
        """Return what `get_rgb` goes on from, of some of the samples that `get_lean_density` was given."""
        return lean

    @abstractmethod
    def get_rgb(
        self,
        directions: Float[Tensor, "num_samples 3"],
        frame_rows: Int[Tensor, "num_samples"],
        prepared: Any,
        embedding: Any,
    ) -> Float[Tensor, "num_samples 3"]:
        """Return colours in [0, 1] as seen along unit directions in head space."""
