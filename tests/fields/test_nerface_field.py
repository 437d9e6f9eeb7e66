import math

import pytest
import torch
from nerfstudio.data.scene_box import SceneBox
from torch import nn

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.field_components.per_frame_linear import FrameBiasLinear
from nerface_ns.fields.nerface_field import NeRFaceField, NeRFaceFieldConfig

BOX = SceneBox(torch.tensor([[-0.1, -0.2, -0.1], [0.1, 0.2, 0.1]]))
NUM_COEFFICIENTS, CODE_LENGTH = 76, 32


def make_field(**settings) -> NeRFaceField:
    torch.manual_seed(0)
    config = NeRFaceFieldConfig(**settings)
    return config.setup(scene_box=BOX, num_coefficients=NUM_COEFFICIENTS, code_length=CODE_LENGTH).eval()


@pytest.fixture
def condition():
    torch.manual_seed(1)
    eye = torch.eye(3).expand(2, 3, 3)
    return FaceCondition(torch.randn(2, NUM_COEFFICIENTS), torch.randn(2, CODE_LENGTH), torch.zeros(2, 6), eye)


@pytest.fixture
def samples():
    """Positions, view directions and frames of a few samples."""
    torch.manual_seed(2)
    directions = nn.functional.normalize(torch.randn(7, 3), dim=-1)
    return torch.rand(7, 3) * 0.4 - 0.2, directions, torch.tensor([0, 0, 0, 0, 1, 1, 1])


def waves(vectors, octaves):
    return torch.cat([f(2.0**k * vectors) for k in range(octaves) for f in (torch.sin, torch.cos)], dim=-1)


def whole_matrix(layer):
    """Weights of a layer on [position, expression, code, hidden], the release's order, and its bias."""
    if not isinstance(layer, FrameBiasLinear):
        return layer.weight, layer.bias
    position, hidden = layer.linear.weight[:, :63], layer.linear.weight[:, 63:]
    return torch.cat([position, layer.condition.weight, hidden], dim=1), layer.linear.bias


def straight_line(field, positions, directions, expression, code):
    """The released network's formula with every input concatenated; raw density and colour."""
    initial = torch.cat([positions, waves(positions, 10), expression, code], dim=-1)
    assert initial.shape[1] == 63 + NUM_COEFFICIENTS + CODE_LENGTH
    hidden = initial
    for index in range(6):
        weight, bias = whole_matrix(field.trunk[index])
        inputs = torch.cat([initial, hidden], dim=-1) if index == 3 else hidden
        hidden = (inputs @ weight.T + bias).clamp(min=0)
    feature = hidden @ field.feature.weight.T + field.feature.bias
    density = feature @ field.density.weight[0] + field.density.bias
    hidden = torch.cat([feature, waves(directions, 4)], dim=-1)
    for layer in field.colour:
        hidden = (hidden @ layer.weight.T + layer.bias).clamp(min=0)
    logits = hidden @ field.rgb.weight.T + field.rgb.bias
    return density, 1 / (1 + torch.exp(-logits))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_network_equals_concatenated_form(condition, samples, dtype, tolerance):
    """Biases per frame give the number that concatenation gives."""
    field = make_field().to(dtype)
    positions, directions, rows = (tensor.to(dtype) if tensor.is_floating_point() else tensor for tensor in samples)
    expression, code = condition.expression.to(dtype), condition.latent_code.to(dtype)
    prepared = field.prepare(FaceCondition(expression, code, torch.zeros(2, 6), torch.eye(3).expand(2, 3, 3)))
    raw, features = field.get_raw_density(positions, rows, prepared)
    colours = field.get_rgb(directions, rows, prepared, features)
    expected_raw, expected_colours = straight_line(field, positions, directions, expression[rows], code[rows])
    assert (raw - expected_raw).norm() / expected_raw.norm() <= tolerance
    assert (colours - expected_colours).norm() / expected_colours.norm() <= tolerance
    density, _ = field.get_density(positions, rows, prepared)
    torch.testing.assert_close(density, raw.clamp(min=0), rtol=0, atol=0)


def test_gradients_equal_those_of_the_concatenated_form(condition, samples):
    field = make_field().double()
    positions, directions, rows = samples[0].double(), samples[1].double(), samples[2]
    expression, code = condition.expression.double(), condition.latent_code.double().requires_grad_()
    inputs = [code, *field.parameters()]
    prepared = field.prepare(FaceCondition(expression, code, torch.zeros(2, 6), torch.eye(3).expand(2, 3, 3)))
    raw, features = field.get_raw_density(positions, rows, prepared)
    found = torch.autograd.grad(raw.sum() + field.get_rgb(directions, rows, prepared, features).square().sum(), inputs)
    raw, colours = straight_line(field, positions, directions, expression[rows], code[rows])
    expected = torch.autograd.grad(raw.sum() + colours.square().sum(), inputs)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("num_frames", [1, 2])
def test_lean_density_is_the_density(condition, samples, num_frames):
    """Feature and density layer as one; what comes with it makes the same features."""
    field = make_field().double()
    positions, _, rows = samples
    rows = rows * (num_frames - 1)
    prepared = field.prepare(condition)[:num_frames].double()
    density, features = field.get_density(positions.double(), rows, prepared)
    lean_density, lean = field.get_lean_density(positions.double(), rows, prepared)
    assert density.max() > 0
    torch.testing.assert_close(lean_density, density, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(field.get_embedding(lean), features, rtol=1e-9, atol=1e-12)


def test_default_sizes_are_those_of_the_release():
    """Six trunk layers of 256, one feature layer, three used colour layers of 128: counted by hand."""
    inputs = 63 + NUM_COEFFICIENTS + CODE_LENGTH
    trunk = (inputs + 1) * 256 + 4 * 257 * 256 + (inputs + 256 + 1) * 256
    colour = (256 + 24 + 1) * 128 + 2 * 129 * 128 + 129 * 3
    count = sum(parameter.numel() for parameter in make_field().parameters())
    assert count == trunk + 257 * 256 + 257 + colour


def test_first_layer_starts_as_one_linear_layer():
    """Weights of positions and conditions share the bound of a layer that is as wide as both."""
    layer = make_field().trunk[0]
    bound = 1 / math.sqrt(63 + NUM_COEFFICIENTS + CODE_LENGTH)
    for weight in (layer.linear.weight, layer.condition.weight):
        assert 0.98 * bound < weight.abs().max() <= bound


def test_view_direction_changes_the_colour(condition, samples):
    field = make_field()
    positions, directions, rows = samples
    prepared = field.prepare(condition)
    _, features = field.get_density(positions, rows, prepared)
    ahead = field.get_rgb(directions, rows, prepared, features)
    aside = field.get_rgb(directions.roll(1, dims=-1), rows, prepared, features)
    assert ((ahead - aside).abs().max(dim=-1).values > 1e-4).all()


def test_noise_has_its_spread_and_stands_before_the_relu(condition):
    field = make_field(density_noise=0.1, density_bias=5.0)
    positions, rows = torch.zeros(20_000, 3), torch.zeros(20_000, dtype=torch.long)
    prepared = field.prepare(condition)
    with torch.no_grad():
        still, _ = field.get_density(positions, rows, prepared)
        noisy, _ = field.train().get_density(positions, rows, prepared)
    assert (noisy - still).std().item() == pytest.approx(0.1, rel=0.03)
    assert abs((noisy - still).mean().item()) < 0.004


def test_box_coordinates_make_scale_and_place_irrelevant(condition, samples):
    """Twice as large a head elsewhere has the same colours and half the density per scene unit."""
    settings = dict(coordinates="box", density_activation="softplus", density_scale=48.0, density_noise=0.0)
    small = make_field(**settings)
    offset = torch.tensor([1.0, -2.0, 3.0])
    grown = SceneBox(BOX.aabb * 2 + offset)
    torch.manual_seed(0)
    large = NeRFaceFieldConfig(**settings).setup(
        scene_box=grown, num_coefficients=NUM_COEFFICIENTS, code_length=CODE_LENGTH
    )
    positions, _, rows = samples
    prepared = small.prepare(condition)
    density, features = small.get_density(positions, rows, prepared)
    large_density, large_features = large.get_density(positions * 2 + offset, rows, prepared)
    torch.testing.assert_close(large_density, density / 2, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(large_features, features, rtol=1e-3, atol=1e-4)
    raw, _ = small.get_raw_density(positions, rows, prepared)
    torch.testing.assert_close(density, nn.functional.softplus(raw) * 48.0 / 0.4)


def test_sizes_are_configurable(condition, samples):
    field = make_field(
        position_octaves=2, direction_octaves=1, trunk_layers=2, trunk_width=8, skip_layer=0, colour_layers=1,
        colour_width=5,
    )  # fmt: skip
    positions, directions, rows = samples
    prepared = field.prepare(condition)
    _, features = field.get_density(positions, rows, prepared)
    assert field.get_rgb(directions, rows, prepared, features).shape == (7, 3)
    assert [tuple(p.shape) for p in field.trunk[0].parameters()] == [(8, 15), (8,), (8, 108)]


@pytest.mark.parametrize("settings", [{"skip_layer": 6}, {"skip_layer": -1}, {"trunk_layers": 0}, {"colour_layers": 0}])
def test_impossible_sizes_are_named(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        make_field(**settings)
