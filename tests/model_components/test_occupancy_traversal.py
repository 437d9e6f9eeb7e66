import itertools

import pytest
import torch
from slow_traversal import BOX, SHAPE, STEP, interval_set_of, random_grid, random_rays, slow_traversal

from nerface_ns.model_components.occupancy_traversal import box_distances, traverse_occupied, traverse_occupied_torch
from nerface_ns.model_components.packed_samples import PackedSamples

PATHS = pytest.mark.parametrize("traverse", [traverse_occupied, traverse_occupied_torch], ids=["kernel", "torch"])


def interval_numbers(samples, nears) -> list[list[int]]:
    """Number of each interval on its ray's lattice."""
    numbers = (samples.t_starts - nears[samples.ray_indices]) / STEP
    assert (numbers - numbers.round()).abs().max() < 1e-3
    starts = samples.first_sample.tolist()
    return [numbers[a:b].round().long().tolist() for a, b in itertools.pairwise(starts)]


@PATHS
def test_keeps_the_intervals_that_the_slow_loop_keeps(traverse):
    rays, occupied = random_rays(), random_grid()
    found = interval_numbers(traverse(*rays, STEP, occupied, BOX), rays[2])
    expected = slow_traversal(rays, occupied)
    assert sum(sum(decided.values()) for decided in expected) > 200
    for ray, (numbers, decided) in enumerate(zip(found, expected)):
        for number, kept in decided.items():
            assert (number in numbers) == kept, f"ray {ray}, interval {number}"


@PATHS
def test_samples_are_ordered_and_one_step_long(traverse):
    samples = traverse(*random_rays(), STEP, random_grid(), BOX)
    torch.testing.assert_close(samples.t_ends, samples.t_starts + STEP)
    assert (samples.ray_indices.diff() >= 0).all()
    same_ray = samples.ray_indices.diff() == 0
    assert (samples.t_starts.diff()[same_ray] > 0.99 * STEP).all()
    counts = torch.bincount(samples.ray_indices, minlength=samples.num_rays)
    assert samples.first_sample.diff().tolist() == counts.tolist()


@PATHS
def test_full_grid_covers_the_box(traverse):
    """A ray along x through a full grid has as many intervals as steps fit between near and the exit."""
    rays = torch.tensor([[-1.0, 0.0, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]]), torch.zeros(1), torch.tensor([5.0])
    samples = traverse(*rays, 0.1, torch.ones(SHAPE, dtype=torch.bool), BOX)
    torch.testing.assert_close(samples.t_middles, torch.arange(0.55, 1.4, 0.1))


@PATHS
def test_jittered_near_planes_move_the_lattice(traverse):
    origins, directions, nears, fars = random_rays()
    moved = nears + 0.4 * STEP
    samples = traverse(origins, directions, moved, fars, STEP, random_grid(), BOX)
    numbers = (samples.t_starts - nears[samples.ray_indices]) / STEP
    torch.testing.assert_close(numbers - numbers.floor(), torch.full_like(numbers, 0.4), atol=1e-3, rtol=0)


@PATHS
@pytest.mark.parametrize("count", [0, 3])
def test_no_samples(traverse, count):
    """No rays, or rays that look away: a list of nothing that still knows the number of rays."""
    rays = torch.full((count, 3), 2.0), torch.eye(3)[:count], torch.zeros(count), torch.ones(count)
    samples = traverse(*rays, STEP, random_grid(), BOX)
    assert len(samples) == 0 and samples.num_rays == count and samples.first_sample.tolist() == [0] * (count + 1)


@PATHS
def test_empty_span_between_near_and_far(traverse):
    """nerfstudio marks rays that miss the crop with near = far = 1e10."""
    origins, directions, _, _ = random_rays()
    beyond = torch.full((len(origins),), 1e10)
    assert len(traverse(origins, directions, beyond, torch.ones_like(beyond), STEP, random_grid(), BOX)) == 0


def test_box_distances_match_slab_test():
    """Rays through known points of the box's faces."""
    low, high = BOX[:3], BOX[3:]
    origins = torch.tensor([[-1.5, 0.0, 0.0], [0.0, 0.0, 3.0], [0.1, 0.1, 0.1], [0.0, 2.0, 0.0]])
    directions = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    span = box_distances(origins, directions, BOX)
    expected = torch.tensor([[1.0, 1.9], [2.5, 3.4], [float(low[1]) - 0.1, float(high[1]) - 0.1]])
    torch.testing.assert_close(span[:3], expected)
    assert span[3, 1] < span[3, 0]


@pytest.mark.gpu
def test_matches_nerfacc_on_cuda():
    """The same intervals as nerfacc's kernel, but for rounding at cell borders."""
    from nerfacc.grid import traverse_grids

    origins, directions, nears, fars = random_rays(4096)
    occupied = random_grid()
    ours = traverse_occupied(origins, directions, nears, fars, STEP, occupied, BOX)
    intervals, samples = traverse_grids(
        origins.cuda(),
        directions.cuda(),
        occupied[None].cuda(),
        BOX[None].cuda(),
        near_planes=nears.cuda(),
        far_planes=fars.cuda(),
        step_size=STEP,
    )
    t_starts = intervals.vals[intervals.is_left]
    theirs = PackedSamples.from_ray_indices(samples.ray_indices, t_starts, t_starts + STEP, num_rays=4096)
    mine = interval_set_of(ours, nears)
    assert len(mine ^ interval_set_of(theirs, nears)) < 0.002 * len(mine)


@pytest.mark.gpu
def test_torch_path_on_cuda_matches_the_cpu_kernel():
    rays, occupied = random_rays(4096), random_grid()
    ours = traverse_occupied(*rays, STEP, occupied, BOX)
    on_cuda = traverse_occupied(*[tensor.cuda() for tensor in rays], STEP, occupied.cuda(), BOX.cuda())
    mine = interval_set_of(ours, rays[2])
    assert len(mine ^ interval_set_of(on_cuda, rays[2])) < 0.002 * len(mine)
