"""The gaze sliders in nerfstudio's own viewer, used over viser's websocket as a browser does."""

import math

import pytest
from gaze_blob import gaze_metadata, make_gaze_model, train_gaze


@pytest.fixture
def model():
    return make_gaze_model({**gaze_metadata(), "expression_names": ("jawOpen", "mouthSmileLeft", "browInnerUp")})


def test_sliders_and_the_box_drive_the_eyes(page, panel, model):
    slider = page.widget("Aside (deg)")
    low, high = (math.degrees(float(end)) for end in (train_gaze()[:, 1].min(), train_gaze()[:, 1].max()))
    assert slider["min"] <= low - 0.1 * (high - low) and slider["max"] >= high + 0.1 * (high - low)
    page.use("Aside (deg)", 10.0)
    page.wait_for(lambda: panel.driver.state.gaze[1] == pytest.approx(math.radians(10.0)))
    page.wait_for(lambda: page.widget("Driven by")["value"] == "expression sliders")
    page.use("Eyes follow the viewer", True)
    page.wait_for(lambda: panel.driver.state.eyes_follow)
    page.use("Frame", 4)
    page.wait_for(lambda: abs(page.widget("Up (deg)")["value"] - math.degrees(float(train_gaze()[4, 0]))) < 0.5)
