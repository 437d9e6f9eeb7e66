import torch

from nerface_ns.field_components.per_frame_linear import FrameBiasLinear, add_per_frame, frame_counts, per_frame_matmul

ROWS = torch.tensor([0, 0, 0, 2, 3, 3])
"""Frame of each sample; frame 1 has none."""


def test_counts_include_frames_without_samples():
    assert frame_counts(ROWS, 5) == [3, 0, 1, 2, 0]


def test_matmul_matches_loop():
    torch.manual_seed(0)
    features, matrices = torch.randn(6, 4), torch.randn(4, 4, 3)
    expected = torch.stack([feature @ matrices[row] for feature, row in zip(features, ROWS.tolist())])
    torch.testing.assert_close(per_frame_matmul(features, matrices, frame_counts(ROWS, 4)), expected)


def test_matmul_has_right_derivatives():
    torch.manual_seed(0)
    leaves = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((6, 4), (4, 4, 3))]
    assert torch.autograd.gradcheck(lambda *leaf: per_frame_matmul(*leaf, frame_counts(ROWS, 4)), leaves)


def test_matmul_of_no_samples():
    features = torch.zeros(0, 4, requires_grad=True)
    product = per_frame_matmul(features, torch.randn(2, 4, 3), [0, 0])
    product.sum().backward()
    assert product.shape == (0, 3) and features.grad.shape == (0, 4)


def test_sum_per_frame_has_right_values_and_derivatives():
    torch.manual_seed(0)
    outputs, shifts = torch.randn(6, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(add_per_frame(outputs.clone(), shifts, ROWS), outputs + shifts[ROWS])
    leaves = [outputs.requires_grad_(), shifts.requires_grad_()]
    assert torch.autograd.gradcheck(lambda left, right: add_per_frame(left * 1, right, ROWS), leaves)


def test_frame_bias_is_the_layer_on_the_concatenation():
    torch.manual_seed(0)
    layer = FrameBiasLinear(4, 2, 3)
    features, condition = torch.randn(6, 4), torch.randn(4, 2)
    whole = torch.nn.Linear(6, 3)
    with torch.no_grad():
        whole.weight.copy_(torch.cat([layer.linear.weight, layer.condition.weight], dim=1))
        whole.bias.copy_(layer.linear.bias)
    expected = whole(torch.cat([features, condition[ROWS]], dim=1))
    torch.testing.assert_close(layer(features, condition, ROWS), expected)


def test_frame_bias_without_condition():
    layer = FrameBiasLinear(4, 0, 3)
    features = torch.randn(6, 4)
    torch.testing.assert_close(layer(features, torch.zeros(4, 0), ROWS), layer.linear(features))


def test_frame_bias_of_a_single_frame_is_the_same_layer():
    """One frame's bias joins the layer's own; two equal frames take the path of several."""
    torch.manual_seed(0)
    layer = FrameBiasLinear(4, 2, 3)
    features, condition = torch.randn(6, 4), torch.randn(1, 2)
    single = layer(features, condition, torch.zeros(6, dtype=torch.long))
    twice = layer(features, condition.expand(2, 2), torch.tensor([0, 0, 0, 1, 1, 1]))
    torch.testing.assert_close(single, twice)
