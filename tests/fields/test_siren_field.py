import math

import pytest
import torch
from nerfstudio.data.scene_box import SceneBox
from torch import nn

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.fields.siren_field import SirenField, SirenFieldConfig

BOX = SceneBox(torch.tensor([[-0.1, -0.2, -0.1], [0.1, 0.2, 0.1]]))
NUM_COEFFICIENTS, CODE_LENGTH = 5, 3


def make_field(scene_box=BOX, **settings) -> SirenField:
    torch.manual_seed(0)
    config = SirenFieldConfig(**settings)
    return config.setup(scene_box=scene_box, num_coefficients=NUM_COEFFICIENTS, code_length=CODE_LENGTH)


def make_condition(dtype=torch.float32):
    torch.manual_seed(1)
    eye = torch.eye(3, dtype=dtype).expand(2, 3, 3)
    expression, code = torch.randn(2, NUM_COEFFICIENTS, dtype=dtype), torch.randn(2, CODE_LENGTH, dtype=dtype)
    return FaceCondition(expression, code, torch.zeros(2, 6, dtype=dtype), eye)


@pytest.fixture
def samples():
    """Positions, view directions and frames of a few samples."""
    torch.manual_seed(2)
    directions = nn.functional.normalize(torch.randn(7, 3), dim=-1)
    return torch.rand(7, 3) * 0.4 - 0.2, directions, torch.tensor([0, 0, 0, 0, 1, 1, 1])


def straight_line(field, position, direction, condition):
    """One sample's density and colour, every input concatenated, the frequencies written out."""
    low, high = BOX.aabb.double()
    hidden = (position - low) / (high - low) * 2 - 1
    for index, layer in enumerate(field.trunk):
        matrix = torch.cat([layer.linear.linear.weight, layer.linear.condition.weight], dim=1)
        frequency = 25.0 if index == 0 else 2.0
        hidden = torch.sin(frequency * (matrix @ torch.cat([hidden, condition]) + layer.linear.linear.bias))
    raw = 12.0 * (field.density.weight[0] @ hidden + field.density.bias[0]) + 0.5
    density = torch.log1p(torch.exp(raw)) * 48.0 / float((BOX.aabb[1] - BOX.aabb[0]).max())
    colour_layer = field.colour.linear.linear
    hidden = torch.sin(2.0 * (colour_layer.weight @ torch.cat([hidden, direction]) + colour_layer.bias))
    return density, 1 / (1 + torch.exp(-(field.rgb.weight @ hidden + field.rgb.bias)))


def test_field_equals_the_slow_formula(samples):
    """The per-frame biases and the batches give the numbers of one sample at a time."""
    settings = dict(trunk_layers=3, trunk_width=16, colour_width=8)
    field = make_field(**settings, first_frequency=25.0, hidden_frequency=2.0, density_multiplier=12.0).double()
    positions, directions, rows = samples[0].double(), samples[1].double(), samples[2]
    condition = make_condition(torch.float64)
    prepared = field.prepare(condition)
    density, embedding = field.get_density(positions, rows, prepared)
    colours = field.get_rgb(directions, rows, prepared, embedding)
    for index, row in enumerate(rows.tolist()):
        told = torch.cat([condition.expression[row], condition.latent_code[row]])
        expected = straight_line(field, positions[index], directions[index], told)
        torch.testing.assert_close((density[index], colours[index]), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("settings", [{}, {"hidden_frequency": 30.0}, {"density_multiplier": 5.0}])
def test_start_has_unit_spread_before_the_softplus(settings):
    """Neither the hidden frequency nor the multiplier changes it; hence about the default field's opacity."""
    field = make_field(**settings)
    prepared = torch.zeros(1, NUM_COEFFICIENTS + CODE_LENGTH)
    positions = torch.rand(4000, 3) * (BOX.aabb[1] - BOX.aabb[0]) + BOX.aabb[0]
    with torch.no_grad():
        density, _ = field.get_density(positions, torch.zeros(4000, dtype=torch.long), prepared)
    raw = torch.log(torch.expm1(density * 0.4 / 48.0)) - 0.5
    assert 0.4 < raw.std().item() < 1.6
    assert density.min() > 0


@pytest.mark.parametrize(("name", "factor"), [("density_multiplier", 3.0), ("hidden_frequency", 3.0)])
def test_factors_change_the_gradient_not_the_start(samples, name, factor):
    """The same numbers, weights that many times smaller, gradients that many times larger."""
    settings = dict(trunk_layers=2, trunk_width=16, density_multiplier=10.0, hidden_frequency=2.0)
    plain = make_field(**settings).double()
    faster = make_field(**{**settings, name: settings[name] * factor}).double()
    positions, _, rows = samples[0].double(), samples[1], samples[2]
    prepared = plain.prepare(make_condition(torch.float64))
    with torch.no_grad():  # biases do not shrink with the frequency; here they are none
        for field in (plain, faster):
            field.trunk[1].linear.linear.bias.zero_()
    weight = "density.weight" if name == "density_multiplier" else "trunk.1.linear.linear.weight"
    densities, gradients, weights = [], [], []
    for field in (plain, faster):
        density, _ = field.get_density(positions, rows, prepared)
        densities.append(density)
        weights.append(field.get_parameter(weight))
        gradients.append(torch.autograd.grad(density.sum(), weights[-1])[0])
    torch.testing.assert_close(densities[1], densities[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(weights[1] * factor, weights[0], rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(gradients[1], gradients[0] * factor, rtol=1e-5, atol=1e-6)


def test_scale_and_place_of_the_box_are_irrelevant(samples):
    """Twice as large a head elsewhere has the same features and half the density per scene unit."""
    small = make_field()
    large = make_field(SceneBox(BOX.aabb * 2 + torch.tensor([1.0, -2.0, 3.0])))
    positions, _, rows = samples
    prepared = small.prepare(make_condition())
    density, hidden = small.get_density(positions, rows, prepared)
    large_density, large_hidden = large.get_density(positions * 2 + torch.tensor([1.0, -2.0, 3.0]), rows, prepared)
    torch.testing.assert_close(large_density, density / 2, rtol=2e-3, atol=1e-2)
    torch.testing.assert_close(large_hidden, hidden, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("changed", ["expression", "latent_code"])
def test_conditions_change_density_and_colour(samples, changed):
    field, condition = make_field(), make_condition()
    positions, directions, rows = samples
    results = []
    for _ in range(2):
        prepared = field.prepare(condition)
        density, embedding = field.get_density(positions, rows, prepared)
        results.append((density, field.get_rgb(directions, rows, prepared, embedding)))
        setattr(condition, changed, getattr(condition, changed) + 0.5)
    for before, after in zip(*results):
        assert ((before - after).abs() > 1e-4).reshape(7, -1).any(dim=1).all()


def test_lean_density_goes_on_to_the_same_colours(samples):
    """What the skipping renderer asks for: density first, colours of some samples later."""
    field = make_field()
    positions, directions, rows = samples
    prepared = field.prepare(make_condition())
    density, embedding = field.get_density(positions, rows, prepared)
    lean_density, lean = field.get_lean_density(positions, rows, prepared)
    part = torch.tensor([1, 5])
    torch.testing.assert_close(lean_density, density)
    colours = field.get_rgb(directions[part], rows[part], prepared, field.get_embedding(lean[part]))
    torch.testing.assert_close(colours, field.get_rgb(directions, rows, prepared, embedding)[part])


def test_sine_trunk_fits_a_fine_pattern():
    """Density of stripes a sixth of the box wide, learned in a few hundred small steps."""
    field = make_field(trunk_layers=3, trunk_width=64, first_frequency=30.0, hidden_frequency=5.0)
    prepared = torch.zeros(1, NUM_COEFFICIENTS + CODE_LENGTH)
    optimizer = torch.optim.Adam(field.parameters(), lr=5e-4)
    low, high = BOX.aabb
    for _ in range(200):
        positions = torch.rand(512, 3) * (high - low) + low
        wanted = (torch.sin((positions[:, 0] - low[0]) / (high - low)[0] * 6 * math.pi) > 0).float()
        density, _ = field.get_density(positions, torch.zeros(512, dtype=torch.long), prepared)
        loss = (1 - torch.exp(-density / 60) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.06  # 0.25 for a constant


@pytest.mark.parametrize("name", ["first_frequency", "hidden_frequency", "density_multiplier"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_factors_that_are_none(name, value):
    with pytest.raises(ValueError, match=f"{name}: expected a positive number"):
        make_field(**{name: value})


def test_trunk_without_layers():
    with pytest.raises(ValueError, match="trunk_layers: expected at least 1, got 0"):
        make_field(trunk_layers=0)
