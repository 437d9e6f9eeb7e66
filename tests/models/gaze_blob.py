"""A tiny model whose eyes follow a gaze, on the cameras of `blob_model`."""

from __future__ import annotations

from typing import Any

import torch
from blob_model import NUM_FRAMES, make_metadata
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor

from nerface_ns.field_components.feature_grid import FeatureGridConfig
from nerface_ns.fields.gaze_field import GazeFieldConfig
from nerface_ns.models.gaze_face_model import GazeFaceModel, GazeFaceModelConfig

AABB = torch.tensor([[-0.2, -0.15, -0.2], [0.2, 0.15, 0.2]])
REGION = torch.tensor([[-0.08, 0.0, 0.12], [0.08, 0.06, 0.2]])
"""Round the eyes, at the front of a box that is full before training."""
EYES_BOX = [0.25, 0.5, 0.25, 0.75]
"""Rows 3..5 and columns 4..11 of 12 x 16 pixels."""


def train_gaze() -> Tensor:
    """Pitch and yaw of each frame, the yaw rising in time."""
    return torch.stack([torch.linspace(-0.1, 0.15, NUM_FRAMES), torch.linspace(-0.4, 0.4, NUM_FRAMES)], dim=-1)


def gaze_metadata() -> dict[str, Any]:
    """What a face dataset with gaze and eyes boxes tells the model."""
    boxes = {"eyes": torch.tensor([EYES_BOX]).repeat(NUM_FRAMES, 1)}
    return {**make_metadata(), "train_gaze": train_gaze(), "region_boxes": boxes}


def make_gaze_model(metadata: dict[str, Any] | None = None, placed: bool = True, **settings: Any) -> GazeFaceModel:
    """A model in evaluation mode, whose eyes are placed unless asked otherwise."""
    torch.manual_seed(0)
    metadata = metadata or gaze_metadata()
    grid = FeatureGridConfig(resolutions=(4, 8), channels=2)
    settings = {"radiance_field": GazeFieldConfig(canonical_grid=grid), **settings}
    model = GazeFaceModelConfig(**settings).setup(
        scene_box=SceneBox(aabb=AABB), num_train_data=NUM_FRAMES, metadata=metadata
    )
    if placed:
        model.field.place_eyes(REGION)
    return model.eval()
