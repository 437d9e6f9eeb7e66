import numpy as np
import pytest
import torch
from blob_model import make_cameras
from PIL import Image

from nerface_ns.data.face_dataset import FaceDataset
from nerface_ns.model_components.occupancy import FaceOccupancyGridConfig
from nerface_ns.models.initial_carving import CarvingConfig

HEIGHT, WIDTH, SCALE = 48, 64, 4
RADIUS = 0.05
"""Of the ball whose outline the views show."""


class BallViews(FaceDataset):
    """Stands in for a `FaceDataset` of a ball: its cameras, and what is asked for of its outline."""

    def __init__(self, **metadata) -> None:
        self.cameras = make_cameras(scale=SCALE)
        self.metadata = {"image_size": (HEIGHT, WIDTH), **metadata}

    def __len__(self) -> int:
        return len(self.cameras)

    def outline(self, index: int) -> np.ndarray:
        """(H, W) where the ball hides the background, ray by ray."""
        rays = self.cameras.generate_rays(camera_indices=index)
        nearest = torch.linalg.cross(rays.origins, rays.directions).norm(dim=-1)
        return (nearest < RADIUS).numpy()

    def get_data(self, index: int) -> dict[str, torch.Tensor]:
        outline = torch.from_numpy(self.outline(index)).float()[..., None]
        return {"alpha": outline, "image": outline * 0.5 + 0.2}

    def boxes(self) -> torch.Tensor:
        """(n, 4) y0, y1, x0, x1 as fractions."""
        boxes = []
        for index in range(len(self)):
            rows, columns = np.nonzero(self.outline(index))
            y = [rows.min() / HEIGHT, (rows.max() + 1) / HEIGHT]
            boxes.append([*y, columns.min() / WIDTH, (columns.max() + 1) / WIDTH])
        return torch.tensor(boxes)


def make_grid():
    """A grid that every view shows whole."""
    aabb = torch.tensor([[-0.1, -0.09, -0.1], [0.1, 0.09, 0.1]])
    return FaceOccupancyGridConfig(resolution=24).setup(aabb=aabb)


def kept(views: BallViews, **settings) -> torch.Tensor:
    """Distance from the ball's middle of the cells that stay."""
    grid = make_grid()
    empty = CarvingConfig(**settings).setup().find_empty(grid, views)
    return grid.cell_centres()[~empty]


@pytest.mark.parametrize("outline", ["mattes", "background", "face_boxes"])
def test_the_ball_stays_and_most_of_the_rest_goes(outline, tmp_path):
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 51, np.uint8)).save(tmp_path / "bg.png")
    views = BallViews(alpha_filenames=[], background_filename=tmp_path / "bg.png", scene_box_covers="face_box")
    views.metadata["face_boxes"] = views.boxes()
    cells = kept(views, outline=outline)
    ball = make_grid().cell_centres().norm(dim=-1) < RADIUS
    assert (cells.norm(dim=-1) < RADIUS).sum() == ball.sum()
    assert len(cells) < 0.5 * 24**3
    assert (cells[:, 1].abs() < 0.085).all()


def test_margin_widens_the_outline():
    """By 2 pixels of 48, which are 0.0125 where 80 pixels are half a unit: not two cells of 0.0075."""
    views = BallViews(alpha_filenames=[])
    tight, wide = (kept(views, margin=margin, least_share=1.0)[:, 1].max() for margin in (1 / 48, 3 / 48))
    assert 0.007 < wide - tight < 0.016


def test_auto_takes_what_there_is():
    views = BallViews()
    assert len(kept(views)) == 24**3
    views.metadata["face_boxes"] = views.boxes()
    assert len(kept(views)) == 24**3  # the scene box may hold more than the face
    views.metadata["scene_box_covers"] = "face_box"
    by_boxes = len(kept(views))
    views.metadata["alpha_filenames"] = []
    assert len(kept(views)) <= by_boxes < 24**3


def test_none_keeps_everything():
    assert len(kept(BallViews(alpha_filenames=[]), outline="none")) == 24**3


def test_outline_that_the_data_lack():
    with pytest.raises(ValueError, match=r"carving.outline mattes: expected them in the data, got none"):
        kept(BallViews(), outline="mattes")


def test_cameras_that_see_nothing_of_the_box():
    """Outlines in a corner, away from everything."""
    views = BallViews(scene_box_covers="face_box", face_boxes=torch.tensor([[0.0, 0.02, 0.0, 0.02]]).repeat(6, 1))
    with pytest.raises(ValueError, match="carving by face_boxes: expected the scene box to project into the outlines"):
        kept(views, least_share=1.0)


def test_cells_outside_every_image_stay():
    """A grid behind the cameras is unknown, not empty."""
    grid = FaceOccupancyGridConfig(resolution=4).setup(aabb=torch.tensor([[-0.1, -0.1, 2.0], [0.1, 0.1, 2.2]]))
    assert not CarvingConfig().setup().find_empty(grid, BallViews(alpha_filenames=[])).any()


def test_views_are_spread_over_the_recording():
    views, seen = BallViews(alpha_filenames=[]), []
    views.get_data = lambda index: seen.append(index) or BallViews.get_data(views, index)
    kept(views, num_views=3)
    assert seen == [0, 2, 5]
