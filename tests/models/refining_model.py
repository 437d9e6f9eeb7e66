"""A model of the ball whose cameras and expressions learn, and the cameras of its training frames."""

from __future__ import annotations

import torch
from blob_model import HEIGHT, NUM_FRAMES, WIDTH, head_poses, make_cameras, make_metadata, make_model

from nerface_ns.model_components.camera_refinement import CameraRefinementConfig
from nerface_ns.model_components.expression_corrections import ExpressionCorrectionsConfig


def metadata(poses: torch.Tensor | None = None) -> dict:
    poses = head_poses() if poses is None else poses
    lens = torch.tensor([20.0, 20.0, WIDTH / 2, HEIGHT / 2]).repeat(len(poses), 1)
    return {**make_metadata(len(poses)), "train_camera_to_world": poses, "train_intrinsics": lens}


def refining_model(poses: torch.Tensor | None = None, **settings):
    learns = {"freeze_steps": 0, "refine_focal": True}
    cameras = {**learns, **settings.pop("cameras", {})}
    return make_model(
        metadata(poses),
        camera_refinement=CameraRefinementConfig(enabled=True, **cameras),
        expression_corrections=ExpressionCorrectionsConfig(enabled=True, freeze_steps=0),
        **settings,
    )


def all_pixels(frame: int) -> torch.Tensor:
    return torch.cartesian_prod(torch.tensor([frame]), torch.arange(HEIGHT), torch.arange(WIDTH))


def training_cameras():
    return make_cameras(
        times=torch.linspace(0, 0.8, NUM_FRAMES)[:, None],
        metadata={"frame_index": torch.arange(NUM_FRAMES)[:, None]},
    )
