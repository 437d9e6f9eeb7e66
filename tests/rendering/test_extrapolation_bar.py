import numpy as np
import pytest

from nerface_ns.rendering.extrapolation_bar import DOUBTFUL, SAFE, WRONG, bar_colour, with_extrapolation_bar


@pytest.mark.parametrize(("value", "colour"), [(0.0, SAFE), (0.25, DOUBTFUL), (0.5, WRONG), (3.0, WRONG)])
def test_colours_from_safe_to_wrong(value, colour):
    """Half a range outside is as wrong as it gets."""
    assert bar_colour(value) == colour


def test_colours_between():
    """Half way from green to yellow."""
    assert bar_colour(0.125) == (150, 185, 75)


def test_bar_stands_below_the_picture():
    """The picture stays as it was."""
    picture = np.full((48, 40, 3), 200, dtype=np.uint8)
    barred = with_extrapolation_bar(picture, 0.3)
    np.testing.assert_array_equal(barred[:48], picture)
    assert barred.shape == (52, 40, 3) and (barred[48:] == bar_colour(0.3)).all()


def test_bar_of_a_transparent_picture_is_opaque():
    """Alpha of the bar is full."""
    barred = with_extrapolation_bar(np.zeros((240, 8, 4), dtype=np.uint8), 0.1)
    assert barred.shape == (250, 8, 4) and (barred[240:, :, 3] == 255).all() and (barred[:240] == 0).all()
