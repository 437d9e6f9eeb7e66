import importlib
import json
from pathlib import Path

import pytest
import torch

from nerface_ns.field_components.blended_tables import BlendedTablesConfig

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SIZES = BlendedTablesConfig(
    num_levels=3, channels=2, base_resolution=3, finest_resolution=9, num_basis_levels=2, log2_table_size=6
)


@pytest.fixture
def basis_encoding(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("basis_encoding")


def test_both_ways_are_one_function(basis_encoding):
    """Values and gradients, or the comparison of their times would mean nothing."""
    torch.manual_seed(0)
    tables, results = SIZES.setup(num_coefficients=4), []
    points, frame_rows, expression = torch.rand(30, 3), torch.arange(30) // 10, torch.rand(3, 4)
    for way in (basis_encoding.blended, basis_encoding.basis_by_basis):
        tables.zero_grad()
        features = way(tables, points, frame_rows, expression)
        features.square().sum().backward()
        results.append((features.detach(), tables.bases.grad.clone(), tables.table.grad.clone()))
    for first, second in zip(*results):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-4)


def test_least_bytes(basis_encoding):
    """Two levels that follow the expression, 27 and 64 rows, and one of 9^3, all of two floats."""
    tables = SIZES.setup(num_coefficients=4)
    found = basis_encoding.least_bytes(tables, num_samples=100, num_frames=3)
    assert found["bases"] == 2 * 4 * 91 * 8 + 2 * (91 + 729) * 8
    assert found["frame_tables"] == 2 * 3 * 91 * 8
    assert found["samples"] == 2 * 100 * (3 + 6) * 4


def test_figures_of_one_way(basis_encoding, tmp_path):
    command = basis_encoding.BasisEncoding(
        json=tmp_path / "figures.json", tables=SIZES, num_coefficients=4, num_samples=64, rounds=1, device="cpu"
    )
    row = basis_encoding.run_way("blended", command)
    assert row["samples_per_s"] == pytest.approx(64 / row["seconds_a_step"])
    assert row["parameters_mb"] == pytest.approx((4 * 91 + 91 + 729) * 8 / 2**20)
    assert row["share_of_bandwidth"] > 0 and json.dumps(row)
