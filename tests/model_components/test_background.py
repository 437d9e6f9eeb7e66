import numpy as np
import pytest
import torch
from nerfstudio.model_components.renderers import background_color_override_context
from PIL import Image

from nerface_ns.model_components.background import BackgroundConfig

HEIGHT, WIDTH = 6, 8


@pytest.fixture
def photograph(tmp_path):
    """Red tells the row, green the column."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(HEIGHT)[:, None] * 20, np.arange(WIDTH) * 30
    Image.fromarray(image).save(tmp_path / "bg.png")
    return tmp_path / "bg.png"


def pixel_centres(height: int, width: int) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([(columns + 0.5) / width, (rows + 0.5) / height], dim=-1).reshape(-1, 2)


def make(mode="auto", photograph=None, **settings):
    return BackgroundConfig(mode=mode, **settings).setup(image_size=(HEIGHT, WIDTH), photograph=photograph)


def read(path) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(path))).float() / 255


@pytest.mark.parametrize("mode", ["auto", "photograph", "learned"])
def test_training_pixels_see_the_photographs(photograph, mode):
    colours = make(mode, photograph)(pixel_centres(HEIGHT, WIDTH))
    torch.testing.assert_close(colours, read(photograph).reshape(-1, 3), atol=1e-5, rtol=0)


def test_rendering_at_the_training_aspect_changes_nothing(photograph):
    background, positions = make(photograph=photograph), pixel_centres(HEIGHT, WIDTH)
    torch.testing.assert_close(background(positions, WIDTH / HEIGHT), background(positions))


def test_a_wide_picture_is_covered_and_loses_top_and_bottom(photograph):
    """16:6 from 8:6: full width, the middle half of the height (rows 1.5 to 4.5)."""
    colours = make(photograph=photograph)(pixel_centres(6, 16), 16 / 6).reshape(6, 16, 3) * 255
    torch.testing.assert_close(colours[[0, -1], 0, 0], torch.tensor([1.25, 3.75]) * 20, atol=1e-3, rtol=0)
    torch.testing.assert_close(colours[0, [0, 2, -1], 1], torch.tensor([0.0, 0.75, 7.0]) * 30, atol=1e-3, rtol=0)


def test_a_tall_picture_is_covered_and_loses_the_sides(photograph):
    """4:6 from 8:6: full height, columns 2 to 6."""
    colours = make(photograph=photograph)(pixel_centres(6, 4), 4 / 6).reshape(6, 4, 3) * 255
    torch.testing.assert_close(colours[0, :, 1], torch.tensor([2.0, 3.0, 4.0, 5.0]) * 30, atol=1e-3, rtol=0)
    torch.testing.assert_close(colours[:, 0, 0], torch.arange(6.0) * 20, atol=1e-3, rtol=0)


def test_photograph_of_another_size_is_brought_to_the_images(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (2 * HEIGHT, 2 * WIDTH, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "bg.png")
    mean = pixels.reshape(HEIGHT, 2, WIDTH, 2, 3).mean(axis=(1, 3)).astype(np.float32) / 255
    colours = make(photograph=tmp_path / "bg.png")(pixel_centres(HEIGHT, WIDTH))
    torch.testing.assert_close(colours.reshape(HEIGHT, WIDTH, 3), torch.from_numpy(mean), atol=0.5 / 255 + 1e-5, rtol=0)


def test_solid_colour():
    colours = make("colour", colour=(0.1, 0.2, 0.3))(pixel_centres(5, 9), 9 / 5)
    torch.testing.assert_close(colours, torch.tensor([[0.1, 0.2, 0.3]]).repeat(45, 1))


def test_only_the_learned_background_learns(photograph):
    assert not make(photograph=photograph).image.requires_grad
    assert not make("colour").image.requires_grad
    learned = make()
    assert learned.mode == "learned"
    position = pixel_centres(HEIGHT, WIDTH)[[10]]
    learned(position).sum().backward()
    expected = torch.zeros(HEIGHT, WIDTH)
    expected[1, 2] = 1
    torch.testing.assert_close(learned.image.grad[0, 0], expected, atol=1e-5, rtol=0)


def test_a_viewers_crop_names_the_colour(photograph):
    with background_color_override_context(torch.tensor([0.0, 1.0, 0.5])):
        colours = make(photograph=photograph)(pixel_centres(2, 2))
    torch.testing.assert_close(colours, torch.tensor([[0.0, 1.0, 0.5]]).repeat(4, 1))


def test_photograph_that_the_data_lack():
    with pytest.raises(FileNotFoundError, match=r"background.mode photograph: expected a background photograph"):
        make("photograph")


def test_photograph_that_is_none(tmp_path):
    path = tmp_path / "bg.png"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bg.png: expected a readable background image, got 7 bytes"):
        make(photograph=path)
