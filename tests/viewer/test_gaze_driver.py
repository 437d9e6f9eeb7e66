import math

import numpy as np
import pytest
import torch
from blob_model import NUM_FRAMES, make_cameras, make_model, train_expression
from gaze_blob import make_gaze_model, train_gaze

from nerface_ns.viewer.face_driver import FaceDriver
from nerface_ns.viewer.track_player import PlayedTrack


@pytest.fixture(scope="module")
def gaze_model():
    return make_gaze_model()


@pytest.fixture
def driver(gaze_model):
    gaze_model.frame_driver = FaceDriver(gaze_model)
    return gaze_model.frame_driver


def shown(model, time: float = 0.16, camera: int = 2) -> np.ndarray:
    """Gaze in the viewer's picture."""
    cameras = make_cameras(times=torch.full((NUM_FRAMES, 1), time), metadata={"cam_idx": 0})
    return model.get_camera_condition(cameras[camera : camera + 1]).gaze[0].numpy()


def test_the_time_slider_shows_the_recordings(gaze_model, driver):
    np.testing.assert_allclose(shown(gaze_model), train_gaze()[1], atol=1e-6)
    np.testing.assert_allclose(driver.shown_gaze, train_gaze()[1], atol=1e-6)


def test_gaze_sliders_leave_the_expression(gaze_model, driver):
    shown(gaze_model)
    driver.set_gaze(0.1, -0.2)
    np.testing.assert_allclose(shown(gaze_model, time=0.8), [0.1, -0.2], atol=1e-6)
    np.testing.assert_allclose(driver.shown_expression, train_expression()[1], atol=1e-6)


def test_expression_sliders_leave_the_gaze(gaze_model, driver):
    shown(gaze_model)
    driver.set_coefficient(0, 0.5)
    np.testing.assert_allclose(shown(gaze_model, time=0.8), train_gaze()[1], atol=1e-6)


def test_neutral_looks_ahead_and_random_within_the_range(gaze_model, driver):
    driver.set_neutral()
    np.testing.assert_allclose(shown(gaze_model), [0, 0], atol=1e-6)
    driver.set_random(np.random.default_rng(0))
    low, high = train_gaze().amin(dim=0).numpy(), train_gaze().amax(dim=0).numpy()
    assert ((driver.shown_gaze >= low) & (driver.shown_gaze <= high)).all() and driver.shown_gaze.any()


def test_a_loaded_frame_brings_its_gaze(gaze_model, driver):
    driver.load_frame(1, 3, 0.5)
    np.testing.assert_allclose(shown(gaze_model), train_gaze()[[1, 3]].mean(dim=0), atol=1e-6)


def test_a_tracks_gaze_plays(gaze_model, driver):
    driver.player.load(PlayedTrack("shift", np.array([0.0, 1.0]), np.zeros((2, 3)), np.array([[0, 0], [0.1, 0.2]])))
    driver.player.seek(0.5)
    driver.change(mode="track")
    np.testing.assert_allclose(shown(gaze_model), [0.05, 0.1], atol=1e-6)


def test_a_track_without_gaze_leaves_it_to_the_sliders(gaze_model, driver):
    driver.set_gaze(0.1, -0.2)
    driver.player.load(PlayedTrack("still", np.array([0.0]), np.zeros((1, 3))))
    driver.change(mode="track")
    np.testing.assert_allclose(shown(gaze_model), [0.1, -0.2], atol=1e-6)


def test_the_recording_plays_with_its_gaze(gaze_model, driver):
    driver.player.seek(driver.player.track.duration_s)
    driver.change(mode="track")
    np.testing.assert_allclose(shown(gaze_model), train_gaze()[-1], atol=1e-6)


def test_eyes_follow_the_viewer(gaze_model, driver):
    """Whoever drives; the camera on the head's left is looked at by a positive yaw."""
    driver.change(eyes_follow=True)
    for camera in (2, 3):
        pitch, yaw = shown(gaze_model, camera=camera).tolist()
        away = make_cameras()[camera].camera_to_worlds[:, 3] - gaze_model.eyes_position
        assert math.tan(yaw) == pytest.approx(float(away[0] / away[2]), abs=1e-5)
        assert math.sin(pitch) == pytest.approx(float(away[1] / away.norm()), abs=1e-5)
    driver.set_gaze(0.0, 0.1)
    assert not driver.state.eyes_follow


def test_other_avatars_have_no_gaze():
    driver = FaceDriver(make_model())
    driver.set_neutral()
    cameras = make_cameras(times=torch.zeros(NUM_FRAMES, 1))
    assert driver.shown_gaze is None and driver(cameras[0:1]).gaze is None
