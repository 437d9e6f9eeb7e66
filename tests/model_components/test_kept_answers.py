import torch

from nerface_ns.model_components.kept_answers import KeptAnswers
from nerface_ns.model_components.packed_samples import PackedSamples
from nerface_ns.model_components.visibility import FIRST_SEGMENT, keep_visible, keep_visible_at_once

NUM_RAYS, NUM_SAMPLES, STEP = 30, 4 * FIRST_SEGMENT, 0.05


def foggy_samples() -> tuple[PackedSamples, torch.Tensor]:
    """Rays of various lengths, some empty, through fog and walls."""
    generator = torch.Generator().manual_seed(0)
    kept = torch.rand(NUM_RAYS * NUM_SAMPLES, generator=generator) < 0.7
    kept[: 2 * NUM_SAMPLES] = False
    t_starts = (torch.arange(NUM_SAMPLES) * STEP).repeat(NUM_RAYS)
    rows = torch.arange(NUM_RAYS).repeat_interleave(NUM_SAMPLES)
    samples = PackedSamples.from_ray_indices(rows, t_starts, t_starts + STEP, NUM_RAYS).select(kept)
    densities = 20 * torch.rand(NUM_RAYS, NUM_SAMPLES, generator=generator) ** 4
    return samples, densities


def test_answers_are_those_of_the_visible_samples():
    samples, densities = foggy_samples()
    asked = []

    def ask(t_starts, t_ends, ray_indices):
        columns = (t_starts / STEP).round().long()
        asked.append(len(columns))
        names = torch.stack([ray_indices, columns], dim=-1).float()
        return densities[ray_indices, columns], (names, (columns[:, None] * 10.0,))

    answers = KeptAnswers(ask)
    seen = keep_visible(samples, answers, 1e-2, 0.05, answers.keep)
    assert len(asked) > 1 and sum(asked) > len(seen) > NUM_RAYS
    rays, kept_densities, (names, (tens,)) = answers.kept()
    places = answers.places()
    columns = (seen.t_starts / STEP).round()
    assert not torch.equal(places, torch.arange(len(seen)))
    assert torch.equal(rays[places], seen.ray_indices)
    assert torch.equal(kept_densities[places], densities[seen.ray_indices, columns.long()])
    assert torch.equal(names[places], torch.stack([seen.ray_indices, columns], dim=-1))
    assert torch.equal(tens[places][:, 0], 10 * columns)
    expected = keep_visible_at_once(samples, lambda *which: ask(*which)[0], 1e-2, 0.05)
    assert torch.equal(seen.t_starts, expected.t_starts)


def test_nothing_is_kept_where_all_is_clear():
    samples, _ = foggy_samples()
    answers = KeptAnswers(lambda t_starts, t_ends, ray_indices: (torch.zeros_like(t_starts), t_starts))
    assert answers.is_empty
    assert len(keep_visible(samples, answers, 1e-2, 0.05, answers.keep)) == 0
    assert answers.is_empty
