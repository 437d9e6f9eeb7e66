import dataclasses
from io import BytesIO

import numpy as np
import pytest
import torch
from blob_model import make_cameras
from PIL import Image

from nerface_ns.rendering.poses_picture import MOVED, REFINED, poses_picture
from nerface_ns.rendering.training_cameras import TrainingCameras

BOX = torch.tensor([[-0.2, -0.15, -0.2], [0.2, 0.15, 0.2]])


def moved(cameras):
    poses = cameras.camera_to_worlds.clone()
    poses[:, :, 3] += torch.tensor([0.05, 0.04, 0.0])
    return dataclasses.replace(cameras, camera_to_worlds=poses)


def share_of(picture: np.ndarray, colour: str) -> float:
    """Share of the pixels that are nearly of a colour."""
    wanted = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)])
    return float((np.abs(picture[..., :3].astype(int) - wanted).max(axis=-1) < 60).mean())


@pytest.mark.parametrize("is_refined", [False, True])
def test_colours_tell_tracked_from_refined(is_refined):
    """Without refinement there is one kind of camera; with it both, and lines between them."""
    tracked = make_cameras()
    cameras = TrainingCameras(tracked, moved(tracked) if is_refined else None)
    picture = np.asarray(Image.open(BytesIO(poses_picture(cameras, BOX, max_cameras=4, size_px=1000))))
    assert picture.shape[1] == pytest.approx(1000, abs=2)
    assert share_of(picture, REFINED) > 3e-4
    assert (share_of(picture, MOVED) > 3e-5) == is_refined


def test_one_camera_is_drawn_too():
    cameras = TrainingCameras(make_cameras(1), None)
    picture = np.asarray(Image.open(BytesIO(poses_picture(cameras, BOX, max_cameras=40, size_px=1400))))
    assert share_of(picture, REFINED) > 1e-4
