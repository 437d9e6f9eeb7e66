"""The part of a face's model in which the training frames' cameras and expressions learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from torch import Tensor
from torch.nn import Module, Parameter

from nerface_ns.conditioning import keys
from nerface_ns.model_components.camera_overlap import check_overlap
from nerface_ns.model_components.camera_refinement import CameraRefinement, CameraRefinementConfig, start_poses
from nerface_ns.model_components.expression_corrections import ExpressionCorrections, ExpressionCorrectionsConfig
from nerface_ns.model_components.refine_schedule import RefineSchedule, RefineScheduleConfig

if TYPE_CHECKING:
    from nerfstudio.models.base_model import Model

    from nerface_ns.conditioning.head_pose import HeadPoseEncoding
    from nerface_ns.model_components.loss_weights import LossWeights
    from nerface_ns.model_components.schedules import TrainingProgress

    _Base = Model
else:
    _Base = object

KEPT = ("camera_optimizer.", "expression_corrections.", "background.", "refine_schedule.", "occupancy.allowed")
"""Beginnings of the names of what lives through the drop of the field: also where carving found nothing."""

EXPECTED_TURN = 0.2
"""Radians by which a head is expected to turn where its poses are not known."""
EXPECTED_SHIFT = 0.3
"""Head radii by which it is expected to move."""


@dataclass
class RefinementConfig:
    """Settings that every face's model has of what may learn with its field."""

    camera_refinement: CameraRefinementConfig = field(default_factory=CameraRefinementConfig)
    """Poses and lens of the training frames that learn with the field."""
    expression_corrections: ExpressionCorrectionsConfig = field(default_factory=ExpressionCorrectionsConfig)
    """Corrections of the training frames' expressions."""
    refine_schedule: RefineScheduleConfig = field(default_factory=RefineScheduleConfig)
    """When to start the field anew with the cameras found so far."""


class FrameRefinement(_Base):
    """Mixed into models: cameras, expressions and the schedule of their refinement, each only where it is asked for."""

    if TYPE_CHECKING:
        head_pose_encoding: HeadPoseEncoding
        loss_weights: LossWeights
        train_camera_to_world: Tensor
        training_progress: TrainingProgress

    def start_poses(self, metadata: Mapping[str, Any]) -> Tensor:
        """Return the training frames' cameras (n, 3, 4) before any refinement."""
        tracked, times = metadata[keys.TRAIN_CAMERA_TO_WORLD].float(), metadata[keys.TRAIN_TIMES]
        return start_poses(refinement_settings(self.config)[0], tracked, times)

    def populate_refinement(self, metadata: Mapping[str, Any]) -> None:
        """Build what the settings enable; nothing is registered otherwise, so that checkpoints stay as they are.

        The viewer moves the training cameras by `camera_optimizer`, a name that nerfstudio knows.
        """
        cameras, expressions, schedule = refinement_settings(self.config)
        if cameras.enabled:
            tracked = metadata[keys.TRAIN_CAMERA_TO_WORLD].float()
            if cameras.initialisation == "tracked":
                names = metadata.get("frame_names")
                check_overlap(tracked, metadata["train_intrinsics"], metadata["image_size"], self.scene_box.aabb, names)
            self.camera_optimizer = cameras.setup(camera_to_world=tracked, times=metadata[keys.TRAIN_TIMES])
        if not self.has_tracked_poses:
            self.head_pose_encoding.expect(EXPECTED_TURN, EXPECTED_SHIFT * self.camera_optimizer.unit)
        if expressions.enabled:
            expression = metadata[keys.TRAIN_EXPRESSION].float()
            self.expression_corrections = expressions.setup(train_expression=expression)
        if schedule.pretrain_share != 0:
            self.refine_schedule = schedule.setup()
            if cameras.enabled and schedule.rigid_pretraining:
                self.head_pose_encoding.register_forward_hook(self._hide_pose)
        self._drawn_frames: Optional[Tensor] = None

    @property
    def refines_cameras(self) -> bool:
        """Whether the training frames' cameras learn."""
        return self._camera_refinement is not None

    @property
    def has_tracked_poses(self) -> bool:
        """Whether the data's poses are made use of."""
        refinement = self._camera_refinement
        return refinement is None or refinement.config.initialisation == "tracked"

    @property
    def _camera_refinement(self) -> Optional[CameraRefinement]:
        return self._optional_module("camera_optimizer")

    @property
    def _expression_corrections(self) -> Optional[ExpressionCorrections]:
        return self._optional_module("expression_corrections")

    @property
    def _refine_schedule(self) -> Optional[RefineSchedule]:
        return self._optional_module("refine_schedule")

    def _optional_module(self, name: str) -> Any:
        return self._modules.get(name)

    @property
    def is_rigid(self) -> bool:
        """Whether, for now, nothing may bend with the head's pose, so that cameras and lens alone explain it."""
        schedule = self._refine_schedule
        is_pretraining = schedule is not None and schedule.config.rigid_pretraining and not schedule.is_done
        return self.refines_cameras and is_pretraining

    @property
    def is_statue(self) -> bool:
        """Whether, for now, no frame is told its expression, gaze and latent code."""
        return self._refine_schedule is not None and bool(self._refine_schedule.statue)

    def _keeps_lens(self, step: int) -> bool:
        """Whether the lens stands still in a step."""
        cameras, schedule = self._camera_refinement, self._refine_schedule
        if cameras is None or schedule is None:
            return False
        return schedule.begin_step(self.training_progress.fraction(step), cameras.learns_lens)

    def _hide_pose(self, encoding: Module, inputs: Tuple[Tensor, ...], pose: Tensor) -> Tensor:
        """Tell the field the mean pose, whatever the pose is, while it has to be rigid."""
        return torch.zeros_like(pose) if self.is_rigid else pose

    def refine_rays(self, ray_bundle: RayBundle) -> RayBundle:
        """Return training rays as the refined cameras send them."""
        if self._camera_refinement is None and self._expression_corrections is None:
            return ray_bundle
        frames = ray_bundle.metadata[keys.FRAME_INDEX][:, 0].unique_consecutive()
        self._drawn_frames = frames[frames >= 0] if self.training else None
        refinement = self._camera_refinement
        return ray_bundle if refinement is None else refinement.refine_rays(ray_bundle)

    def refine_camera(self, camera: Cameras) -> Cameras:
        """Return a training frame's camera as it is refined, any other as it is."""
        refinement = self._camera_refinement
        return camera if refinement is None else refinement.refine_cameras(camera)

    def refined_cameras(self, recorded: Cameras) -> Optional[Cameras]:
        """Return the training frames' cameras as they are refined; None where they do not learn.

        Args:
            recorded: The training dataset's.
        """
        return self.refine_camera(recorded.to("cpu")) if self.refines_cameras else None

    def frame_poses(self, frames: Tensor) -> Tensor:
        """Return the cameras (n, 3, 4) of training frames, refined where they learn."""
        refinement = self._camera_refinement
        return self.train_camera_to_world[frames] if refinement is None else refinement.poses(frames)

    def correct_expression(self, expression: Tensor, frame_index: Tensor) -> Tensor:
        """Return raw coefficients, corrected where they are training frames'."""
        corrections = self._expression_corrections
        return expression if corrections is None else corrections(expression, frame_index)

    def field_age(self, step: int) -> int:
        """Return the number of steps since the field was new."""
        return step if self._refine_schedule is None else self._refine_schedule.age(step)

    def refinement_groups(self) -> Dict[str, List[Parameter]]:
        """Return the parameter groups "cameras" and "expression_corrections", as far as they are there."""
        parts = {"cameras": self._camera_refinement, "expression_corrections": self._expression_corrections}
        return {
            name: [parameter for parameter in part.parameters() if parameter.requires_grad]
            for name, part in parts.items()
            if part is not None
        }

    def refinement_losses(self) -> Dict[str, Tensor]:
        """Return the weighted regularisers of the frames that the last training step drew."""
        frames = self._drawn_frames
        if frames is None or len(frames) == 0:
            return {}
        parts = {"camera": self._camera_refinement, "expression": self._expression_corrections}
        return {
            f"{name}_loss": self.loss_weights[name] * part.penalty(frames)
            for name, part in parts.items()
            if part is not None and not part.is_frozen
        }

    def refinement_callbacks(self, attributes: TrainingCallbackAttributes) -> List[TrainingCallback]:
        """Return what has to be done before training steps.

        That is to drop the field when its time has come, and to let cameras and expressions learn or stand still.
        """
        parts = [part for part in (self._camera_refinement, self._expression_corrections) if part is not None]
        schedule, optimizers = self._refine_schedule, attributes.optimizers
        if self._camera_refinement is not None and attributes.pipeline is not None:
            datamanager: Any = attributes.pipeline.datamanager
            datamanager.least_images_per_batch = self._camera_refinement.config.frames_per_step

        def freeze(step: int) -> None:
            """Let cameras and lens learn, or keep them, as the step asks."""
            if self._camera_refinement is not None:
                self._camera_refinement.is_lens_frozen = self._keeps_lens(step)
            for part in parts:
                part.is_frozen = step < part.config.freeze_steps or (schedule is not None and schedule.is_resting(step))

        before = [TrainingCallbackLocation.BEFORE_TRAIN_ITERATION]
        callbacks = [TrainingCallback(before, freeze)] if parts else []
        if schedule is None or optimizers is None:
            return callbacks
        placed: List[int] = []

        def drop(step: int) -> None:
            """Start the field anew when that is due, and let the schedules follow."""
            if schedule.is_due(self.training_progress.fraction(step)):
                fresh = type(self)(self.config, self.scene_box, self.num_train_data, **self.kwargs)
                schedule.drop(self, fresh.to(self.device), KEPT, optimizers, step)
            elif not placed:
                schedule.place_schedules(optimizers.schedulers, step)
            placed[:] = [step]

        return [TrainingCallback(before, drop), *callbacks]


def refinement_settings(
    config: Any,
) -> Tuple[CameraRefinementConfig, ExpressionCorrectionsConfig, RefineScheduleConfig]:
    """Return a model's settings of refinement; runs of before there were any have them switched off."""
    return (
        getattr(config, "camera_refinement", None) or CameraRefinementConfig(),
        getattr(config, "expression_corrections", None) or ExpressionCorrectionsConfig(),
        getattr(config, "refine_schedule", None) or RefineScheduleConfig(),
    )
