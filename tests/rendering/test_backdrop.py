import pytest
import torch
from blob_model import make_cameras, make_model

from nerface_ns.rendering.backdrop import Backdrop


@pytest.fixture(scope="module")
def rendered():
    model = make_model()
    with torch.no_grad():
        return model, model.get_outputs_for_camera(make_cameras()[2:3])


@pytest.mark.parametrize(
    ("text", "colour"), [("white", (1.0, 1.0, 1.0)), ("#ff8000", (1.0, 128 / 255, 0.0)), ("rgb(0,51,0)", (0, 0.2, 0))]
)
def test_colours_by_name_and_number(text, colour):
    """Pillow's names of colours."""
    assert Backdrop.parse(text).colour == pytest.approx(colour)


def test_what_is_no_colour_is_refused():
    """The error says what is understood."""
    with pytest.raises(ValueError, match="--background plaid: expected recorded, transparent, or a colour"):
        Backdrop.parse("plaid")


def test_recorded_background_is_what_the_model_renders(rendered):
    """8-bit colours, rounded to nearest."""
    model, outputs = rendered
    picture = Backdrop.parse("recorded").picture(model, outputs)
    assert (torch.from_numpy(picture) / 255 - outputs["rgb"]).abs().max() <= 0.5 / 255 + 1e-6


def test_colour_stands_behind_the_head(rendered):
    """The corner sees nothing of the head, the middle nothing of the background."""
    model, outputs = rendered
    picture = Backdrop((0.0, 1.0, 0.0)).picture(model, outputs)
    assert picture[0, 0].tolist() == [0, 255, 0]
    middle = (outputs["rgb"][6, 8] * 255).round().int().tolist()
    assert outputs["accumulation"][6, 8] > 0.99 and abs(picture[6, 8].astype(int) - middle).max() <= 3


def test_transparent_picture_has_the_opacity_as_alpha(rendered):
    """Straight colours: where alpha is full they are the render's."""
    model, outputs = rendered
    picture = Backdrop.parse("transparent").picture(model, outputs)
    assert picture.shape == (12, 16, 4) and picture[0, 0, 3] == 0 and picture[6, 8, 3] >= 252
