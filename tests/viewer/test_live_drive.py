import time

import numpy as np
import pytest
from blob_model import train_expression

from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.retargeting import RetargetingConfig, RetargetingTarget, neutral_expression, retarget
from nerface_ns.viewer.face_driver import FaceDriver
from nerface_ns.viewer.live_drive import LiveDrive
from nerface_ns.viewer.live_source import LiveFrame, TrackSource

NAMES = ("jawOpen", "mouthSmileLeft", "browInnerUp")
TRAIN = train_expression().double().numpy()
TARGET = RetargetingTarget(NAMES, TRAIN)
CONFIG = RetargetingConfig(soft_clamp=False)


class Silent:
    """A source that gives nothing by itself."""

    calibration = None

    def start(self, receive) -> None:
        self.receive = receive

    def stop(self) -> None:
        pass

    def report(self) -> str:
        return "silent"


@pytest.fixture
def driver(model) -> FaceDriver:
    return FaceDriver(model)


@pytest.fixture
def live(driver) -> LiveDrive:
    return LiveDrive(driver, Silent(), TARGET, CONFIG)


def frame(*values: float, names: tuple[str, ...] = ("MouthSmile_L", "jaw_open")) -> LiveFrame:
    return LiveFrame(names, np.array(values))


def test_names_are_matched_and_differences_added(live, driver):
    """The driver's rest is zero until told; what the driver has no name for stays neutral."""
    live.receive(frame(0.2, 0.1))
    neutral = neutral_expression(TRAIN)
    np.testing.assert_allclose(driver.live_expression, neutral + np.array([0.1, 0.2, 0.0]), atol=1e-9)
    assert "no counterpart" in live.message


def test_news_are_told_once(live):
    assert not live.take_news()
    live.receive(frame(0.2, 0.1))
    assert live.take_news() and not live.take_news()


def test_the_mean_of_the_last_frames_is_the_face_at_rest(live, driver):
    for value in (0.1, 0.2, 0.3):
        live.receive(frame(value, 0.0))
    live.calibrate_neutral()
    live.receive(frame(0.2, 0.0))
    np.testing.assert_allclose(driver.live_expression, neutral_expression(TRAIN), atol=1e-9)
    live.receive(frame(0.25, 0.0))
    np.testing.assert_allclose(driver.live_expression, neutral_expression(TRAIN) + np.array([0, 0.05, 0]), atol=1e-9)


def test_no_rest_without_a_frame(live):
    with pytest.raises(ValueError, match="live: expected a frame before the face at rest"):
        live.calibrate_neutral()


def test_frames_that_do_not_fit_are_told_and_left_out(live, driver):
    live.receive(frame(0.2, 0.1))
    shown = driver.live_expression
    live.receive(LiveFrame((), np.zeros(7)))
    assert "expected 3 coefficients" in live.message and driver.live_expression is shown
    live.receive(frame(0.3, 0.1))
    assert driver.live_expression is not shown and "expected" not in live.message


def test_a_track_is_carried_over_as_retarget_does(driver):
    """Neutral and ranges of a track are known beforehand."""
    track = ExpressionTrack(100.0, NAMES, np.random.default_rng(0).random((5, 3)))
    source = TrackSource(track)
    live = LiveDrive(driver, source, TARGET, RetargetingConfig())
    expected = retarget(track, TARGET, RetargetingConfig()).expression
    for row, values in enumerate(track.expression):
        live.receive(LiveFrame(NAMES, values))
        np.testing.assert_allclose(driver.live_expression, expected[row])


def test_a_track_plays_over_and_over():
    track = ExpressionTrack(200.0, ("a",), np.arange(4.0)[:, None])
    source, given = TrackSource(track), []
    source.start(given.append)
    deadline = time.monotonic() + 10
    while len(given) < 12 and time.monotonic() < deadline:
        time.sleep(0.01)
    source.stop()
    values = [float(frame.expression[0]) for frame in given]
    assert set(values) == {0.0, 1.0, 2.0, 3.0}
    steps = np.diff(values) % 4
    assert np.median(steps) == 1
