import pytest
import torch
from nerfacc import render_visibility_from_density

from nerface_ns.model_components.packed_samples import PackedSamples
from nerface_ns.model_components.visibility import FIRST_SEGMENT, keep_visible, keep_visible_at_once

NUM_RAYS, NUM_SAMPLES, STEP = 40, 3 * FIRST_SEGMENT + 5, 0.05


def dense_samples() -> PackedSamples:
    """Every ray has all samples."""
    t_starts = (torch.arange(NUM_SAMPLES) * STEP).repeat(NUM_RAYS)
    rows = torch.arange(NUM_RAYS).repeat_interleave(NUM_SAMPLES)
    return PackedSamples.from_ray_indices(rows, t_starts, t_starts + STEP, NUM_RAYS)


def random_densities() -> torch.Tensor:
    """(rays, samples): clear air, thin fog, and walls at various depths."""
    generator = torch.Generator().manual_seed(0)
    shape = (NUM_RAYS, NUM_SAMPLES)
    fog = torch.rand(shape, generator=generator) * 3 * (torch.rand(shape, generator=generator) < 0.7)
    return fog + 200 * (torch.rand(shape, generator=generator) < 0.05)


def look_up(samples: PackedSamples, densities: torch.Tensor, asked: list | None = None):
    """Density function over packed samples that remembers what it was asked for."""

    def density_fn(t_starts, t_ends, ray_indices):
        torch.testing.assert_close(t_ends - t_starts, torch.full_like(t_starts, STEP), atol=1e-5, rtol=0)
        assert (ray_indices.diff() >= 0).all()
        column = (t_starts / STEP).round().long()
        if asked is not None:
            asked.extend(zip(ray_indices.tolist(), column.tolist()))
        return densities[ray_indices, column]

    return density_fn


@pytest.mark.parametrize("keep", [keep_visible, keep_visible_at_once], ids=["segments", "at once"])
@pytest.mark.parametrize(("eps", "threshold"), [(1e-3, 0.0), (1e-3, 0.02), (0.3, 0.05), (0.0, 0.1)])
def test_keeps_what_nerfacc_keeps(keep, eps, threshold):
    samples, densities = dense_samples(), random_densities()
    shape = (NUM_RAYS, NUM_SAMPLES)
    expected = render_visibility_from_density(
        samples.t_starts.reshape(shape),
        samples.t_ends.reshape(shape),
        densities,
        early_stop_eps=eps,
        alpha_thre=threshold,
    )
    kept = keep(samples, look_up(samples, densities), eps, threshold)
    found = torch.zeros(shape, dtype=torch.bool)
    found[kept.ray_indices, (kept.t_starts / STEP).round().long()] = True
    assert 0 < expected.sum() < expected.numel()
    assert torch.equal(found, expected)


def test_segments_match_at_once_with_gaps_and_empty_rays():
    kept = torch.rand(NUM_RAYS * NUM_SAMPLES, generator=torch.Generator().manual_seed(1)) < 0.6
    samples = dense_samples()
    samples = samples.select(kept & (samples.ray_indices % 5 != 0))
    densities = random_densities()
    fast = keep_visible(samples, look_up(samples, densities), 1e-3, 0.01)
    plain = keep_visible_at_once(samples, look_up(samples, densities), 1e-3, 0.01)
    assert torch.equal(fast.ray_indices, plain.ray_indices)
    torch.testing.assert_close(fast.t_starts, plain.t_starts)
    assert torch.equal(fast.first_sample, plain.first_sample)


def test_samples_far_behind_a_wall_are_never_evaluated():
    """And no sample is evaluated twice."""
    samples, densities, asked = dense_samples(), torch.zeros(NUM_RAYS, NUM_SAMPLES), []
    densities[:, 2] = 1e4
    densities[0] = 0
    keep_visible(samples, look_up(samples, densities, asked), 1e-3, 0.0)
    assert len(asked) == len(set(asked))
    assert sum(ray == 0 for ray, _ in asked) == NUM_SAMPLES
    assert max(column for ray, column in asked if ray != 0) < FIRST_SEGMENT


def test_no_samples():
    samples = PackedSamples.from_ray_indices(torch.zeros(0, dtype=torch.long), torch.zeros(0), torch.zeros(0), 3)
    kept = keep_visible(samples, lambda t_starts, t_ends, rows: t_starts, 1e-3, 0.0)
    assert len(kept) == 0 and kept.num_rays == 3
