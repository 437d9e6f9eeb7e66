"""The estimator before eyes drawn in closed form."""

import dataclasses

import numpy as np
import pytest
from drawn_eyes import CENTERS, IRIS, IRIS_DEG, PUPIL_DEG, RADIUS, SKIN, SKIN_TINT, WHITE, drawn_frames

from nerface_ns.evaluation import gaze_calibration, gaze_start
from nerface_ns.evaluation.gaze_estimator import (
    FittedIrises,
    GazeCorrection,
    GazeEstimate,
    GazeEstimator,
    OwnError,
    own_error,
)
from nerface_ns.evaluation.gaze_frames import picture_size, require_gaze, spread_rows, true_pictures
from nerface_ns.evaluation.gaze_geometry import Eyeballs, gaze_directions
from nerface_ns.evaluation.gaze_pixels import EyePixels, SkinColor
from nerface_ns.evaluation.gaze_profile import IrisProfile
from nerface_ns.evaluation.gaze_start import disc_likeness, find_eyeballs, meeting_point

SIZE = 112


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    frames = drawn_frames(tmp_path_factory.mktemp("drawn"), "train", 28, seed=0, size=SIZE)
    return true_pictures(frames, range(28), (SIZE, SIZE)), frames.gaze


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    """Held-out frames, of which 0, 5 and 10 have their eyes shut."""
    return drawn_frames(tmp_path_factory.mktemp("drawn"), "test", 16, seed=1, size=SIZE, shut=(0, 5, 10))


@pytest.fixture(scope="module")
def estimator(train):
    """Calibrated from the likeliest guess alone, which is enough here and saves seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gaze_start, "GUESSES", 1)
        patch.setattr(gaze_calibration, "FIRST_ROUNDS", 1)
        return GazeEstimator.calibrated(FittedIrises.calibrated, *train)


def test_rough_eyeballs_are_near_the_true_ones(train):
    found = find_eyeballs(*train)[0]
    np.testing.assert_allclose(found.centers[:, :2], CENTERS[:, :2], atol=0.5 * RADIUS)


def test_boxes_meet_between_the_eyes(train):
    """On the plane of the face, the region's middle; its width is 0.056."""
    point, width = meeting_point(train[0])
    np.testing.assert_allclose(point, [0.0, 0.011, 0.0345], atol=0.003)
    assert width == pytest.approx(0.056, rel=0.1)


def test_calibration_finds_the_eyeballs(estimator):
    eyeballs = estimator.finder.eyes.eyeballs
    np.testing.assert_allclose(eyeballs.centers[:, :2], CENTERS[:, :2], atol=0.1 * RADIUS)
    assert eyeballs.radius == pytest.approx(RADIUS, rel=0.2)
    assert estimator.finder.as_json()["source"] == "irises"


def test_gaze_of_unseen_pictures(estimator, held_out):
    """Within 1.5 degrees, a sixth of a pixel here; shut eyes are noticed, open ones are not rejected."""
    gaze, _ = require_gaze(held_out)
    found = own_error(estimator, true_pictures(held_out, range(16), (SIZE, SIZE)), gaze)
    assert np.flatnonzero(~found.is_open).tolist() == [0, 5, 10]
    figures = found.as_json()
    assert figures["error_deg"] < 1.5 and figures["error_90th_deg"] < 3.0
    assert (figures["frames"], figures["rejected_frames"]) == (16, 3)


def test_smaller_pictures_do(estimator, held_out):
    """Half the size: the camera shrinks with the picture."""
    gaze, _ = require_gaze(held_out)
    pictures = true_pictures(held_out, range(16), picture_size(held_out, SIZE // 2))
    found = own_error(estimator, pictures, gaze)
    assert found.as_json()["error_deg"] < 3.0


def test_disc_is_most_like_where_the_eyes_are(train):
    """And a correlation ignores brightness and contrast."""
    pictures, gaze = train
    places = CENTERS[1] + RADIUS * np.array([[0.0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    radius = np.full(5, RADIUS)
    score = sum(disc_likeness(picture, places, radius, each) for picture, each in zip(pictures, gaze))
    assert score.argmax() == 0
    dull = dataclasses.replace(pictures[0], colors=0.3 * pictures[0].colors + 0.1)
    np.testing.assert_allclose(
        *(disc_likeness(picture, places, radius, gaze[0]) for picture in (dull, pictures[0])), atol=1e-5
    )


def test_profile_is_dark_within_and_white_without():
    profile = IrisProfile(0.1, 0.3, 0.9, 10.0, 28.0, 1.0)
    assert profile(np.array([0.0, 19.0, 45.0])) == pytest.approx([0.1, 0.3, 0.9], abs=1e-3)
    assert profile(np.array([10.0, 28.0])) == pytest.approx([0.2, 0.6], abs=1e-3)


def test_pixels_know_where_on_the_ball_they_lie(train):
    """What the drawing shows at their angle from the gaze; lids are left out by their colour."""
    pictures, gaze = train
    eyeballs = Eyeballs(CENTERS, RADIUS)
    skin = SkinColor.learned(pictures, eyeballs)
    assert skin.deviation(SKIN * SKIN_TINT) < 2 < 5 < skin.deviation(np.full(3, IRIS))
    pixels = EyePixels.of(pictures[:6], eyeballs, skin)
    outward = pixels.outward(eyeballs)
    angle = np.rad2deg(np.arccos((outward * gaze_directions(gaze)[pixels.frame]).sum(axis=-1)))
    inner, white = np.abs(angle - (PUPIL_DEG + IRIS_DEG) / 2) < 3, angle > IRIS_DEG + 8
    for chosen, value in ((inner, IRIS), (white, WHITE)):
        assert np.median(pixels.values[chosen]) == pytest.approx(value, abs=0.06)


def test_correction_takes_out_what_is_linear(train):
    """Found gazes that are a fifth too small, aside by the camera's yaw, with three gross mistakes."""
    pictures, gaze = train
    camera = np.stack([picture.camera_gaze() for picture in pictures])
    found = (gaze - 0.05 * camera) / 1.2 + 0.02
    told = gaze + 0.5 * (np.arange(len(gaze)) < 3)[:, None]
    correction = GazeCorrection.fitted(pictures, found, told, np.ones(len(gaze), dtype=bool))
    corrected = np.stack([correction(picture, each) for picture, each in zip(pictures, found)])
    assert np.rad2deg(np.abs(corrected - gaze)[3:]).max() < 0.5


def test_too_few_frames(train):
    with pytest.raises(ValueError, match="expected at least 12 frames to calibrate, got 5"):
        GazeEstimator.calibrated(FittedIrises.calibrated, train[0][:5], train[1][:5])


def test_eyes_that_are_always_shut(train):
    class Blind:
        needs_whole_picture = False

        def look(self, picture):
            return GazeEstimate(np.zeros(2), 0.1)

        def as_json(self):
            return {}

    with pytest.raises(
        ValueError, match="expected open eyes in at least 12 of 28 frames to calibrate, found them in 0"
    ):
        GazeEstimator.calibrated(lambda pictures, gaze: Blind(), *train)
    with pytest.raises(ValueError, match="found no open eyes in any of 2 true frames"):
        OwnError(np.zeros(2), np.zeros(2, dtype=bool)).as_json()


def test_data_without_gaze_or_boxes(held_out):
    with pytest.raises(ValueError, match=r"transforms_test\.json: expected 'gaze' in every frame, got none"):
        require_gaze(dataclasses.replace(held_out, gaze=None))
    with pytest.raises(ValueError, match=r"transforms_test\.json: expected 'eyes_box' in every frame, got none"):
        require_gaze(dataclasses.replace(held_out, region_boxes={}))


def test_pictures_are_not_made_larger(held_out):
    with pytest.raises(ValueError, match=r"expected a height in 1\.\.112, the stored one, got 256"):
        picture_size(held_out, 256)
    assert picture_size(held_out, None) == (112, 112)


def test_rows_are_evenly_spread():
    assert spread_rows(10, 3) == [0, 3, 6]
    assert spread_rows(2, None) == spread_rows(2, 9) == [0, 1]
