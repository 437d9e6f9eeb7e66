import pytest
import torch

from nerface_ns.field_components.blended_lookup import blended_lookup_torch
from nerface_ns.field_components.blended_tables import BlendedTablesConfig

NUM_COEFFICIENTS = 5
SIZES = {"num_levels": 4, "channels": 2, "base_resolution": 3, "finest_resolution": 12, "log2_table_size": 7}


def make_tables(**settings):
    torch.manual_seed(0)
    config = BlendedTablesConfig(**{**SIZES, "num_basis_levels": 2, "log2_mean_table_size": 9, **settings})
    tables = config.setup(num_coefficients=NUM_COEFFICIENTS)
    with torch.no_grad():
        tables.bases.normal_()
    return tables


def a_batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points of three frames, each point's frame, the frames' expressions, an upstream gradient."""
    torch.manual_seed(1)
    return torch.rand(60, 3), torch.arange(60) // 20, torch.randn(3, NUM_COEFFICIENTS), torch.randn(60, 8)


def looked_up_one_by_one(tables, points, frame_rows, expression) -> torch.Tensor:
    """Each point alone: a lookup in the mean table and in every basis, times its coefficient, summed."""
    features = []
    for point, row in zip(points, frame_rows):
        alone, zero = point[None], torch.zeros(1, dtype=torch.long)
        weights = expression[row] if tables.basis_map is None else tables.basis_map(expression)[row]
        moving = sum(
            weight * blended_lookup_torch(alone, zero, basis[None], tables.basis_levels)
            for weight, basis in zip(weights, tables.bases)
        )
        if tables.table is None:
            features.append(moving)
            continue
        mean = blended_lookup_torch(alone, zero, tables.table[None], tables.basis_levels + tables.mean_levels)
        num_moving = moving.shape[1]
        features.append(torch.cat([mean[:, :num_moving] + moving, mean[:, num_moving:]], dim=1))
    return torch.cat(features)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_basis_levels": 0},
        {"num_basis_levels": 0, "include_mean": False},
        {"num_basis_levels": 0, "half_shifted": True},
        {"rank": 3},
        {"rank": 3, "basis_map": "monotone"},
    ],
    ids=["plain", "all-levels", "without-mean", "half-shifted", "low-rank", "monotone"],
)
def test_blending_matches_a_lookup_per_basis(settings):
    """Values, and the gradient of every parameter, of points and of coefficients."""
    points, frame_rows, expression, upstream = a_batch()
    tables = make_tables(**settings)
    results = []
    for compute in (
        lambda *leaves: tables(leaves[0], frame_rows, tables.prepare(leaves[1])),
        lambda *leaves: looked_up_one_by_one(tables, leaves[0], frame_rows, leaves[1]),
    ):
        leaves = points.clone().requires_grad_(), expression.clone().requires_grad_()
        features = compute(*leaves)
        results.append((features, *torch.autograd.grad(features, [*leaves, *tables.parameters()], upstream)))
    for found, expected in zip(*results):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_blending_is_once_per_frame():
    """What `prepare` makes has a row for each frame, however many points there are."""
    tables = make_tables()
    prepared = tables.prepare(torch.randn(3, NUM_COEFFICIENTS))
    assert prepared.tables.shape == (3, tables.basis_levels.num_rows, 2)
    assert prepared.shared.shape == (1, tables.mean_levels.num_rows, 2)


def test_mean_expression_shows_the_mean_table():
    tables = make_tables(rank=3, basis_map="monotone")
    prepared = tables.prepare(torch.zeros(1, NUM_COEFFICIENTS))
    torch.testing.assert_close(prepared.tables[0], tables.table[: tables.basis_levels.num_rows])


@pytest.mark.parametrize("rank", [0, NUM_COEFFICIENTS, NUM_COEFFICIENTS + 4])
def test_no_more_bases_than_coefficients(rank):
    tables = make_tables(rank=rank)
    assert tables.basis_map is None and len(tables.bases) == NUM_COEFFICIENTS


def test_penalty_leaves_the_mean_table_alone():
    tables = make_tables()
    torch.testing.assert_close(tables.table_penalty(), tables.bases.abs().mean())
    tables.table_penalty().backward()
    assert tables.table.grad is None and tables.bases.grad is not None


def test_levels_keep_their_resolutions():
    """Those of the mean table alone go on where those that follow the expression end."""
    tables = make_tables(num_levels=5, base_resolution=2, finest_resolution=32)
    assert tables.basis_levels.resolutions + tables.mean_levels.resolutions == (2, 4, 8, 16, 32)
    assert tables.basis_levels.sizes + tables.mean_levels.sizes == (8, 64, 512, 512, 512)
    assert tables.bases.shape == (NUM_COEFFICIENTS, 72, 2) and tables.table.shape == (72 + 3 * 512, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_resolution": 1}, "base_resolution"),
        ({"base_resolution": 20}, "finest_resolution"),
        ({"channels": 0}, "channels"),
        ({"num_basis_levels": 5}, r"num_basis_levels: expected 0\.\.4, got 5"),
        ({"log2_table_size": 30}, r"log2_table_size: expected 1\.\.24, got 30"),
        ({"include_mean": False}, "include_mean False.*expected num_basis_levels 0 or 4"),
        ({"half_shifted": True}, "half_shifted True: expected num_basis_levels 0 or 4"),
        ({"rank": -1}, "rank: expected at least 0, got -1"),
    ],
)
def test_impossible_sizes(settings, message):
    with pytest.raises(ValueError, match=message):
        make_tables(**settings)


def test_no_coefficients():
    with pytest.raises(ValueError, match="at least one expression coefficient"):
        BlendedTablesConfig().setup(num_coefficients=0)
