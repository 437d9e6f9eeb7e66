import pytest
import torch
from nerfstudio.data.scene_box import SceneBox

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.field_components.blended_tables import BlendedTablesConfig
from nerface_ns.fields.blendshape_field import BlendshapeFieldConfig

NUM_COEFFICIENTS, CODE_LENGTH = 5, 3
BOX = torch.tensor([[-0.2, -0.1, -0.2], [0.2, 0.3, 0.1]])
TABLES = BlendedTablesConfig(num_levels=4, base_resolution=3, finest_resolution=24, num_basis_levels=2)


def make_field(scale: float = 1.0, code_length: int = CODE_LENGTH, **settings):
    torch.manual_seed(0)
    field = BlendshapeFieldConfig(**{"tables": TABLES, **settings}).setup(
        scene_box=SceneBox(aabb=BOX * scale), num_coefficients=NUM_COEFFICIENTS, code_length=code_length
    )
    with torch.no_grad():
        field.tables.bases.normal_(std=0.1)
    return field


def random_condition(num_frames: int = 3) -> FaceCondition:
    generator = torch.Generator().manual_seed(1)
    return FaceCondition(
        expression=torch.randn(num_frames, NUM_COEFFICIENTS, generator=generator),
        latent_code=torch.randn(num_frames, CODE_LENGTH, generator=generator),
        head_pose=torch.randn(num_frames, 6, generator=generator),
        camera_rotation=torch.linalg.qr(torch.randn(num_frames, 3, 3, generator=generator)).Q,
    )


def one_frame(condition: FaceCondition, row: int = 0, **changes: torch.Tensor) -> FaceCondition:
    values = {name: values[row : row + 1] for name, values in vars(condition).items() if values is not None}
    return FaceCondition(**{**values, **changes})


def positions_in_box(count: int, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return (BOX[0] + torch.rand(count, 3, generator=generator) * (BOX[1] - BOX[0])) * scale


def evaluate(field, positions, rows, condition, direction=(0.0, 0.0, -1.0)):
    """Density and colour."""
    prepared = field.prepare(condition)
    density, embedding = field.get_density(positions, rows, prepared)
    directions = torch.tensor([direction]).expand_as(positions)
    return density, field.get_rgb(directions, rows, prepared, embedding)


def zero_rows(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.long)


@pytest.fixture(params=[("none", 0), ("pose", 0), ("expression", 0), ("expression", 2)], ids=str)
def field(request):
    warp, num_ambient = request.param
    return make_field(warp=warp, num_ambient=num_ambient)


def test_density_and_colours_are_in_range(field):
    density, colour = evaluate(field, positions_in_box(60), torch.arange(60) // 20, random_condition())
    assert density.shape == (60,) and density.isfinite().all() and (density >= 0).all()
    assert colour.shape == (60, 3) and (colour >= 0).all() and (colour <= 1).all()


def test_frames_of_a_batch_do_not_mix(field):
    positions, condition = positions_in_box(30), random_condition()
    rows = torch.tensor([0] * 12 + [2] * 18)
    found = evaluate(field, positions, rows, condition)
    parts = [
        evaluate(field, positions[rows == row], zero_rows(int((rows == row).sum())), one_frame(condition, row))
        for row in (0, 2)
    ]
    for together, alone in zip(found, zip(*parts)):
        torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)


def test_gradients_reach_parameters_and_conditions(field):
    condition = random_condition()
    for values in (condition.expression, condition.latent_code):
        values.requires_grad_()
    density, colour = evaluate(field, positions_in_box(600), torch.arange(600) // 200, condition)
    (density.square().sum() + colour.square().sum()).backward()
    leaves = {**dict(field.named_parameters()), "expression": condition.expression, "code": condition.latent_code}
    for name, leaf in leaves.items():
        assert leaf.grad is not None and leaf.grad.abs().sum() > 0, name


def changed_by(field, positions: torch.Tensor, direction=(0.0, 0.0, -1.0), **changes: torch.Tensor):
    """Greatest change of density and of colour that a change of a frame's condition makes."""
    condition, rows = random_condition(), zero_rows(len(positions))
    before = evaluate(field, positions, rows, one_frame(condition))
    after = evaluate(field, positions, rows, one_frame(condition, **changes), direction)
    return [float((second - first).abs().max()) for first, second in zip(before, after)]


def test_the_expression_moves_density(field):
    density, _ = changed_by(field, positions_in_box(200), expression=torch.zeros(1, NUM_COEFFICIENTS))
    assert density > 1e-2


@pytest.mark.parametrize(("warp", "moves"), [("none", False), ("pose", True)])
def test_the_pose_moves_density_where_it_may(warp, moves):
    density, _ = changed_by(make_field(warp=warp), positions_in_box(200), head_pose=torch.ones(1, 6))
    assert (density > 1e-4) == moves


@pytest.mark.parametrize("num_ambient", [0, 2])
def test_extra_coordinates_bring_the_expression_past_the_tables(num_ambient):
    """With empty tables it does not matter where a point is moved to."""
    field = make_field(warp="expression", num_ambient=num_ambient)
    with torch.no_grad():
        field.tables.bases.zero_()
        field.tables.table.zero_()
    density, _ = changed_by(field, positions_in_box(200), expression=torch.zeros(1, NUM_COEFFICIENTS))
    assert (density > 1e-4) == (num_ambient > 0)


def test_codes_colour_but_do_not_move(field):
    density, colour = changed_by(field, positions_in_box(50), latent_code=torch.zeros(1, CODE_LENGTH))
    assert density == 0 and colour > 1e-4


@pytest.mark.parametrize("degree", [0, 4])
def test_the_view_direction_counts_by_degree(degree):
    field = make_field(direction_degree=degree, light_from_camera=False)
    density, colour = changed_by(field, positions_in_box(50), direction=(0.0, 0.6, -0.8))
    assert density == 0 and (colour > 1e-4) == (degree > 0)


def test_codes_may_be_left_out():
    condition = one_frame(random_condition(), latent_code=torch.zeros(1, 0))
    colour = evaluate(make_field(code_length=0), positions_in_box(5), zero_rows(5), condition)[1]
    assert colour.shape == (5, 3)


def test_size_of_the_scene_does_not_matter():
    """A head ten times as large has a tenth of the density, and the same colours."""
    small, large = make_field(), make_field(scale=10.0)
    large.load_state_dict({**small.state_dict(), "aabb": large.aabb})
    condition = random_condition(1)
    density, colour = evaluate(small, positions_in_box(50), zero_rows(50), condition)
    scaled_density, scaled_colour = evaluate(large, positions_in_box(50, scale=10.0), zero_rows(50), condition)
    torch.testing.assert_close(scaled_density * 10, density, atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(scaled_colour, colour, atol=1e-4, rtol=0)


def test_axes_may_be_reordered():
    """What is asked at x, y, z of one is asked at y, z, x of the other, positions and directions alike."""
    settings = {"warp": "none", "light_from_camera": False}
    plain, reordered = make_field(**settings), make_field(**settings, axis_order=(1, 2, 0))
    low, high = BOX
    unit, rows = torch.rand(40, 3), zero_rows(40)
    found = evaluate(reordered, low + unit * (high - low), rows, one_frame(random_condition()), (0.6, 0.0, -0.8))
    moved = low + unit[:, [1, 2, 0]] * (high - low)
    expected = evaluate(plain, moved, rows, one_frame(random_condition()), (0.0, -0.8, 0.6))
    for first, second in zip(found, expected):
        torch.testing.assert_close(first, second)


def test_colour_may_see_the_geometry_alone():
    field = make_field(colour_from_features=False)
    assert field.colour_first.linear.in_features == 15 + 16 + 12
    colour = evaluate(field, positions_in_box(5), zero_rows(5), one_frame(random_condition()))[1]
    assert colour.shape == (5, 3)


def test_no_samples(field):
    density, colour = evaluate(field, torch.zeros(0, 3), zero_rows(0), random_condition())
    assert density.shape == (0,) and colour.shape == (0, 3)


@pytest.mark.parametrize(
    "settings",
    [{"density_layers": 0}, {"colour_layers": 0}, {"direction_degree": 6}, {"axis_order": (0, 1, 1)}],
)
def test_impossible_sizes(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))}.*expected"):
        make_field(**settings)
