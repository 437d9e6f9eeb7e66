import torch

from nerface_ns.fitting.least_squares import LeastSquares, Numbers

GENERATOR = torch.Generator().manual_seed(0)


def known(count: int, precision: float = 0.0, free: bool = True) -> Numbers:
    return Numbers(torch.full((count,), 0.1), torch.full((count,), precision), torch.full((count,), free))


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=GENERATOR)


SOLVER = LeastSquares(iterations=12, huber_delta=1e6, weight=1000.0, damping=1e-4, least_gain=0.0)


def test_two_pictures_that_share_numbers():
    """As one dense linear problem solved in closed form."""
    own, shared = [random(30, 3), random(30, 3)], [random(30, 2), random(30, 2)]
    truth = [random(30), random(30)]
    residuals = [
        lambda numbers, common, a=a, b=b, y=y: a @ numbers + b @ common - y for a, b, y in zip(own, shared, truth)
    ]
    found, common, _ = SOLVER.minimise(residuals, [torch.zeros(3)] * 2, torch.zeros(2), known(3), known(2))
    zero = torch.zeros(30, 3)
    matrix = torch.cat([torch.cat([own[0], zero, shared[0]], 1), torch.cat([zero, own[1], shared[1]], 1)])
    expected = torch.linalg.lstsq(matrix, torch.cat(truth)[:, None]).solution[:, 0]
    torch.testing.assert_close(torch.cat([*found, common]), expected, atol=1e-3, rtol=0)


def test_what_is_known_beforehand():
    """Ridge regression: the cost is weight / 2 mean r^2 + precision / 2 x^2."""
    matrix, truth, precision = random(40, 3), random(40), 500.0
    solver = SOLVER
    (found,), _, cost = solver.minimise(
        [lambda numbers, _: matrix @ numbers - truth], [torch.zeros(3)], torch.zeros(0), known(3, precision), known(0)
    )
    normal = 1000 / 40 * matrix.T @ matrix + precision * torch.eye(3)
    expected = torch.linalg.solve(normal, 1000 / 40 * matrix.T @ truth)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
    value = 500 * float((matrix @ expected - truth).square().mean()) + precision / 2 * float(expected.square().sum())
    assert abs(cost - value) < 1e-2


def test_held_numbers_stay():
    start = torch.tensor([0.3, -0.2, 0.1])
    numbers = Numbers(torch.full((3,), 0.1), torch.zeros(3), torch.tensor([True, False, True]))
    matrix = random(20, 3)
    (found,), _, _ = SOLVER.minimise(
        [lambda numbers, _: matrix @ numbers - 1], [start], torch.zeros(0), numbers, known(0)
    )
    assert found[1] == start[1] and found[0] != start[0]


def test_a_curved_problem():
    """A circle's middle and radius from points on it."""
    angle = torch.linspace(0, 2, 25)
    points = torch.stack([2 + 1.5 * angle.cos(), -1 + 1.5 * angle.sin()], dim=-1)
    (found,), _, _ = LeastSquares(30, 1e6, 1000.0, least_gain=0.0).minimise(
        [lambda n, _: (points - n[:2]).norm(dim=-1) - n[2]],
        [torch.tensor([0.0, 0.0, 1.0])],
        torch.zeros(0),
        Numbers(torch.full((3,), 1e-3), torch.zeros(3), torch.ones(3, dtype=torch.bool)),
        known(0),
    )
    torch.testing.assert_close(found, torch.tensor([2.0, -1.0, 1.5]), atol=1e-2, rtol=0)


def test_a_few_wrong_values_hardly_matter():
    """The mean of 30 zeros and two hundreds: 6 by squares, next to 0 by Huber's cost."""
    truth = torch.cat([torch.zeros(30), torch.full((2,), 100.0)])
    (found,), _, _ = LeastSquares(40, 0.1, 1000.0, least_gain=0.0).minimise(
        [lambda numbers, _: numbers - truth], [torch.tensor([5.0])], torch.zeros(0), known(1), known(0)
    )
    assert abs(float(found)) < 0.05
