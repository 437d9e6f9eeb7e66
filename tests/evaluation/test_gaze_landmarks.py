"""Gaze from landmarks, with a finder that knows where the irises are."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from drawn_eyes import CENTERS, RADIUS, drawn_frames

from nerface_ns.evaluation.gaze_estimator import GazeEstimator, own_error
from nerface_ns.evaluation.gaze_frames import true_pictures
from nerface_ns.evaluation.gaze_geometry import Eyeballs
from nerface_ns.evaluation.gaze_landmarks import LandmarkIrises
from nerface_ns.tracking.canonical_face import LEFT_IRIS, NUM_LANDMARKS, RIGHT_IRIS

SIZE, COUNT = 96, 24


class Finder:
    """Finds the irises of the pictures that it was told of, a fifth of a pixel off; no face in any other."""

    names = ("eyeBlinkLeft", "eyeBlinkRight")

    def __init__(self, pictures, gaze):
        self.known = {}
        noise = np.random.default_rng(0)
        for picture, look in zip(pictures, gaze):
            landmarks = np.zeros((1, NUM_LANDMARKS, 3), dtype=np.float32)
            iris_px = Eyeballs(CENTERS, RADIUS).iris_px(picture, np.stack([look, look])) + np.array(picture.corner_px)
            landmarks[0, [RIGHT_IRIS, LEFT_IRIS], :2] = iris_px + noise.normal(scale=0.2, size=(2, 2))
            self.known[picture.whole.tobytes()] = landmarks

    def find(self, image):
        landmarks = self.known.get(image.tobytes(), np.zeros((0, NUM_LANDMARKS, 3)))
        return SimpleNamespace(landmarks_px=landmarks, blendshapes=np.array([[0.1, 0.3]]))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    frames = drawn_frames(tmp_path_factory.mktemp("drawn"), "train", COUNT, seed=0, size=SIZE)
    return true_pictures(frames, range(COUNT), (SIZE, SIZE), keep_whole=True), frames.gaze


def test_gaze_comes_back_from_irises(drawn):
    """Half of the pictures calibrate; a fifth of a pixel is 2 degrees at each eye."""
    pictures, gaze = drawn
    finder = Finder(pictures, gaze)
    estimator = GazeEstimator.calibrated(
        lambda some, known: LandmarkIrises.calibrated(finder, some, known), pictures[::2], gaze[::2]
    )
    assert estimator.finder.needs_whole_picture and estimator.finder.as_json()["source"] == "landmarks"
    found = own_error(estimator, pictures[1::2], gaze[1::2])
    assert found.is_open.all() and found.as_json()["error_deg"] < 4.0


def test_picture_without_a_face_shows_no_open_eyes(drawn):
    eyes = LandmarkIrises(Finder([], []), Eyeballs(CENTERS, RADIUS))
    assert not eyes.look(drawn[0][0]).is_open


def test_eyes_alone_are_not_enough(drawn, tmp_path):
    frames = drawn_frames(tmp_path, "test", 1, seed=3, size=SIZE)
    eyes = LandmarkIrises(Finder([], []), Eyeballs(CENTERS, RADIUS))
    with pytest.raises(ValueError, match="expected pictures with the whole face, got crops of the eyes"):
        eyes.look(true_pictures(frames, [0], (SIZE, SIZE))[0])


def test_without_mediapipe_or_its_model(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(ValueError, match="finding faces needs MediaPipe"):
        LandmarkIrises.calibrator(tmp_path / "none.task")
