import itertools

import pytest
import torch

from nerface_ns.field_components import grid_kernels
from nerface_ns.field_components.feature_grid import FeatureGridConfig, grid_lookup, grid_lookup_torch

RESOLUTIONS = (2, 5, 7)


def random_table(channels: int, resolutions=RESOLUTIONS) -> torch.Tensor:
    return torch.randn(sum(r**3 for r in resolutions), channels)


def points_everywhere(count: int = 300) -> torch.Tensor:
    """Points inside, outside, on the border and on vertices."""
    vertices = torch.tensor(list(itertools.product([0.0, 0.25, 0.5, 1.0], repeat=3)))
    return torch.cat([torch.rand(count, 3) * 1.4 - 0.2, vertices])


def slow_lookup(points: torch.Tensor, table: torch.Tensor, resolutions) -> torch.Tensor:
    """The weighted sum of eight vertices, number by number."""
    rows = []
    for point in points.double().clamp(0, 1).tolist():
        features, first_row = [], 0
        for resolution in resolutions:
            total = torch.zeros(table.shape[1], dtype=torch.float64)
            for vertex in itertools.product(range(resolution), repeat=3):
                distance = [abs(x * (resolution - 1) - v) for x, v in zip(point, vertex)]
                if max(distance) < 1:
                    weight = (1 - distance[0]) * (1 - distance[1]) * (1 - distance[2])
                    index = (vertex[0] * resolution + vertex[1]) * resolution + vertex[2]
                    total += weight * table[first_row + index].double()
            features.append(total)
            first_row += resolution**3
        rows.append(torch.cat(features))
    return torch.stack(rows).float()


@pytest.mark.parametrize("lookup", [grid_lookup, grid_lookup_torch])
def test_lookup_matches_loop(lookup):
    torch.manual_seed(0)
    points, table = points_everywhere(20), random_table(3)
    torch.testing.assert_close(lookup(points, table, RESOLUTIONS), slow_lookup(points, table, RESOLUTIONS))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_kernels_match_torch(channels):
    """Values and both gradients; an odd and an even number of channels are shared out differently among threads.

    On the border itself either side's gradient is right.
    """
    torch.manual_seed(0)
    results = []
    upstream = torch.randn(364, channels * len(RESOLUTIONS))
    points, table = points_everywhere(), random_table(channels)
    for lookup in (grid_lookup, grid_lookup_torch):
        leaves = points.clone().requires_grad_(), table.clone().requires_grad_()
        features = lookup(*leaves, RESOLUTIONS)
        results.append((features, *torch.autograd.grad(features, leaves, upstream)))
    on_border = (points == 0) | (points == 1)
    (features, point_grad, table_grad), plain = results
    torch.testing.assert_close(features, plain[0])
    torch.testing.assert_close(point_grad[~on_border], plain[1][~on_border], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(table_grad, plain[2], atol=1e-5, rtol=1e-4)


def test_kernel_computes_only_the_gradients_asked_for():
    points, table = torch.rand(5, 3, requires_grad=True), random_table(2)
    grid_lookup(points, table, RESOLUTIONS).sum().backward()
    assert points.grad is not None and table.grad is None
    grid_lookup(points.detach(), table.requires_grad_(), RESOLUTIONS).sum().backward()
    assert table.grad is not None


def test_torch_path_has_right_derivatives():
    torch.manual_seed(0)
    points = (torch.rand(6, 3, dtype=torch.float64) * 0.9 + 0.05).requires_grad_()
    table = random_table(2, (2, 4)).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda *leaves: grid_lookup_torch(*leaves, (2, 4)), (points, table))


def test_points_outside_move_nothing():
    """A clamped coordinate has no gradient, the others keep theirs."""
    points = torch.tensor([[1.5, 0.3, 0.4], [0.2, -0.1, 0.6]], requires_grad=True)
    torch.manual_seed(0)
    grid_lookup(points, random_table(2), RESOLUTIONS).square().sum().backward()
    assert points.grad[0, 0] == 0 and points.grad[1, 1] == 0
    assert (points.grad[[0, 0, 1, 1], [1, 2, 0, 2]] != 0).all()


def test_linear_functions_are_reproduced():
    slope, points = torch.tensor([2.0, -3.0, 0.5]), torch.rand(50, 3)
    vertices = torch.cartesian_prod(*[torch.linspace(0, 1, 6)] * 3)
    features = grid_lookup(points, (vertices @ slope)[:, None], (6,))
    torch.testing.assert_close(features[:, 0], points @ slope, atol=1e-5, rtol=1e-5)


def test_no_points():
    assert grid_lookup(torch.zeros(0, 3), random_table(2), RESOLUTIONS).shape == (0, 6)


def test_layer_looks_its_table_up():
    grid = FeatureGridConfig(resolutions=RESOLUTIONS, channels=2, init_scale=0.1).setup()
    assert grid.num_features == 6 and grid.table.abs().max() <= 0.1
    points = torch.rand(9, 3)
    torch.testing.assert_close(grid(points), grid_lookup_torch(points, grid.table, RESOLUTIONS))


@pytest.mark.parametrize("settings", [{"resolutions": (8, 1)}, {"channels": 0}])
def test_impossible_sizes(settings):
    with pytest.raises(ValueError, match="resolutions >= 2 and channels >= 1"):
        FeatureGridConfig(**settings).setup()


@pytest.mark.parametrize(
    ("num_levels", "num_threads", "num_lanes"), [(4, 1, 4), (4, 2, 4), (3, 2, 2), (3, 1, 4), (4, 8, 2)]
)
def test_channels_are_halved_where_levels_do_not_divide(monkeypatch, num_levels, num_threads, num_lanes):
    monkeypatch.setattr(grid_kernels.numba, "get_num_threads", lambda: num_threads)
    assert grid_kernels.shared_lanes((0,) * 4, num_levels) == (0,) * num_lanes
    assert grid_kernels.shared_lanes((0,) * 3, num_levels) == (0,) * 3


def test_halved_channels_give_the_same_gradient(monkeypatch):
    """But for the last bit, as compilers fuse other products and sums."""
    gradients = []
    for share in (1, 2):
        monkeypatch.setattr(grid_kernels, "shared_lanes", lambda lanes, num_levels, share=share: lanes[::share])
        torch.manual_seed(3)
        table, points = torch.rand(4**3 + 7**3, 4, requires_grad=True), torch.rand(50, 3)
        grid_lookup(points, table, (4, 7)).square().sum().backward()
        gradients.append(table.grad)
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-6)
