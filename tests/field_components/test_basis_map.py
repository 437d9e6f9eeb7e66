import pytest
import torch

from nerface_ns.field_components.basis_map import make_basis_map


def test_linear_map_starts_orthogonal():
    directions = make_basis_map("linear", 7, 3).directions
    torch.testing.assert_close(directions.T @ directions, torch.eye(3), atol=1e-5, rtol=0)


def test_monotone_map_never_falls():
    """For every coefficient, from wherever it starts."""
    torch.manual_seed(0)
    basis_map = make_basis_map("monotone", 6, 4).double()
    start = torch.randn(20, 6, dtype=torch.float64)
    for coefficient in range(6):
        raised = start.clone()
        raised[:, coefficient] += 0.5
        assert (basis_map(raised) > basis_map(start)).all()


@pytest.mark.parametrize("kind", ["linear", "monotone"])
def test_no_expression_weighs_nothing(kind):
    weights = make_basis_map(kind, 6, 4)(torch.zeros(2, 6))
    torch.testing.assert_close(weights, torch.zeros(2, 4))
