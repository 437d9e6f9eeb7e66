import itertools

import pytest
import torch

from nerface_ns.field_components.blended_lookup import (
    TableLevels,
    blended_lookup,
    blended_lookup_torch,
    level_resolutions,
)

LEVELS = TableLevels.within((2, 5, 7), log2_size=6)
"""8 rows, dense; 64 rows each for 125 and 343 vertices, hashed."""
SHIFTED = TableLevels.half_shifted(3, 9, 3, log2_size=6)
"""64 rows, dense; 64 rows each for 7 and 10 vertices along an axis, hashed."""
BOTH = pytest.mark.parametrize("levels", [LEVELS, SHIFTED], ids=["on-vertices", "half-shifted"])
NUM_FRAMES = 3


def random_tables(channels: int, levels: TableLevels = LEVELS) -> torch.Tensor:
    return torch.randn(NUM_FRAMES, levels.num_rows, channels)


def points_everywhere(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points inside, outside, on the border and on vertices, of which the second frame has none."""
    vertices = torch.tensor(list(itertools.product([0.0, 0.25, 0.5, 1.0], repeat=3)))
    points = torch.cat([torch.rand(count, 3) * 1.4 - 0.2, vertices])
    return points, 2 * (torch.arange(len(points)) >= count // 3).long()


def slow_row(x: int, y: int, z: int, resolution: int, size: int) -> int:
    """instant-ngp's index: by rows where they fit, else the hash in 32-bit arithmetic."""
    if resolution**3 <= size:
        return (x * resolution + y) * resolution + z
    return (x ^ (y * 2654435761 % 2**32) ^ (z * 805459861 % 2**32)) % size


def slow_lookup(
    points: torch.Tensor, frame_rows: torch.Tensor, tables: torch.Tensor, levels: TableLevels
) -> torch.Tensor:
    """The weighted sum of eight vertices, number by number."""
    rows = []
    for point, frame in zip(points.double().clamp(0, 1).tolist(), frame_rows.tolist()):
        features, first_row = [], 0
        for resolution, size, scale in zip(levels.resolutions, levels.sizes, levels.scales):
            total = torch.zeros(tables.shape[2], dtype=torch.float64)
            for vertex in itertools.product(range(resolution), repeat=3):
                distance = [abs(x * scale + levels.shift - v) for x, v in zip(point, vertex)]
                if max(distance) < 1:
                    weight = (1 - distance[0]) * (1 - distance[1]) * (1 - distance[2])
                    total += weight * tables[frame, first_row + slow_row(*vertex, resolution, size)].double()
            features.append(total)
            first_row += size
        rows.append(torch.cat(features))
    return torch.stack(rows).float()


@BOTH
@pytest.mark.parametrize("lookup", [blended_lookup, blended_lookup_torch])
def test_lookup_matches_loop(lookup, levels):
    torch.manual_seed(0)
    points, frame_rows = points_everywhere(20)
    arguments = points, frame_rows, random_tables(2, levels), levels
    torch.testing.assert_close(lookup(*arguments), slow_lookup(*arguments))


@BOTH
@pytest.mark.parametrize("channels", [2, 4])
def test_kernels_match_torch(channels, levels):
    """Values and both gradients. On the border itself either side's gradient is right."""
    torch.manual_seed(0)
    points, frame_rows = points_everywhere(300)
    tables, upstream = random_tables(channels, levels), torch.randn(len(points), channels * 3)
    results = []
    for lookup in (blended_lookup, blended_lookup_torch):
        leaves = points.clone().requires_grad_(), tables.clone().requires_grad_()
        features = lookup(leaves[0], frame_rows, leaves[1], levels)
        results.append((features, *torch.autograd.grad(features, leaves, upstream)))
    on_border = (points == 0) | (points == 1)
    (features, point_grad, tables_grad), plain = results
    torch.testing.assert_close(features, plain[0])
    torch.testing.assert_close(point_grad[~on_border], plain[1][~on_border], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(tables_grad, plain[2], atol=1e-5, rtol=1e-4)


def test_kernel_computes_only_the_gradients_asked_for():
    points, frame_rows = points_everywhere(3)
    points.requires_grad_()
    tables = random_tables(2)
    blended_lookup(points, frame_rows, tables, LEVELS).sum().backward()
    assert points.grad is not None and tables.grad is None
    blended_lookup(points.detach(), frame_rows, tables.requires_grad_(), LEVELS).sum().backward()
    assert tables.grad is not None


def test_torch_path_has_right_derivatives():
    torch.manual_seed(0)
    points = (torch.rand(6, 3, dtype=torch.float64) * 0.9 + 0.05).requires_grad_()
    tables = random_tables(2).double().requires_grad_()
    frame_rows = torch.tensor([0, 0, 1, 1, 2, 2])

    def lookup(*leaves: torch.Tensor) -> torch.Tensor:
        return blended_lookup_torch(leaves[0], frame_rows, leaves[1], LEVELS)

    assert torch.autograd.gradcheck(lookup, (points, tables))


@pytest.mark.gpu
def test_cuda_matches_the_cpu():
    torch.manual_seed(0)
    points, frame_rows = points_everywhere(200)
    tables, results = random_tables(4), []
    for device in ("cpu", "cuda"):
        leaf = tables.to(device, copy=True).requires_grad_()
        features = blended_lookup(points.to(device), frame_rows.to(device), leaf, LEVELS)
        features.square().sum().backward()
        results.append((features.detach().cpu(), leaf.grad.cpu()))
    for on_cpu, on_cuda in zip(*results):
        torch.testing.assert_close(on_cuda, on_cpu, atol=1e-4, rtol=1e-4)


def test_no_points():
    none = torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)
    assert blended_lookup(*none, random_tables(2), LEVELS).shape == (0, 6)


def test_layout_of_levels():
    assert LEVELS.sizes == (8, 64, 64) and LEVELS.first_rows == (0, 8, 72) and LEVELS.num_rows == 136
    joined = TableLevels.within((2,), 3) + TableLevels.within((9,), 4)
    assert joined == TableLevels((2, 9), (8, 16), (1.0, 8.0), 0.0)


def test_released_layout():
    """NeRFBlendShape: 16 to 1024 in 16 levels, which its code rounds up and adds a vertex to; 2^14 rows at most."""
    levels = TableLevels.half_shifted(16, 1024, 16, 14)
    assert levels.resolutions[:3] == (17, 23, 29) and levels.resolutions[-1] == 1025
    assert levels.sizes[:3] == (17**3, 23**3, 2**14)
    assert levels.scales[0] == 15 and levels.scales[-1] == pytest.approx(1023) and levels.shift == 0.5


def test_resolutions_grow_as_in_the_release():
    """16 to 1024 in 16 levels: a factor of 1.32 each."""
    found = level_resolutions(16, 1024, 16)
    assert (found[0], found[-1]) == (16, 1024)
    assert all(abs(second / first - 64 ** (1 / 15)) < 0.06 for first, second in itertools.pairwise(found))
    assert level_resolutions(16, 64, 1) == (16,)
