"""Refined cameras in nerfstudio's viewer and exporter."""

from types import SimpleNamespace

import numpy as np
import torch
from blob_model import head_poses
from nerfstudio.cameras.camera_optimizers import CameraOptimizer
from refining_model import refining_model, training_cameras
from scipy.spatial.transform import Rotation


def test_viewer_and_exporter_know_the_cameras():
    model = refining_model()
    assert isinstance(model.camera_optimizer, CameraOptimizer)
    with torch.no_grad():
        model.camera_optimizer.turn += 0.02
    one = training_cameras()[1:2]
    one.metadata["cam_idx"] = 1
    exported = model.camera_optimizer.apply_to_camera(one)
    torch.testing.assert_close(exported, model.frame_poses(torch.tensor([1])))


def test_viewer_moves_the_frusta_of_training_cameras():
    """nerfstudio's own function, on stand-ins for its frusta."""
    from nerfstudio.viewer.viewer import VISER_NERFSTUDIO_SCALE_RATIO, Viewer

    model = refining_model()
    with torch.no_grad():
        model.camera_optimizer.turn += torch.tensor([0.05, -0.1, 0.0])
    viewer = SimpleNamespace(
        pipeline=SimpleNamespace(model=model, datamanager=SimpleNamespace()),
        camera_handles={1: SimpleNamespace(), 4: SimpleNamespace()},
        original_c2w={index: head_poses()[index].numpy() for index in (1, 4)},
    )
    Viewer.update_camera_poses(viewer)
    for index, handle in viewer.camera_handles.items():
        pose = model.frame_poses(torch.tensor([index]))[0].detach()
        position = torch.from_numpy(handle.position).float() / VISER_NERFSTUDIO_SCALE_RATIO
        torch.testing.assert_close(position, pose[:, 3])
        axes = Rotation.from_quat(handle.wxyz[[1, 2, 3, 0]]).as_matrix() @ np.diag([1.0, -1.0, -1.0])
        torch.testing.assert_close(torch.from_numpy(axes).float(), pose[:, :3], atol=1e-5, rtol=0)
