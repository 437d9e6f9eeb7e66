import pytest
import released_code
import torch
from nerfstudio.data.scene_box import SceneBox
from released_code import ReleasedNetwork

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.field_components.octave_encoding import encode_octaves
from nerface_ns.fields.nerface_field import NeRFaceFieldConfig
from nerface_ns.original.network_layout import NetworkSizes, network_layout, odd_features, read_sizes

MIRROR = torch.tensor([-1.0, 1.0, 1.0])
SIZES = NetworkSizes(
    position_octaves=released_code.OCTAVES,
    direction_octaves=released_code.DIRECTION_OCTAVES,
    num_coefficients=released_code.NUM_COEFFICIENTS,
    code_length=released_code.CODE_LENGTH,
    trunk_layers=6,
    trunk_width=released_code.WIDTH,
    skip_layer=3,
    colour_width=released_code.COLOUR_WIDTH,
)


def field_of(network, position_is_mirrored, direction_is_mirrored):
    """The package's field with a network's numbers."""
    config = NeRFaceFieldConfig(
        position_octaves=SIZES.position_octaves,
        direction_octaves=SIZES.direction_octaves,
        trunk_width=SIZES.trunk_width,
        colour_width=SIZES.colour_width,
        unused_colour_layer=True,
    )
    box = SceneBox(torch.tensor([[-0.2] * 3, [0.2] * 3]))
    field = config.setup(scene_box=box, num_coefficients=SIZES.num_coefficients, code_length=SIZES.code_length)
    state = {"aabb": field.aabb}
    for parameter in network_layout(SIZES, "", position_is_mirrored, direction_is_mirrored):
        state.update(parameter.split(network.state_dict()[parameter.name]))
    field.load_state_dict(state, strict=True)
    return field.eval()


@pytest.mark.parametrize(("position_mirror", "direction_mirror"), [(False, False), (True, False), (True, True)])
def test_field_computes_what_the_released_network_does(position_mirror, direction_mirror):
    """Density and colour at mirrored points; with the released direction input, which has no x, as it is."""
    torch.manual_seed(0)
    network = ReleasedNetwork()
    field = field_of(network, position_mirror, direction_mirror)
    points, directions = torch.randn(50, 3) * 0.3, torch.randn(50, 3)
    expression, code = torch.randn(SIZES.num_coefficients), torch.randn(SIZES.code_length)
    colour, raw = network(points, directions, expression, code)
    pose, rows = torch.zeros(1, 6), torch.zeros(50, dtype=torch.long)
    condition = FaceCondition(expression[None] / 3, code[None], pose, torch.eye(3)[None])
    seen_at = points * MIRROR if position_mirror else points
    prepared = field.prepare(condition)
    density, embedding = field.get_density(seen_at, rows, prepared)
    got = field.get_rgb(directions * MIRROR if direction_mirror else directions, rows, prepared, embedding)
    torch.testing.assert_close(density, raw.relu(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(got, colour, rtol=1e-5, atol=1e-6)
    assert raw.std() > 0.5 and colour.std() > 0.05


@pytest.mark.parametrize("include_input", [True, False])
def test_odd_features_are_those_that_change_their_sign(include_input):
    points = torch.rand(20, 3) + 0.1
    there, mirrored = (encode_octaves(p, 3, include_input) for p in (points, points * MIRROR))
    odd = odd_features(3, include_input)
    torch.testing.assert_close(mirrored, torch.where(odd, -there, there))
    assert ((there[:, odd] - mirrored[:, odd]).abs() > 1e-3).any(dim=0).all()


def test_layout_has_the_released_order():
    """Adam's state has no names, only this order."""
    names = [parameter.name for parameter in network_layout(SIZES, "", True, False)]
    assert names == [name for name, _ in ReleasedNetwork().named_parameters()]


def test_sizes_are_read_off_the_tensors():
    assert read_sizes("net", ReleasedNetwork().state_dict(), SIZES.position_octaves, SIZES.code_length) == SIZES


def test_network_without_a_skip():
    state = ReleasedNetwork().state_dict()
    state["layers_xyz.3.weight"] = torch.zeros(SIZES.trunk_width, SIZES.trunk_width)
    assert read_sizes("net", state, SIZES.position_octaves, SIZES.code_length).skip_layer == 0


def changed(name, value):
    state = dict(ReleasedNetwork().state_dict())
    if value is None:
        del state[name]
    else:
        state[name] = value
    return state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, r"net: expected the parameters of NerFace's network .* missing \['layers_xyz.0.weight'"),
        (changed("fc_alpha.bias", None), r"missing \['fc_alpha.bias'\], unknown none"),
        (changed("layers_dir.4.bias", torch.zeros(8)), r"missing none, unknown \['layers_dir.4.bias'\]"),
        (changed("fc_rgb.bias", torch.zeros(4)), r"net: fc_rgb.bias: expected shape \(3,\), got \(4,\)"),
        (changed("fc_rgb.bias", torch.zeros(3).double()), r"fc_rgb.bias: expected a float32 tensor, got torch.float64"),
        (changed("fc_rgb.bias", [0.0, 0.0, 0.0]), r"fc_rgb.bias: expected a float32 tensor, got list"),
        (changed("layers_xyz.0.weight", torch.zeros(16)), r"layers_xyz.0.weight: expected a matrix, got shape \(16,\)"),
        (changed("layers_xyz.0.weight", torch.zeros(16, 30)), r"expected columns for a position \(27\).*, got 30"),
        (changed("layers_xyz.2.weight", torch.zeros(16, 17)), r"layers_xyz.2.weight: expected shape \(16, 16\)"),
        (changed("layers_dir.0.weight", torch.zeros(8, 16 + 27)), r"6 for each octave of the direction, got 43"),
    ],
)
def test_other_networks_are_refused(state, message):
    with pytest.raises(ValueError, match=message):
        read_sizes("net", state, SIZES.position_octaves, SIZES.code_length)
