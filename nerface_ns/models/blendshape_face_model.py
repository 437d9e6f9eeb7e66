"""The occupancy-grid model with NeRFBlendShape's losses: the mask at first, patches at last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Literal, Optional, Type

from jaxtyping import Float
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from torch import Tensor

from nerface_ns.model_components.losses import colour_errors
from nerface_ns.model_components.staged_losses import StagedLosses, StagedLossesConfig
from nerface_ns.models.basis_occupancy import density_over_bases
from nerface_ns.models.occ_face_model import OccFaceModel, OccFaceModelConfig


@dataclass
class BlendshapeFaceModelConfig(OccFaceModelConfig):
    """Losses by step, for any radiance field."""

    _target: Type = field(default_factory=lambda: BlendshapeFaceModel)
    """Target class to instantiate."""
    huber_delta: float = 0.0
    """Colour error from which on the photometric loss grows linearly; 0 takes absolute differences (NeRFBlendShape)."""
    matte_weight: float = 0.0
    """Weight of the squared opacity error in all phases, beside the mask loss of the first."""
    staged_losses: StagedLossesConfig = field(default_factory=StagedLossesConfig)
    """What is compared in which phase."""
    occupancy_over: Literal["expressions", "bases"] = "expressions"
    """What refreshes the occupancy grid: "expressions", random ones of the training; "bases", the greatest density over
    all coefficients, each at its own extreme (NeRFBlendShape), at as many times the cost."""


class BlendshapeFaceModel(OccFaceModel):
    """Samples and renders as `OccFaceModel` does; a step's patches come from the data's `PatchPixelSampler`.

    Args:
        config: Settings.
        metadata: The training dataset's metadata.

    Raises:
        ValueError: A weight is out of its range, or the loss on tables is asked for of a field that has none.
    """

    config: BlendshapeFaceModelConfig
    step: int = 0
    """The training step, from which the mask loss knows its phase; one that the field was started anew at is 0."""

    def populate_modules(self) -> None:
        """Build the field, the occupancy grid and the losses."""
        super().populate_modules()
        if self.config.huber_delta < 0:
            raise ValueError(f"huber_delta: expected at least 0, got {self.config.huber_delta}")
        self.staged_losses: StagedLosses = self.config.staged_losses.setup(weights=self.loss_weights)
        weight = self.config.staged_losses.table_weight
        if weight > 0 and not hasattr(self.field, "table_penalty"):
            raise ValueError(
                f"staged_losses.table_weight: expected 0 for {type(self.field).__name__}, which has no tables, "
                f"got {weight}"
            )

    def get_training_callbacks(
        self, training_callback_attributes: TrainingCallbackAttributes
    ) -> List[TrainingCallback]:
        """Check the perceptual loss's weights now rather than at the first patch; follow the step."""
        callbacks = super().get_training_callbacks(training_callback_attributes)
        self.staged_losses.make_ready()

        def follow(step: int) -> None:
            """Remember the step, which decides what the losses weigh."""
            self.step = self.field_age(step)

        before = [TrainingCallbackLocation.BEFORE_TRAIN_ITERATION]
        return [*callbacks, TrainingCallback(before, follow, update_every_num_iters=1)]

    def get_loss_dict(
        self,
        outputs: Dict[str, Tensor],
        batch: Dict[str, Tensor],
        metrics_dict: Optional[Dict[str, Tensor]] = None,
    ) -> Dict[str, Tensor]:
        """Return weighted loss terms of a step."""
        stages, patch_rows = self.staged_losses, batch.get("patch_rows")
        render, truth = self._compared_colours(outputs, batch)
        errors, weights = colour_errors(render, truth, self.config.huber_delta), self.ray_weights(batch)
        photometric = stages.photometric(errors if weights is None else weights * errors, patch_rows)
        losses: Dict[str, Optional[Tensor]] = {"rgb_loss": self.loss_weights["photometric"] * photometric}
        if patch_rows is not None:
            losses["perceptual_loss"] = stages.perceptual(render, truth, patch_rows)
        if "alpha" in batch:
            alpha = batch["alpha"].to(self.device)
            losses["mask_loss"] = stages.mask(self.step, outputs["accumulation"], alpha)
        if self.training and self.loss_weights["table"] > 0:
            penalty: Tensor = self.field.table_penalty()  # type: ignore[operator]
            losses["table_loss"] = self.loss_weights["table"] * penalty
        given = {name: loss for name, loss in losses.items() if loss is not None}
        return {**given, **self._other_losses(outputs, batch)}

    def _density_of_any_expression(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """Density of positions as the occupancy grid shall know it."""
        if self.config.occupancy_over == "bases":
            return density_over_bases(self, positions)
        return super()._density_of_any_expression(positions)
