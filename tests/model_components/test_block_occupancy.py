import pytest
import torch

from nerface_ns.model_components.block_occupancy import BlockOccupancy, DepthCells, ImageBlocks, widened


@pytest.mark.parametrize(("height", "width", "side"), [(7, 10, 3), (6, 6, 2), (5, 4, 8)])
def test_blocks_match_a_slow_loop(height, width, side):
    blocks = ImageBlocks(height, width, side)
    columns = len(range(0, width, side))
    assert blocks.shape == (len(range(0, height, side)), columns)
    expected = [(row // side) * columns + column // side for row in range(height) for column in range(width)]
    assert blocks.of_pixels().tolist() == expected


@pytest.mark.parametrize(("height", "width", "side"), [(7, 10, 3), (6, 6, 2), (5, 4, 8)])
def test_each_middle_lies_in_its_block(height, width, side):
    blocks = ImageBlocks(height, width, side)
    middles = blocks.middles()
    assert blocks.of_pixels()[middles].tolist() == list(range(len(middles)))


def test_middle_of_a_whole_block():
    assert ImageBlocks(6, 9, 3).middles()[4] == 4 * 9 + 4


CELLS = DepthCells(1.0, 3.0, 5)
"""At depths 1, 1.5, ..., 3."""


def test_depths_belong_to_the_nearest_cell():
    """Cells end halfway between their middles; depths beyond near and far belong to the outer cells."""
    assert CELLS.at(torch.tensor([[0.5, 1.24, 1.26, 2.24, 2.26, 9.0]])).tolist() == [[0, 0, 1, 2, 3, 4]]


def test_the_lightest_cells_are_left_out_together():
    """Cells 0, 2, 3 have 0.01, 0.06 + 0.06, 0.05: 0.06 may go, so 0 and 3; a little less keeps 3."""
    depths = torch.tensor([[1.0, 1.9, 2.1, 2.5]])
    weights = torch.tensor([[0.01, 0.06, 0.06, 0.05]])
    assert CELLS.holding(depths, weights, 0.061).tolist() == [[False, False, True, False, False]]
    assert CELLS.holding(depths, weights, 0.059).tolist() == [[False, False, True, True, False]]
    assert not CELLS.holding(depths, weights * 0, 0.0).any()


def test_cells_get_neighbours_along_each_axis():
    cells = torch.zeros(5, 6, 7, dtype=torch.bool)
    cells[1, 2, 3] = True
    expected = torch.zeros_like(cells)
    expected[1, 1:4, 1:6] = True
    assert torch.equal(widened(cells, (0, 1, 2)), expected)


def occupancy_of(*held: tuple[int, int, int], margin: int = 1) -> BlockOccupancy:
    """3 x 4 blocks of which some hold a cell."""
    holding = torch.zeros(3, 4, 5, dtype=torch.bool)
    for place in held:
        holding[place] = True
    return BlockOccupancy(ImageBlocks(6, 8, 2), CELLS, holding.reshape(12, 5), margin)


def test_margin_reaches_the_next_blocks_and_along_the_depth():
    expected = torch.zeros(3, 4, 5, dtype=torch.bool)
    expected[0:3, 0:3, 1:4] = True
    occupancy = occupancy_of((1, 1, 2))
    assert torch.equal(occupancy.occupied.reshape(3, 4, 5), expected)
    assert torch.equal(occupancy.is_busy.reshape(3, 4), expected.any(dim=-1))
    middles = torch.tensor([[1.0, 1.5, 2.0, 2.5, 3.0]]).repeat(2, 1)
    assert occupancy.is_occupied(torch.tensor([5, 7]), middles).tolist() == [
        [False, True, True, True, False],
        [False] * 5,
    ]


def test_behind_the_first_cell_lies_all_up_to_the_images_last():
    """Block 0 starts at cell 1; block 11 reaches cell 3, and nothing lies behind."""
    occupancy = occupancy_of((0, 0, 1), (2, 3, 3), margin=0)
    middles = torch.tensor([[1.0, 1.5, 2.0, 2.5, 3.0]]).repeat(3, 1)
    found = occupancy.is_behind_first(torch.tensor([0, 11, 3]), middles)
    assert found.int().tolist() == [[0, 1, 1, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]


def test_an_image_of_nothing():
    occupancy = occupancy_of()
    assert not occupancy.is_busy.any()
    assert not occupancy.is_behind_first(torch.tensor([0]), torch.tensor([[2.0]])).any()
