import dataclasses
import math
from types import SimpleNamespace

import pytest
import torch
from blob_model import head_poses, make_cameras

from nerface_ns.rendering.posed_camera import turn_about
from nerface_ns.rendering.training_cameras import TrainingCameras, rotation_angle_deg


def pipeline_with(refine):
    dataset = SimpleNamespace(cameras=make_cameras())
    return SimpleNamespace(
        datamanager=SimpleNamespace(train_dataset=dataset), model=SimpleNamespace(refined_cameras=refine)
    )


def test_recorded_cameras_where_nothing_is_refined():
    cameras = TrainingCameras.of(pipeline_with(lambda recorded: None))
    assert cameras.refined is None and cameras.best is cameras.tracked and cameras.changes() == {}


def test_changes_are_the_angles_and_shifts_that_were_made():
    """The first camera is turned on the spot by 3 degrees, the second moved by 0.02, the focal length grows by 5 %."""

    def refine(recorded):
        poses = recorded.camera_to_worlds.clone()
        poses[0] = turn_about(poses[0], poses[0, :, 3], 3.0)
        poses[1, 1, 3] += 0.02
        return dataclasses.replace(recorded, camera_to_worlds=poses, fx=recorded.fx * 1.05)

    cameras = TrainingCameras.of(pipeline_with(refine))
    assert cameras.best is cameras.refined
    assert cameras.changes() == pytest.approx(
        {"mean_turn_deg": 0.5, "max_turn_deg": 3.0, "mean_shift": 0.02 / 6, "max_shift": 0.02, "focal_factor": 1.05},
        abs=1e-5,
    )


@pytest.mark.parametrize("angle_deg", [0.0, 1e-2, 40.0, 180.0])
def test_angle_between_rotations(angle_deg):
    pose = head_poses()[1].double()
    turned = turn_about(pose, torch.zeros(3, dtype=torch.float64), angle_deg)
    found = rotation_angle_deg(pose[None, :, :3], turned[None, :, :3]).item()
    assert found == pytest.approx(angle_deg, rel=1e-4, abs=3e-5) and not math.isnan(found)
