"""The occupancy-grid model of a head whose eyes follow a gaze: the model of `nerface-gaze`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Type

import torch
from jaxtyping import Float, Int
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.conditioning.gaze import GazeRange
from nerface_ns.conditioning.recorded_track import RecordedTrack
from nerface_ns.conditioning.recorded_views import RecordedViews
from nerface_ns.data.pixel_boxes import face_box_to_pixels
from nerface_ns.models.gaze_region import GazeRegionConfig
from nerface_ns.models.occ_face_model import OccFaceModel, OccFaceModelConfig

EYES = "eyes"
"""Name of the frames' boxes round both eyes."""


@dataclass
class GazeFaceModelConfig(OccFaceModelConfig):
    """Gaze as a condition of its own."""

    _target: Type = field(default_factory=lambda: GazeFaceModel)
    """Target class to instantiate."""
    gaze_region: GazeRegionConfig = field(default_factory=GazeRegionConfig)
    """What of the head gaze may move."""
    eyes_weight: float = 3.0
    """Weight of the photometric loss within a frame's eyes box (GazeNeRF's re-implementation: 10, within the eyes)."""


class GazeFaceModel(OccFaceModel):
    """Samples and renders as `OccFaceModel` does; the field's eyes follow each frame's gaze.

    Gaze reaches only a box round the eyes, which is found from the training frames' eyes boxes before the first step
    and lives in the checkpoint. So nothing else can move with it, and no loss has to see to that.

    Args:
        config: Settings.
        metadata: The training dataset's metadata.

    Raises:
        ValueError: The data have no gaze or several persons, the field has no eyes, or the cameras are still to be
            found.
    """

    config: GazeFaceModelConfig
    has_gaze: bool = True

    def populate_modules(self) -> None:
        """Build the field, the occupancy grid and what knows the recording's gaze."""
        super().populate_modules()
        metadata = self.kwargs["metadata"]
        if self.identities is not None:
            found = ", ".join(self.identities.names)
            raise ValueError(f"nerface-gaze: expected one person, got {found}; nerface learns several")
        if metadata.get(keys.TRAIN_GAZE) is None:
            raise ValueError("gaze: expected one for each training frame, because the eyes follow it, found none")
        if not hasattr(self.field, "place_eyes"):
            raise ValueError(f"radiance_field: expected one with eyes, got {type(self.field).__name__}")
        if not self.has_tracked_poses:
            raise ValueError("camera_refinement.initialisation: expected tracked, because gaze is in the head's frame")
        if self.config.eyes_weight < 0:
            raise ValueError(f"eyes_weight: expected at least 0, got {self.config.eyes_weight}")
        gaze = metadata[keys.TRAIN_GAZE].float()
        self.gaze_range = GazeRange(gaze)
        self.gaze_track = RecordedTrack(gaze, metadata[keys.TRAIN_TIMES])
        recorded_poses = metadata.get(keys.RECORDED_VIEWS, (metadata[keys.TRAIN_CAMERA_TO_WORLD], None))[0]
        recorded_gaze = metadata.get(keys.RECORDED_GAZE)
        if recorded_gaze is None:
            recorded_poses, recorded_gaze = metadata[keys.TRAIN_CAMERA_TO_WORLD], gaze
        self.gaze_views = RecordedViews(recorded_poses.float(), recorded_gaze.float())
        boxes = metadata.get("region_boxes", {}).get(EYES)
        self._eyes_boxes_px = None if boxes is None else face_box_to_pixels(boxes, *self.image_size)

    @property
    def eyed_field(self) -> Any:
        """The field, which `place_eyes` may be called of."""
        return self.field

    @property
    def eyes_position(self) -> Float[Tensor, "3"]:
        """The middle between both eyes, from where the person looks, in scene units."""
        return self.eyed_field.eyes_position

    def get_training_callbacks(
        self, training_callback_attributes: TrainingCallbackAttributes
    ) -> List[TrainingCallback]:
        """Find the eyes before the first step, and again where the field is started anew."""
        callbacks = super().get_training_callbacks(training_callback_attributes)
        pipeline: Any = training_callback_attributes.pipeline
        field, dataset = self.eyed_field, pipeline.datamanager.train_dataset

        def find_eyes(step: int) -> None:
            """Place the eyes, unless that was done."""
            if field.has_eyes:
                return
            boxes = dataset.metadata["region_boxes"].get(EYES)
            if boxes is None:
                name = dataset.metadata.get("dataset_name", "data")
                raise ValueError(f"{name}: expected a box round the eyes (eyes_box) in each training frame, found none")
            poses = self.frame_poses(torch.arange(len(boxes), device=self.device))
            region = self.config.gaze_region.setup()
            field.place_eyes(region.find(dataset.cameras, poses, boxes, self.scene_box.aabb).to(self.device))

        return [*callbacks, TrainingCallback([TrainingCallbackLocation.BEFORE_TRAIN_ITERATION], find_eyes)]

    def frame_gaze(
        self, gaze: Optional[Float[Tensor, "num_frames 2"]], frame_index: Int[Tensor, "num_frames"]
    ) -> Float[Tensor, "num_frames 2"]:
        """Return the gaze that frames show, brought into the trained range."""
        if gaze is None:
            known = (frame_index >= 0)[:, None]
            gaze = torch.where(known, self.gaze_track.expression[frame_index], self.gaze_track.mean)
        return self.gaze_range(gaze)

    def recorded_gaze(self, camera: Cameras) -> Float[Tensor, "1 2"]:
        """Return the gaze of the recording at a camera's time, or from where it stands."""
        if camera.times is not None:
            return self.gaze_track(camera.times.reshape(-1)[:1].to(self.train_camera_to_world))
        return self.gaze_views(camera.camera_to_worlds.reshape(-1, 3, 4)[:1].to(self.train_camera_to_world))

    def any_condition(self, frames: Int[Tensor, "num_frames"]) -> FaceCondition:
        """Return conditions of training frames with gazes of others: any gaze may be asked for later."""
        return self.make_condition(self.frame_poses(frames), frames, None, None, self.gaze_range.sample(len(frames)))

    def ray_weights(self, batch: Dict[str, Tensor]) -> Optional[Float[Tensor, "num_rays"]]:
        """Return what the colours of a step's rays weigh: those of the eyes more."""
        weights, eyes = super().ray_weights(batch), self.loss_weights["eyes"]
        if not self.training or eyes == 1 or self._eyes_boxes_px is None:
            return weights
        of_eyes = torch.where(self._is_in_eyes_box(batch["indices"]), eyes, 1.0)
        return of_eyes if weights is None else of_eyes * weights

    def _is_in_eyes_box(self, indices: Int[Tensor, "rays 3"]) -> Tensor:
        """Whether each training pixel (frame, row, column) lies in its frame's eyes box."""
        assert self._eyes_boxes_px is not None
        frame, row, column = indices.unbind(-1)
        y0, y1, x0, x1 = self._eyes_boxes_px.to(indices.device)[frame].unbind(-1)
        return (row >= y0) & (row < y1) & (column >= x0) & (column < x1)
