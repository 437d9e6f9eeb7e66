import pytest
import torch
from nerfstudio.cameras.cameras import Cameras

from nerface_ns.model_components.foveation import SOFT_EDGE, Foveation, FoveationConfig, foveation_of

HEIGHT, WIDTH, BLOCK = 37, 50, 4
CENTRE, RADIUS = (15.0, 22.0), 8.0


def pixel_centres(height: int = HEIGHT, width: int = WIDTH) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return rows.flatten(), columns.flatten()


def distances() -> torch.Tensor:
    rows, columns = pixel_centres()
    return torch.hypot(rows - CENTRE[0], columns - CENTRE[1])


def test_the_middle_is_rendered_whole_and_a_grid_elsewhere():
    foveation = Foveation((HEIGHT, WIDTH), CENTRE, RADIUS, BLOCK)
    inside = set((distances() < RADIUS).nonzero()[:, 0].tolist())
    grid = {row * WIDTH + column for row in range(2, HEIGHT, BLOCK) for column in range(2, WIDTH, BLOCK)}
    assert foveation.pixels.tolist() == sorted(inside | grid)


def test_the_middle_stays_to_the_bit():
    torch.manual_seed(0)
    image = torch.rand(HEIGHT * WIDTH, 3)
    foveation = Foveation((HEIGHT, WIDTH), CENTRE, RADIUS, BLOCK)
    filled = foveation.fill(image[foveation.pixels])
    sharp = distances() <= (1 - SOFT_EDGE) * RADIUS - 1e-4
    assert sharp.sum() > 100 and torch.equal(filled[sharp], image[sharp])


def test_elsewhere_a_plane_stays_a_plane():
    """Bilinear interpolation is exact for values linear in row and column, out to the outermost rays."""
    rows, columns = pixel_centres()
    image = torch.stack([2 * rows - columns, columns + 1], dim=-1)
    foveation = Foveation((HEIGHT, WIDTH), CENTRE, RADIUS, BLOCK)
    filled = foveation.fill(image[foveation.pixels])
    last_row, last_column = (range(2, size, BLOCK)[-1] for size in (HEIGHT, WIDTH))
    within = (rows > 2) & (rows < last_row + 1) & (columns > 2) & (columns < last_column + 1)
    torch.testing.assert_close(filled[within], image[within], atol=1e-4, rtol=1e-5)
    corner = image.reshape(HEIGHT, WIDTH, 2)[2, 2]
    torch.testing.assert_close(filled[0], corner, msg="beyond the outermost rays the nearest one counts")


def test_a_picture_smaller_than_a_block():
    foveation = Foveation((2, 1), (50.0, 50.0), 1.0, 8)
    assert foveation.pixels.tolist() == [0]
    torch.testing.assert_close(foveation.fill(torch.tensor([[3.0]])), torch.full((2, 1), 3.0))


def camera_before(box_centre: torch.Tensor, turn: torch.Tensor) -> Cameras:
    """Look from four units away, off the picture's middle."""
    offset = torch.tensor([0.5, -0.25, 4.0])
    pose = torch.cat([turn, (box_centre + turn @ offset)[:, None]], dim=1)
    return Cameras(pose[None], 100.0, 100.0, 30.0, 20.0, WIDTH, HEIGHT)


def test_the_middle_follows_the_head():
    """The pinhole formula by hand: the head's middle lies at (-0.5, 0.25, -4) in the camera's axes."""
    angle = torch.tensor(0.7)
    turn = torch.tensor([[angle.cos(), 0, angle.sin()], [0, 1, 0], [-angle.sin(), 0, angle.cos()]])
    box = torch.tensor([[0.0, -1.0, 0.0], [2.0, 1.0, 1.0]])
    found = foveation_of(FoveationConfig(radius=0.1, block=3), camera_before(box.mean(dim=0), turn), box)
    size, centre, radius, block = found.name
    assert size == (HEIGHT, WIDTH) and block == 3
    assert centre == pytest.approx((20 - 100 * 0.25 / 4, 30 - 100 * 0.5 / 4), abs=1e-3)
    assert radius == pytest.approx(0.1 * 2 * 100 / 4, abs=1e-3)


@pytest.mark.parametrize("settings", [{"radius": 0.0}, {"radius": 0.2, "block": 1}])
def test_settings_that_render_every_pixel(settings):
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    assert foveation_of(FoveationConfig(**settings), camera_before(box.mean(dim=0), torch.eye(3)), box) is None


@pytest.mark.parametrize("settings", [{"radius": -0.1}, {"radius": float("nan")}, {"radius": 0.2, "block": 0}])
def test_impossible_settings_are_refused(settings):
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    with pytest.raises(ValueError, match="foveation: expected a radius of 0 or more and a block of 1 or more"):
        foveation_of(FoveationConfig(**settings), camera_before(box.mean(dim=0), torch.eye(3)), box)


def test_a_head_behind_the_camera_has_no_middle():
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    behind = camera_before(box.mean(dim=0) + torch.tensor([0.0, 0.0, -9.0]), torch.eye(3))
    assert foveation_of(FoveationConfig(radius=0.2), behind, box) is None
