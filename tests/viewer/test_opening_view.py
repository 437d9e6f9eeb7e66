import math

import numpy as np
import pytest
import torch
from blob_model import HEIGHT, NUM_FRAMES, WIDTH, make_cameras
from nerfstudio.cameras.cameras import Cameras

from nerface_ns.viewer.opening_view import opening_view, training_view


def test_opens_at_the_middle_camera():
    """Five cameras half a unit away, turned from side to side about the origin."""
    cameras = make_cameras(5)
    view = opening_view(cameras, np.zeros(3))
    np.testing.assert_allclose(view.position, cameras.camera_to_worlds[2, :, 3].numpy(), atol=1e-6)
    np.testing.assert_allclose(view.look_at, 0, atol=1e-5)
    assert view.up[1] > 0.99


def test_the_recorded_image_just_fits():
    view = training_view(make_cameras(), np.zeros(3), 0)
    assert view.vertical_fov(10.0) == pytest.approx(2 * math.atan(HEIGHT / 2 / 20))
    tall = 0.5
    assert math.tan(view.vertical_fov(tall) / 2) * tall == pytest.approx(WIDTH / 2 / 20)


def test_looks_through_the_middle_of_the_recorded_image():
    """Where the principal point is off the middle, a browser's camera has to turn towards it."""
    pose = torch.cat([torch.eye(3), torch.tensor([[0.0], [0.0], [0.5]])], dim=1)[None]
    camera = Cameras(camera_to_worlds=pose, fx=20.0, fy=25.0, cx=6.0, cy=7.0, width=16, height=12)
    view = training_view(camera, np.zeros(3), 0)
    np.testing.assert_allclose(view.look_at, [0.5 * (8 - 6) / 20, 0.5 * (7 - 6) / 25, 0.0], atol=1e-6)


def test_every_frame_has_its_view():
    cameras = make_cameras()
    for frame in range(NUM_FRAMES):
        view = training_view(cameras, np.zeros(3), frame)
        np.testing.assert_allclose(view.position, cameras.camera_to_worlds[frame, :, 3].numpy(), atol=1e-6)
