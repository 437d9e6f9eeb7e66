import torch

from nerface_ns.model_components.ray_sampling import importance_depths, refined_depths, stratified_depths

DOUBLE = torch.float64


def test_without_jitter_samples_are_evenly_spaced():
    nears, fars = torch.tensor([[0.2], [1.0]], dtype=DOUBLE), torch.tensor([[0.8], [3.0]], dtype=DOUBLE)
    expected = torch.tensor([[0.2, 0.4, 0.6, 0.8], [1.0, 5 / 3, 7 / 3, 3.0]], dtype=DOUBLE)
    torch.testing.assert_close(stratified_depths(nears, fars, 4), expected)


def test_jitter_moves_samples_between_their_neighbours_middles():
    """Spacing 1: inner samples range over +-1/2, outer ones over the inner half."""
    nears, fars = torch.zeros(3, 1, dtype=DOUBLE), torch.full((3, 1), 3.0, dtype=DOUBLE)
    chance = torch.tensor([[0.0], [0.5], [1.0]], dtype=DOUBLE).expand(3, 4)
    expected = torch.tensor([[0, 0.5, 1.5, 2.5], [0.25, 1, 2, 2.75], [0.5, 1.5, 2.5, 3]], dtype=DOUBLE)
    torch.testing.assert_close(stratified_depths(nears, fars, 4, chance), expected)


def test_importance_samples_invert_the_running_sum():
    """Bins [0, 1], [1, 3], [3, 4] with shares 1/2, 1/4, 1/4 (the padding is below the tolerance)."""
    edges, weights = torch.tensor([[0.0, 1, 3, 4]], dtype=DOUBLE), torch.tensor([[200.0, 100, 100]], dtype=DOUBLE)
    chance = torch.tensor([[0.0, 0.25, 0.5, 0.625, 0.75, 1.0]], dtype=DOUBLE)
    expected = torch.tensor([[0, 0.5, 1, 2, 3, 4]], dtype=DOUBLE)
    torch.testing.assert_close(importance_depths(edges, weights, chance), expected, rtol=0, atol=1e-6)


def test_importance_samples_spread_evenly_without_weights():
    edges, chance = torch.linspace(2, 6, 9, dtype=DOUBLE)[None], torch.rand(1, 50, dtype=DOUBLE)
    found = importance_depths(edges, torch.zeros(1, 8, dtype=DOUBLE), chance)
    torch.testing.assert_close(found, 2 + 4 * chance)


def test_importance_samples_match_a_slow_loop():
    torch.manual_seed(0)
    edges, weights = torch.rand(5, 9, dtype=DOUBLE).sort().values, torch.rand(5, 8, dtype=DOUBLE)
    weights[2, 3:5] = 0
    chance = torch.rand(5, 12, dtype=DOUBLE)
    expected = torch.empty(5, 12, dtype=DOUBLE)
    for ray in range(5):
        shares = (weights[ray] + 1e-5) / (weights[ray] + 1e-5).sum()
        for number, u in enumerate(chance[ray].tolist()):
            index, before = 0, 0.0
            while before + shares[index].item() <= u:
                before += shares[index].item()
                index += 1
            share = shares[index].item()
            inside = (u - before) / (share if share >= 1e-5 else 1.0)
            expected[ray, number] = edges[ray, index] + inside * (edges[ray, index + 1] - edges[ray, index])
    torch.testing.assert_close(importance_depths(edges, weights, chance), expected)


def test_refinement_keeps_the_coarse_samples_in_order():
    torch.manual_seed(0)
    depths = torch.rand(4, 16).sort().values
    refined = refined_depths(depths, torch.rand(4, 16), 24, torch.rand(4, 24))
    assert refined.shape == (4, 40)
    assert (refined.diff() >= 0).all()
    assert all(set(ray.tolist()) <= set(fine.tolist()) for ray, fine in zip(depths, refined))


def test_refinement_is_even_in_the_running_sum_and_ignores_both_ends():
    """All weight on the middle of five samples: the new ones lie in its bin, [1.5, 2.5], at even steps."""
    depths = torch.arange(5, dtype=DOUBLE)[None]
    weights = torch.tensor([[50.0, 0, 1e3, 0, 50]], dtype=DOUBLE, requires_grad=True)
    refined = refined_depths(depths, weights, 4)
    assert not refined.requires_grad
    # The first and last fall on the histogram's ends, where the padding of 1e-5 leaves next to nothing.
    expected = torch.tensor([[0, 0.5, 1, 1.5 + 1 / 3, 2, 1.5 + 2 / 3, 3, 3.5, 4]], dtype=DOUBLE)
    torch.testing.assert_close(refined, expected, rtol=0, atol=1e-6)
