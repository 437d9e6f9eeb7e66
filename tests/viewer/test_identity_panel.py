"""The choice of persons in nerfstudio's own viewer, used over viser's websocket as a browser does."""

import pytest
import torch
from blob_model import NUM_FRAMES, make_cameras, make_metadata, make_model

from nerface_ns.conditioning import keys


@pytest.fixture
def model():
    metadata = {
        **make_metadata(),
        "expression_names": ("jawOpen", "mouthSmileLeft", "browInnerUp"),
        keys.IDENTITY_NAMES: ("anna", "ben"),
        keys.TRAIN_IDENTITY: torch.tensor([0, 0, 0, 1, 1, 1]),
        keys.IDENTITY_BACKGROUNDS: (None, None),
    }
    return make_model(metadata)


def test_persons_are_chosen_and_morphed(page, panel, model):
    camera = make_cameras(times=torch.full((NUM_FRAMES, 1), 0.8))[0:1]

    def shown() -> list[float]:
        return model.get_camera_condition(camera).identity[0].tolist()

    assert shown() == [0, 1]
    page.use("Person", "anna")
    page.wait_for(lambda: shown() == [1, 0])
    page.use("Morph", 0.25)
    page.wait_for(lambda: shown() == pytest.approx([0.75, 0.25]))
    page.use("Frame", 4)
    page.wait_for(lambda: shown() == [0, 1])
    page.wait_for(lambda: page.widget("Morph")["value"] == 1 or page.widget("Person")["value"] == "ben")
    page.use("Person", "as recorded")
    page.wait_for(lambda: panel.driver.state.shares is None)
