import torch

from nerface_ns.fitting.expression_prior import TrainedSpread


def rows() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(50, 2, generator=generator) @ torch.randn(2, 7, generator=generator) + 3


def test_numbers_of_a_row_give_it_back():
    """Rows of a plane in seven dimensions."""
    spread = TrainedSpread.of(rows(), 5)
    assert spread.num_directions == 2
    for row in rows()[:5]:
        torch.testing.assert_close(spread.decode(spread.encode(row)), row, atol=1e-4, rtol=0)


def test_rows_are_as_common_as_numbers_say():
    spread = TrainedSpread.of(rows(), 5)
    numbers = torch.stack([spread.encode(row) for row in rows()])
    torch.testing.assert_close(numbers.T.cov(), torch.eye(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(numbers.mean(dim=0), torch.zeros(2), atol=1e-5, rtol=0)


def test_the_trained_range_is_kept():
    spread = TrainedSpread.of(rows(), 5)
    place = spread.decode(torch.tensor([100.0, 100.0]))
    assert (place >= rows().amin(dim=0)).all() and (place <= rows().amax(dim=0)).all()


def test_only_the_strongest_directions():
    """Of three along axes with spreads 10, 5 and 0.1 one is asked for; the last would be left out by itself."""
    scale = torch.tensor([5.0, 10.0, 0.1])
    data = torch.randn(200, 3, generator=torch.Generator().manual_seed(1)) * scale
    assert TrainedSpread.of(data, 9).num_directions == 2
    (direction,) = TrainedSpread.of(data, 1).directions
    assert direction.abs().argmax() == 1 and abs(float(direction[1].abs()) - 10) < 1


def test_nothing_to_choose():
    """Codes of length 0, and codes that are all alike."""
    for data in (torch.zeros(6, 0), torch.full((6, 3), 0.5)):
        spread = TrainedSpread.of(data, 4)
        assert spread.num_directions == 0
        torch.testing.assert_close(spread.decode(torch.zeros(0)), data[0])
        assert spread.encode(data[0]).shape == (0,)
