"""The training frames' cameras: as they were tracked, and as a training with camera refinement left them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class TrainingCameras:
    """`Cameras` of the training frames, on the CPU, in the model's world."""

    tracked: Any
    """As the data have them."""
    refined: Optional[Any]
    """As training left them; None where the run has no camera refinement."""

    @classmethod
    def of(cls, pipeline: Any) -> TrainingCameras:
        """Return those of a pipeline whose model is one of this package's."""
        tracked = pipeline.datamanager.train_dataset.cameras.to("cpu")
        refined = pipeline.model.refined_cameras(tracked)
        return cls(tracked, None if refined is None else refined.to("cpu"))

    @property
    def best(self) -> Any:
        """Refined ones where there are any: the model's picture of the recording is sharpest from there."""
        return self.tracked if self.refined is None else self.refined

    def changes(self) -> Dict[str, float]:
        """Return how far refinement moved the cameras: mean and largest turn and shift, and the focal length's factor.

        Turns are in degrees, shifts in scene units.
        """
        if self.refined is None:
            return {}
        before, after = self.tracked.camera_to_worlds, self.refined.camera_to_worlds
        turn = rotation_angle_deg(before[:, :, :3], after[:, :, :3])
        shift = (after[:, :, 3] - before[:, :, 3]).norm(dim=-1)
        focal = (self.refined.fx / self.tracked.fx).mean()
        return {
            "mean_turn_deg": float(turn.mean()),
            "max_turn_deg": float(turn.max()),
            "mean_shift": float(shift.mean()),
            "max_shift": float(shift.max()),
            "focal_factor": float(focal),
        }


def rotation_angle_deg(
    first: Float[Tensor, "num_cameras 3 3"], second: Float[Tensor, "num_cameras 3 3"]
) -> Float[Tensor, " num_cameras"]:
    """Return the angle of the turn between rotations; exact for small ones, where the cosine says nothing."""
    difference = (first.double() - second.double()).flatten(1).norm(dim=-1)
    return torch.rad2deg(2 * torch.arcsin((difference / 8**0.5).clamp(max=1))).float()
