import pytest
import torch
from slow_traversal import interval_set_of

from nerface_ns.model_components.occupancy import FaceOccupancyGrid, FaceOccupancyGridConfig

STEP = 0.02


def make_grid(resolution: int = 8, **settings) -> FaceOccupancyGrid:
    """Grid over a box of unequal sides."""
    box = torch.tensor([[-0.2, -0.1, 0.0], [0.2, 0.3, 0.8]])
    return FaceOccupancyGridConfig(resolution=resolution, **settings).setup(aabb=box)


def half(axis: int, sign: float):
    """Opaque on one side of the box's middle."""

    def density(positions):
        middle = positions.new_tensor([0.0, 0.1, 0.4])[axis]
        return 1e3 * (sign * (positions[:, axis] - middle) > 0).float()

    return density


def refresh_all(grid: FaceOccupancyGrid, step: int, density) -> None:
    """Refresh every cell, though later refreshes draw theirs with replacement."""
    cells = torch.arange(grid.allowed.numel())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "randint", lambda *_, **__: cells)
        grid.refresh(step, STEP, density)


def occupied_share(grid: FaceOccupancyGrid) -> float:
    return float(grid.binaries.float().mean())


def test_everything_may_be_occupied_at_the_start():
    grid = make_grid()
    assert grid.binaries.all() and grid.allowed.all()


def test_cell_centres_match_loop():
    grid = make_grid(3)
    low, high = torch.tensor([-0.2, -0.1, 0.0]), torch.tensor([0.2, 0.3, 0.8])
    expected = [
        low + (torch.tensor([i, j, k]) + 0.5) / 3 * (high - low) for i in range(3) for j in range(3) for k in range(3)
    ]
    torch.testing.assert_close(grid.cell_centres(), torch.stack(expected))


def test_refresh_keeps_occupied_cells_and_their_neighbours():
    grid = make_grid()
    grid.refresh(20, STEP, half(axis=0, sign=1.0))
    expected = torch.zeros(8, 8, 8, dtype=torch.bool)
    expected[3:] = True  # cells 4 .. 7 hold something, 3 is a neighbour
    assert torch.equal(grid.binaries[0], expected)


def test_refreshes_with_several_expressions_give_their_union():
    grid = make_grid()
    grid.refresh(20, STEP, half(axis=0, sign=1.0))
    grid.refresh(40, STEP, half(axis=0, sign=-1.0))
    assert grid.binaries.all()


@pytest.mark.parametrize(("step", "refreshes"), [(400, 7), (401, 44)])
def test_what_no_expression_shows_any_more_is_forgotten(step, refreshes):
    """0.5^n falls below the threshold of 0.01 after 7 early refreshes, 0.9^n after 44 later ones."""
    grid = make_grid(refresh_share=1.0)
    grid.refresh(20, STEP, half(axis=0, sign=1.0))
    for _ in range(refreshes - 1):
        refresh_all(grid, step, half(axis=0, sign=-1.0))
    assert grid.binaries.all()
    refresh_all(grid, step, half(axis=0, sign=-1.0))
    assert not grid.binaries[0, 5:].any() and grid.binaries[0, :4].all()


def test_memory_is_the_greater_of_decayed_and_new_opacity():
    grid = make_grid(early_decay=0.5)
    grid.refresh(20, STEP, lambda positions: torch.full((len(positions),), 10.0))
    torch.testing.assert_close(grid.occs, torch.full((512,), 1 - 0.8187308), atol=1e-6, rtol=0)
    grid.refresh(40, STEP, lambda positions: torch.zeros(len(positions)))
    torch.testing.assert_close(grid.occs, torch.full((512,), (1 - 0.8187308) / 2), atol=1e-6, rtol=0)


def test_forbidden_cells_stay_empty():
    grid = make_grid()
    grid.forbid(grid.cell_centres()[:, 2] < 0.4)
    assert not grid.binaries[0, :, :, :4].any() and grid.binaries[0, :, :, 4:].all()
    asked = []

    def density(positions):
        asked.append(positions)
        return torch.full((len(positions),), 1e3)

    grid.refresh(20, STEP, density)
    assert not grid.binaries[0, :, :, :4].any() and grid.binaries[0, :, :, 4:].all()
    assert (asked[0][:, 2] >= 0.4).all()


def test_positions_fill_their_cells():
    """Every cell of the box is visited, at a random place within it."""
    grid, asked = make_grid(), []
    grid.refresh(20, STEP, lambda positions: asked.append(positions) or torch.zeros(len(positions)))
    offset = (asked[0] - grid.cell_centres()) / (torch.tensor([0.4, 0.4, 0.8]) / 8)
    assert offset.abs().max() <= 0.5 + 1e-4
    torch.testing.assert_close(offset.std(dim=0), torch.full((3,), 12**-0.5), atol=0.03, rtol=0)


def test_late_refreshes_visit_a_share_of_the_cells():
    grid, asked = make_grid(refresh_share=0.25), []
    grid.refresh(401, STEP, lambda positions: asked.append(positions) or torch.zeros(len(positions)))
    assert len(asked[0]) == 512 // 4


def test_refresh_steps():
    grid = make_grid(refresh_steps=50)
    due = [step for step in range(301) if grid.is_refresh_step(step)]
    assert due == [20, 40, 50, 60, 80, 100, 120, 140, 150, 160, 180, 200, 250, 300]


def test_forbidden_cells_and_memory_live_in_the_checkpoint():
    grid, other = make_grid(), make_grid()
    grid.forbid(grid.cell_centres()[:, 0] < 0)
    grid.refresh(20, STEP, half(axis=2, sign=1.0))
    other.load_state_dict(grid.state_dict())
    assert torch.equal(other.allowed, grid.allowed) and torch.equal(other.binaries, grid.binaries)
    torch.testing.assert_close(other.occs, grid.occs)


def rays_through_the_box(count: int = 50):
    generator = torch.Generator().manual_seed(0)
    targets = torch.rand(count, 3, generator=generator) * torch.tensor([0.4, 0.4, 0.8]) - torch.tensor([0.2, 0.1, 0.0])
    origins = torch.tensor([[0.0, 0.1, 2.0]]).repeat(count, 1)
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    return origins, directions, torch.full((count,), 1.0), torch.full((count,), 3.0)


def test_sampling_stops_at_a_wall():
    """A wall across the box: samples before it are clear and dropped, those behind it are dark."""
    grid = make_grid(alpha_threshold=0.5, early_stop_eps=1e-3)
    grid.occs.fill_(1.0)
    origins, directions, nears, fars = rays_through_the_box()

    def density(t_starts, t_ends, rows):
        depth = origins[rows, 2] + (t_starts + t_ends) / 2 * directions[rows, 2]
        return 100.0 * (depth < 0.5).float()

    samples = grid.sample(origins, directions, nears, fars, STEP, density)
    depth = origins[samples.ray_indices, 2] + samples.t_middles * directions[samples.ray_indices, 2]
    assert len(samples) > 0 and (depth < 0.5).all()
    # Light falls by exp(-2) an interval: four reach 1e-3.
    assert samples.first_sample.diff().max() == 4


def test_clear_samples_stay_until_the_first_refresh():
    """nerfacc's threshold is the lesser of the setting and the grid's mean, which is 0 at first."""
    origins, directions, nears, fars = rays_through_the_box()

    def clear(t_starts, t_ends, rows):
        return torch.zeros_like(t_starts)

    grid = make_grid()
    assert len(grid.sample(origins, directions, nears, fars, STEP, clear)) > 1000
    grid.occs.fill_(1.0)
    assert len(grid.sample(origins, directions, nears, fars, STEP, clear)) == 0


def test_jitter_moves_each_lattice_away_from_the_camera():
    origins, directions, nears, fars = rays_through_the_box()
    jitter = torch.rand(len(nears), generator=torch.Generator().manual_seed(1))
    grid = make_grid()
    samples = grid.sample(origins, directions, nears, fars, STEP, lambda a, b, r: torch.ones_like(a), jitter)
    numbers = (samples.t_starts - nears[samples.ray_indices]) / STEP - jitter[samples.ray_indices]
    torch.testing.assert_close(numbers, numbers.round(), atol=1e-3, rtol=0)


@pytest.mark.gpu
def test_cuda_sampling_matches_the_cpu():
    """nerfacc's sampling and ours keep the same intervals, but for rounding at borders."""
    grid = make_grid(16)
    grid.refresh(20, STEP, lambda positions: 300.0 * (positions[:, 0] ** 2 + positions[:, 1] ** 2 < 0.02).float())
    origins, directions, nears, fars = rays_through_the_box(2048)
    jitter = torch.rand(len(nears), generator=torch.Generator().manual_seed(1))

    def sample(device):
        rays = [tensor.to(device) for tensor in (origins, directions, nears, fars)]

        def density(t_starts, t_ends, rows):
            positions = rays[0][rows] + (t_starts + t_ends)[:, None] / 2 * rays[1][rows]
            return 30.0 * (positions[:, 0] ** 2 + positions[:, 1] ** 2 < 0.02).float()

        samples = grid.to(device).sample(*rays, STEP, density, jitter.to(device))
        assert samples.num_rays == 2048
        return interval_set_of(samples, nears + jitter * STEP, STEP)

    on_cpu, on_cuda = sample("cpu"), sample("cuda")
    assert len(on_cpu) > 5000 and len(on_cpu ^ on_cuda) < 0.005 * len(on_cpu)
