from types import SimpleNamespace

import pytest
import torch
from nerfstudio.model_components import renderers

from nerface_ns.evaluation.scored_backdrop import scored_before, true_picture

HEAD, PHOTOGRAPH = torch.rand(2, 5, 6, 3, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05
ALPHA = torch.linspace(0, 1, 6).repeat(5, 1)[..., None]


def model(mode: str = "photograph"):
    return SimpleNamespace(background=SimpleNamespace(mode=mode, image=PHOTOGRAPH.permute(2, 0, 1)[None]))


def test_head_moves_from_the_photograph_to_the_colour():
    """At its soft edge too: the picture is what a renderer would have composed."""
    recorded = ALPHA * HEAD + (1 - ALPHA) * PHOTOGRAPH
    with scored_before("#ff8000"):
        found = true_picture(recorded, ALPHA, model(), "frame 3")
    colour = torch.tensor([1.0, 128 / 255, 0.0])
    torch.testing.assert_close(found, ALPHA * HEAD + (1 - ALPHA) * colour)


def test_unmatted_background_is_exactly_white():
    """Whatever the recorded pixels differ from the photograph by."""
    with scored_before("white"):
        found = true_picture(torch.rand(5, 6, 3), torch.zeros(5, 6, 1), model(), "frame 3")
    assert (found == 1).all()


def test_without_a_photograph_the_matte_alone_decides():
    recorded = torch.rand(5, 6, 3)
    with scored_before("white"):
        found = true_picture(recorded, ALPHA, model("learned"), "frame 3")
    torch.testing.assert_close(found, ALPHA * recorded + (1 - ALPHA))


def test_recorded_background_changes_nothing():
    image = torch.rand(5, 6, 3)
    with scored_before("recorded"):
        assert true_picture(image, None, model(), "frame 3") is image
    assert renderers.BACKGROUND_COLOR_OVERRIDE is None


def test_colour_is_taken_back_after_an_error():
    with pytest.raises(KeyError), scored_before("white"):
        raise KeyError
    assert renderers.BACKGROUND_COLOR_OVERRIDE is None


def test_data_without_mattes():
    with scored_before("white"), pytest.raises(ValueError, match="frame 3: expected a matte"):
        true_picture(torch.rand(5, 6, 3), None, model(), "frame 3")


@pytest.mark.parametrize("background", ["transparent", "no-colour"])
def test_backgrounds_that_cannot_be_scored_before(background):
    with pytest.raises(ValueError, match=f"--background {background}"), scored_before(background):
        pass
