import pytest
import torch

from nerface_ns.field_components.deformation import BilinearDeformationConfig, BlendedGridDeformationConfig
from nerface_ns.field_components.feature_grid import FeatureGridConfig

CONFIGS = [
    BilinearDeformationConfig(grid=FeatureGridConfig(resolutions=(3, 5), init_scale=1.0), width=8),
    BlendedGridDeformationConfig(resolution=4, rank=3),
    BlendedGridDeformationConfig(resolution=4, rank=50),
]
NUM_COEFFICIENTS, NUM_OUT = 5, 7


@pytest.fixture(params=CONFIGS, ids=["bilinear", "low rank", "full rank"])
def deformation(request):
    torch.manual_seed(0)
    return request.param.setup(num_coefficients=NUM_COEFFICIENTS, num_out=NUM_OUT)


def deform(deformation, points, expression):
    """All points under one expression."""
    rows = torch.zeros(len(points), dtype=torch.long)
    return deformation(points, rows, deformation.prepare(expression[None]))


def test_linear_in_the_expression(deformation):
    points, first, second = torch.rand(20, 3), torch.randn(NUM_COEFFICIENTS), torch.randn(NUM_COEFFICIENTS)
    rest = deform(deformation, points, torch.zeros(NUM_COEFFICIENTS))
    parts = [deform(deformation, points, part) - rest for part in (first, second)]
    expected = rest + 2 * parts[0] - 0.5 * parts[1]
    torch.testing.assert_close(deform(deformation, points, 2 * first - 0.5 * second), expected, atol=1e-5, rtol=1e-4)


def test_frames_of_a_batch_do_not_mix(deformation):
    points, expression = torch.rand(9, 3), torch.randn(4, NUM_COEFFICIENTS)
    rows = torch.tensor([0, 0, 1, 1, 1, 1, 3, 3, 3])
    expected = torch.cat([deform(deformation, points[rows == frame], expression[frame]) for frame in (0, 1, 3)])
    torch.testing.assert_close(deformation(points, rows, deformation.prepare(expression)), expected)


def test_gradients_reach_every_parameter(deformation):
    expression = torch.randn(2, NUM_COEFFICIENTS, requires_grad=True)
    points = torch.rand(200, 3, requires_grad=True)
    rows = torch.arange(200) // 100
    deformation(points, rows, deformation.prepare(expression)).square().sum().backward()
    for leaf in (expression, points, *deformation.parameters()):
        assert leaf.grad is not None and leaf.grad.abs().sum() > 0


def test_no_samples(deformation):
    prepared = deformation.prepare(torch.randn(2, NUM_COEFFICIENTS))
    assert deformation(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), prepared).shape == (0, NUM_OUT)


def test_blended_grids_are_looked_up_after_blending():
    """The lookup in the sum of grids equals the sum of the lookups."""
    torch.manual_seed(0)
    deformation = CONFIGS[2].setup(num_coefficients=2, num_out=1)
    weights = torch.tensor([0.7, -1.2])
    vertex = torch.tensor([[1 / 3, 2 / 3, 0.0]])
    mixed = weights @ deformation.projection
    grids = deformation.grids[:, (1 * 4 + 2) * 4 + 0, 0]
    expected = mixed @ grids[:2] + grids[2]
    torch.testing.assert_close(deform(deformation, vertex, weights)[0, 0], expected, atol=1e-7, rtol=1e-4)
