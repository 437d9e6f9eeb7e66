import numpy as np
import pytest
import torch
from PIL import Image

from nerface_ns.evaluation.comparison_image import LABEL_HEIGHT_PX, comparison_image, write_png


@pytest.fixture
def outputs():
    return {
        "rgb": torch.full((6, 8, 3), 0.25),
        "accumulation": torch.linspace(0, 1, 48).reshape(6, 8, 1),
        "depth": torch.linspace(0.3, 0.7, 48).reshape(6, 8, 1),
    }


def test_png_holds_the_rounded_values(tmp_path):
    """A written PNG reads back as the colours rounded to the nearest of 256 levels, clipped to [0, 1]."""
    image = torch.tensor([[[0.0, 0.5, 1.0], [1.2, -0.3, 0.1]]])
    write_png(tmp_path / "new" / "image.png", image)
    expected = [[[0, 128, 255], [255, 0, 26]]]
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "new" / "image.png")), expected)


def test_columns_are_truth_render_error_accumulation_depth(outputs):
    """The first two columns and the accumulation are the images themselves."""
    truth = torch.rand(6, 8, 3)
    image = comparison_image(truth, outputs)
    assert image.shape == (6, 40, 3)
    torch.testing.assert_close(image[:, :8], truth)
    torch.testing.assert_close(image[:, 8:16], outputs["rgb"])
    torch.testing.assert_close(image[:, 24:32], outputs["accumulation"].expand(-1, -1, 3))


def test_error_grows_with_the_difference(outputs):
    """No difference is dark; the largest is the brightest."""
    truth = outputs["rgb"].clone()
    truth[0, 0], truth[1, 1] = 0.3, 0.9
    error = comparison_image(truth, outputs)[:, 16:24].sum(dim=-1)
    assert error[2, 2] < 0.05
    assert error[2, 2] < error[0, 0] < error[1, 1]


def test_labels_stand_above(outputs):
    """Labels add a strip and leave the images as they are."""
    truth = torch.rand(6, 8, 3)
    labelled = comparison_image(truth, outputs, labels=True)
    assert labelled.shape == (6 + LABEL_HEIGHT_PX, 40, 3)
    torch.testing.assert_close(labelled[LABEL_HEIGHT_PX:], comparison_image(truth, outputs))
