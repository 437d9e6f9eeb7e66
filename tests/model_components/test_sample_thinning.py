import torch

from nerface_ns.model_components.sample_thinning import between_knots, choose_knots

WANTED = torch.tensor([[0, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1], [1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]], dtype=torch.bool)
"""Runs of six, three, two samples and one."""


def depths_of(count: int) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(2, count, dtype=torch.float64).cumsum(dim=1)


def test_every_sample_is_a_knot_at_stride_one():
    assert torch.equal(choose_knots(WANTED, 1), WANTED)


def test_knots_are_every_third_and_the_ends_of_runs():
    """Counted by hand along the wanted samples of each ray: 0, 3, 6 by the stride; 0, 5, 6, 8 as ends."""
    expected = torch.zeros_like(WANTED)
    expected[0, [1, 4, 6, 9, 11]] = True
    expected[1, [0, 1, 6]] = True
    assert torch.equal(choose_knots(WANTED, 3), expected)


def test_a_line_is_interpolated_exactly():
    """Within runs; knots keep their values."""
    depths, knots = depths_of(12), choose_knots(WANTED, 4)
    line = 3 * depths - 1
    found = between_knots(knots, depths).spread(torch.where(knots, line, torch.full_like(line, torch.nan)))
    torch.testing.assert_close(found[WANTED], line[WANTED])


def test_outside_the_knots_the_nearest_holds():
    depths, knots = depths_of(5), torch.zeros(2, 5, dtype=torch.bool)
    knots[0, [1, 3]] = True
    values = torch.arange(10.0, dtype=torch.float64).reshape(2, 5)
    found = between_knots(knots, depths).spread(values)
    assert found[0, [0, 1, 3, 4]].tolist() == [1, 1, 3, 3]


def test_a_ray_without_knots_is_harmless():
    depths, knots = depths_of(5), torch.zeros(2, 5, dtype=torch.bool)
    between = between_knots(knots, depths)
    assert torch.equal(between.spread(torch.zeros_like(depths)), torch.zeros_like(depths))


def test_collected_weights_are_the_transpose_of_spreading():
    """A sum over samples of weight times spread value is one over knots of collected weight times value."""
    depths, knots = depths_of(12), choose_knots(WANTED, 4)
    between = between_knots(knots, depths)
    torch.manual_seed(1)
    values, weights = torch.rand(2, 12, dtype=torch.float64), torch.rand(2, 12, dtype=torch.float64)
    collected = between.collect(weights * WANTED)
    expected = (weights * WANTED * between.spread(values * knots)).sum(dim=1)
    torch.testing.assert_close((collected * values * knots).sum(dim=1), expected)
    assert (collected[~knots] == 0).all()
