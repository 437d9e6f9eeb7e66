"""Which numbers of this package's model are which entries of NerFace's checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from nerface_ns.original.network_layout import NetworkSizes, network_layout
from nerface_ns.original.original_checkpoint import OriginalCheckpoint
from nerface_ns.original.parameter_layout import OriginalImage, OriginalParameter, Part


@dataclass(frozen=True)
class CheckpointLayout:
    """Everything in a checkpoint that a model holds."""

    coarse: tuple[OriginalParameter, ...]
    fine: tuple[OriginalParameter, ...]
    latent_codes: OriginalParameter
    background: OriginalImage

    @property
    def optimised(self) -> tuple[OriginalParameter, ...]:
        """Parameters in the order in which NerFace's training script hands them to Adam."""
        return (*self.coarse, *self.fine, self.latent_codes, self.background)

    def split(self, checkpoint: OriginalCheckpoint) -> dict[str, Tensor]:
        """Return the model's tensors by name."""
        tensors: dict[str, Tensor] = {}
        for parameters, network in ((self.coarse, checkpoint.coarse), (self.fine, checkpoint.fine)):
            for parameter in parameters:
                tensors.update(parameter.split(network[parameter.name]))
        tensors.update(self.latent_codes.split(checkpoint.latent_codes))
        if checkpoint.background is not None:
            tensors.update(self.background.split(checkpoint.background))
        return tensors

    def join(
        self, tensors: Mapping[str, Tensor], iteration: int, has_background: bool, **entries: Any
    ) -> OriginalCheckpoint:
        """Return a checkpoint of the model's tensors; the inverse of `split`.

        Args:
            tensors: The model's, by name.
            iteration: The iteration after which it is saved.
            has_background: Whether rays end in the background.
            entries: The checkpoint's other fields.
        """
        return OriginalCheckpoint(
            iteration=iteration,
            coarse={parameter.name: parameter.join(tensors) for parameter in self.coarse},
            fine={parameter.name: parameter.join(tensors) for parameter in self.fine},
            latent_codes=self.latent_codes.join(tensors),
            background=self.background.join(tensors) if has_background else None,
            **entries,
        )


def checkpoint_layout(
    coarse: NetworkSizes,
    fine: NetworkSizes,
    num_frames: int,
    image_size: tuple[int, int],
    position_is_mirrored: bool,
    direction_is_mirrored: bool,
) -> CheckpointLayout:
    """Lay a checkpoint out; see `network_layout` for what mirrored means.

    Args:
        coarse, fine: Sizes of the networks.
        num_frames: Training frames.
        image_size: Height and width of the background.
        position_is_mirrored: Whether the networks' world is this package's mirrored in x.
        direction_is_mirrored: Whether the networks' direction is a vector of that mirrored world.
    """
    return CheckpointLayout(
        coarse=network_layout(coarse, "coarse_field.", position_is_mirrored, direction_is_mirrored),
        fine=network_layout(fine, "fine_field.", position_is_mirrored, direction_is_mirrored),
        latent_codes=OriginalParameter("latent_codes", (num_frames, coarse.code_length), (Part("latent_codes.codes"),)),
        background=OriginalImage("background", (*image_size, 3), (Part("background.image"),)),
    )
