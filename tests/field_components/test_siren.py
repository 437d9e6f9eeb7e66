import math

import pytest
import torch

from nerface_ns.field_components.siren import SineLayer, sine_readout

NO_CONDITION = torch.zeros(1, 0)


def rows(count):
    return torch.zeros(count, dtype=torch.long)


def uniform_bound(weights):
    """Bound of a uniform distribution, from its largest number; its variance must be that of the bound."""
    bound = weights.abs().max().item()
    assert weights.var(unbiased=False).item() == pytest.approx(bound**2 / 3, rel=0.05)
    return bound


@pytest.mark.parametrize("frequency", [1.0, 30.0])
def test_first_layer_starts_within_one_over_its_inputs(frequency):
    """SIREN, section 3.2: angles up to the frequency whatever the number of coordinates."""
    torch.manual_seed(0)
    layer = SineLayer(3, 0, 4096, frequency, is_first=True)
    assert uniform_bound(layer.linear.linear.weight) == pytest.approx(1 / 3, rel=1e-3)


@pytest.mark.parametrize("frequency", [1.0, 30.0])
def test_hidden_layer_starts_within_the_papers_bound(frequency):
    torch.manual_seed(0)
    layer = SineLayer(96, 0, 512, frequency)
    assert uniform_bound(layer.linear.linear.weight) == pytest.approx(math.sqrt(6 / 96) / frequency, rel=1e-3)


@pytest.mark.parametrize("frequency", [1.0, 30.0])
def test_outputs_keep_their_spread_at_any_depth(frequency):
    """Sines of angles of variance 1: their variance is (1 - exp(-2)) / 2, and angles stay at variance 1."""
    torch.manual_seed(0)
    hidden = torch.rand(4096, 3) * 2 - 1
    hidden = SineLayer(3, 0, 256, 30.0, is_first=True)(hidden, NO_CONDITION, rows(4096))
    assert hidden.var().item() == pytest.approx(0.5, rel=0.05)
    with torch.no_grad():
        for _ in range(8):
            layer = SineLayer(256, 0, 256, frequency)
            torch.nn.init.zeros_(layer.linear.linear.bias)
            hidden = layer(hidden, NO_CONDITION, rows(4096))
            angle = torch.asin(hidden.clamp(-1, 1))
            assert 0.35 < hidden.var().item() < 0.52
            assert 0.4 < angle.var().item() < 1.1


@pytest.mark.parametrize("frequency", [1.0, 30.0])
def test_condition_shifts_the_angle_alike_at_any_frequency(frequency):
    """A condition of variance 1/2, as a sine layer's outputs have, adds a variance of 1 to the angles."""
    torch.manual_seed(0)
    layer = SineLayer(8, 40, 20_000, frequency)
    condition = torch.randn(1, 40) * math.sqrt(0.5)
    shift = frequency * layer.linear.condition(condition)
    assert shift.var().item() == pytest.approx(2 * condition.square().mean().item(), rel=0.03)


def test_layer_equals_the_slow_formula():
    """sin(frequency * sum), sample by sample and unit by unit, with the frame's own condition."""
    torch.manual_seed(0)
    layer = SineLayer(3, 2, 4, 7.0).double()
    features, condition = torch.randn(5, 3).double(), torch.randn(2, 2).double()
    frame_rows = torch.tensor([0, 0, 1, 1, 1])
    weight, bias, shift = layer.linear.linear.weight, layer.linear.linear.bias, layer.linear.condition.weight
    expected = torch.empty(5, 4).double()
    for sample, frame in enumerate(frame_rows.tolist()):
        for unit in range(4):
            angle = sum(weight[unit, k] * features[sample, k] for k in range(3)) + bias[unit]
            angle = angle + sum(shift[unit, k] * condition[frame, k] for k in range(2))
            expected[sample, unit] = math.sin(7.0 * angle.item())
    torch.testing.assert_close(layer(features, condition, frame_rows), expected, rtol=1e-12, atol=1e-12)


def test_readout_starts_with_the_spread_asked_for():
    torch.manual_seed(0)
    layer = sine_readout(128, 5000, spread=0.25)
    torch.nn.init.zeros_(layer.bias)
    outputs = layer(torch.sin(torch.rand(1, 128) * 2 * math.pi))
    assert uniform_bound(layer.weight) == pytest.approx(math.sqrt(6 / 128) * 0.25, rel=1e-3)
    assert outputs.std().item() == pytest.approx(0.25, rel=0.15)
