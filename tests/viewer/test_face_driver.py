import numpy as np
import pytest
import torch
from blob_model import NUM_FRAMES, make_cameras, make_metadata, make_model, train_expression

from nerface_ns.tracks.retargeting import neutral_expression
from nerface_ns.viewer.face_driver import RECORDED_FRAMES_PER_S, FaceDriver
from nerface_ns.viewer.track_player import PlayedTrack

TRAIN = train_expression().double().numpy()


@pytest.fixture
def driver(model) -> FaceDriver:
    model.frame_driver = FaceDriver(model)
    return model.frame_driver


def viewer_camera(time: float = 0.16):
    """As nerfstudio's viewer makes it: a time always, and no expression."""
    return make_cameras(times=torch.full((NUM_FRAMES, 1), time), metadata={"cam_idx": 0})[2:3]


def asked_expression(model, camera) -> np.ndarray:
    condition = model.get_camera_condition(camera)
    return (condition.expression + model.expression_encoding.mean)[0].double().numpy()


def test_the_time_slider_drives_at_first(model, driver):
    """0.16 is the time of the second of six frames."""
    np.testing.assert_allclose(asked_expression(model, viewer_camera()), TRAIN[1], atol=1e-6)
    np.testing.assert_allclose(driver.shown_expression, TRAIN[1], atol=1e-6)


def test_a_touched_slider_starts_from_what_is_shown(model, driver):
    model.get_camera_condition(viewer_camera())
    driver.set_coefficient(2, 0.5)
    expected = TRAIN[1].copy()
    expected[2] = 0.5
    assert driver.state.mode == "expression sliders"
    np.testing.assert_allclose(asked_expression(model, viewer_camera(0.8)), expected, atol=1e-6)


def test_the_time_slider_takes_over_again(model, driver):
    driver.set_coefficient(0, 0.9)
    driver.follow_time(0.8)
    np.testing.assert_allclose(asked_expression(model, viewer_camera(0.8)), TRAIN[-1], atol=1e-6)


def test_cameras_with_an_expression_of_their_own_are_not_driven(model, driver):
    """Training's evaluation images while somebody moves sliders."""
    driver.set_coefficient(0, 0.9)
    own = torch.full((NUM_FRAMES, 3), 0.25)
    metadata = {"frame_index": torch.full((NUM_FRAMES, 1), -1), "expression": own}
    np.testing.assert_allclose(asked_expression(model, make_cameras(metadata=metadata)[0:1]), own[0], atol=1e-6)
    training_frame = make_cameras(metadata={"frame_index": torch.full((NUM_FRAMES, 1), 3)})[0:1]
    np.testing.assert_allclose(asked_expression(model, training_frame), TRAIN[3], atol=1e-6)


def test_training_rays_are_not_driven(model, driver):
    from blob_model import train_rays

    before, _ = model.get_ray_conditions(train_rays([1, 4]))
    driver.load_frame(3)
    after, _ = model.get_ray_conditions(train_rays([1, 4]))
    torch.testing.assert_close(after.expression, before.expression)
    torch.testing.assert_close(after.latent_code, before.latent_code)


@pytest.mark.parametrize(("code", "expected"), [("as evaluated", 0.0), ("zero", 0.0), ("mean", 0.35)])
def test_codes(model, driver, code, expected):
    """Frame k's code is 0.1 (k + 1)."""
    driver.change(code=code)
    torch.testing.assert_close(model.get_camera_condition(viewer_camera()).latent_code[0, 0], torch.tensor(expected))


def test_code_as_evaluated_follows_the_models_rule():
    model = make_model(make_metadata(), code_protocol="frame", code_frame=3)
    model.frame_driver = FaceDriver(model)
    torch.testing.assert_close(model.get_camera_condition(viewer_camera()).latent_code[0, 0], torch.tensor(0.4))


def test_a_training_frame_comes_with_its_code(model, driver):
    driver.load_frame(4)
    np.testing.assert_allclose(asked_expression(model, viewer_camera()), TRAIN[4], atol=1e-6)
    torch.testing.assert_close(model.get_camera_condition(viewer_camera()).latent_code[0, 0], torch.tensor(0.5))


def test_codes_that_training_changes_are_followed(model, driver):
    driver.load_frame(4)
    with torch.no_grad():
        model.latent_codes.codes.add_(1.0)
    torch.testing.assert_close(model.get_camera_condition(viewer_camera()).latent_code[0, 0], torch.tensor(1.5))


def test_blend_of_two_frames(model, driver):
    driver.load_frame(1, 3, 0.25)
    np.testing.assert_allclose(asked_expression(model, viewer_camera()), 0.75 * TRAIN[1] + 0.25 * TRAIN[3], atol=1e-6)
    torch.testing.assert_close(model.get_camera_condition(viewer_camera()).latent_code[0, 0], torch.tensor(0.25))


@pytest.mark.parametrize("frame", [-1, NUM_FRAMES])
def test_no_such_training_frame(driver, frame):
    with pytest.raises(ValueError, match=rf"training frame: expected one in 0..5, got {frame}"):
        driver.load_frame(frame)


def test_neutral(driver):
    driver.set_neutral()
    np.testing.assert_allclose(driver.shown_expression, neutral_expression(TRAIN), atol=1e-6)


def test_random_faces_stay_in_the_trained_range_and_differ(driver):
    generator = np.random.default_rng(0)
    faces = []
    for _ in range(20):
        driver.set_random(generator)
        faces.append(driver.shown_expression)
    faces = np.stack(faces)
    assert (faces >= TRAIN.min(axis=0) - 1e-9).all() and (faces <= TRAIN.max(axis=0) + 1e-9).all()
    assert (faces.std(axis=0) > 0.02).all()


def test_the_recording_plays_in_its_own_time(model, driver):
    """Six training frames in the first four fifths of the track, one gap of 0.16 apart."""
    track = driver.player.track
    np.testing.assert_allclose(track.times_s, np.arange(NUM_FRAMES) / RECORDED_FRAMES_PER_S, atol=1e-6)
    np.testing.assert_allclose(track.expression, TRAIN, atol=1e-6)
    start, end, length_s = driver.recording_span
    assert (start, end) == pytest.approx((0.0, 0.8))
    assert length_s == pytest.approx(1 / 0.16 / RECORDED_FRAMES_PER_S)


def test_a_track_drives(model, driver):
    driver.player.load(PlayedTrack("t", np.array([0.0, 1.0]), np.array([[0.0] * 3, [0.4] * 3])))
    driver.player.seek(0.5)
    driver.change(mode="track")
    np.testing.assert_allclose(asked_expression(model, viewer_camera()), [0.2] * 3, atol=1e-6)


def test_live_stays_where_it_was_until_a_frame_comes(model, driver):
    driver.load_frame(2)
    driver.change(mode="live")
    np.testing.assert_allclose(asked_expression(model, viewer_camera()), TRAIN[2], atol=1e-6)
    driver.live_expression = np.full(3, 0.3)
    np.testing.assert_allclose(asked_expression(model, viewer_camera()), [0.3] * 3, atol=1e-6)


def test_background_colour_stands_behind_the_head(model, driver):
    before = model.get_outputs_for_camera(viewer_camera())
    driver.change(background=(0.0, 1.0, 0.25))
    after = model.get_outputs_for_camera(viewer_camera())
    colour = torch.tensor([0.0, 1.0, 0.25])
    torch.testing.assert_close(after["background"], colour.expand_as(after["background"]))
    expected = before["foreground"] + (1 - before["accumulation"]) * colour
    torch.testing.assert_close(after["rgb"], expected)
    assert (before["rgb"] - after["rgb"]).abs().max() > 0.2
