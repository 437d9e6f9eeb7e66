import pytest
import torch
from nerfstudio.data.scene_box import SceneBox

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.field_components.deformation import BilinearDeformationConfig, BlendedGridDeformationConfig
from nerface_ns.field_components.torso_frame import TorsoFrameConfig
from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig

NUM_COEFFICIENTS, CODE_LENGTH = 5, 3
BOX = torch.tensor([[-0.2, -0.1, -0.2], [0.2, 0.3, 0.1]])


def make_field(scale: float = 1.0, **settings):
    torch.manual_seed(0)
    return WarpedGridFieldConfig(**settings).setup(
        scene_box=SceneBox(aabb=BOX * scale), num_coefficients=NUM_COEFFICIENTS, code_length=CODE_LENGTH
    )


def random_condition(num_frames: int = 3) -> FaceCondition:
    generator = torch.Generator().manual_seed(1)
    return FaceCondition(
        expression=torch.randn(num_frames, NUM_COEFFICIENTS, generator=generator),
        latent_code=torch.randn(num_frames, CODE_LENGTH, generator=generator),
        head_pose=torch.randn(num_frames, 6, generator=generator),
        camera_rotation=torch.linalg.qr(torch.randn(num_frames, 3, 3, generator=generator)).Q,
    )


def standing_condition(num_frames: int) -> FaceCondition:
    """Random conditions with a motion to rest for each frame."""
    condition = random_condition(num_frames)
    angle = torch.linspace(-0.4, 0.4, num_frames)
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    turn = torch.stack([angle.cos(), zero, angle.sin(), zero, one, zero, -angle.sin(), zero, angle.cos()], dim=-1)
    motion = torch.cat([turn.reshape(-1, 3, 3), torch.full((num_frames, 3, 1), 0.05)], dim=-1)
    return FaceCondition(**{**vars(condition), "to_rest": motion})


def one_frame(condition: FaceCondition, row: int) -> FaceCondition:
    rows = {name: values[row : row + 1] for name, values in vars(condition).items() if values is not None}
    return FaceCondition(**rows)


def positions_in_box(count: int, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return (BOX[0] + torch.rand(count, 3, generator=generator) * (BOX[1] - BOX[0])) * scale


def evaluate(field, positions, rows, condition):
    """Density and colour."""
    prepared = field.prepare(condition)
    density, embedding = field.get_density(positions, rows, prepared)
    directions = torch.tensor([[0.0, 0.0, -1.0]]).expand_as(positions)
    return density, field.get_rgb(directions, rows, prepared, embedding)


def zero_rows(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.long)


@pytest.fixture(params=[BilinearDeformationConfig(), BlendedGridDeformationConfig()], ids=["bilinear", "blended"])
def field(request):
    return make_field(deformation=request.param)


def test_density_and_colours_are_in_range(field):
    rows = torch.tensor([0] * 20 + [1] * 20 + [2] * 20)
    density, colour = evaluate(field, positions_in_box(60), rows, random_condition())
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
    positions = positions_in_box(600).requires_grad_()
    density, colour = evaluate(field, positions, torch.arange(600) // 200, condition)
    (density.square().sum() + colour.square().sum()).backward()
    leaves = {**dict(field.named_parameters()), "positions": positions}
    leaves.update(expression=condition.expression, latent_code=condition.latent_code)
    for name, leaf in leaves.items():
        assert leaf.grad is not None and leaf.grad.abs().sum() > 0, name


def test_the_expression_moves_density(field):
    positions, condition = positions_in_box(200), random_condition()
    densities = [evaluate(field, positions, zero_rows(200), one_frame(condition, row))[0] for row in (0, 1)]
    assert (densities[0] - densities[1]).abs().max() > 1e-4


def test_codes_colour_but_do_not_move(field):
    """What a code explains cannot be geometry, which would follow each training frame's noise."""
    positions, condition = positions_in_box(50), one_frame(random_condition(), 0)
    other = FaceCondition(**{**vars(condition), "latent_code": condition.latent_code + 1})
    first, second = (evaluate(field, positions, zero_rows(50), asked) for asked in (condition, other))
    torch.testing.assert_close(first[0], second[0])
    assert (first[1] - second[1]).abs().max() > 1e-4


@pytest.mark.parametrize("colour_from_expression", [True, False])
def test_the_same_place_has_another_colour_only_where_colours_are_told(colour_from_expression):
    field, condition = make_field(colour_from_expression=colour_from_expression), one_frame(random_condition(), 0)
    _, embedding = field.get_density(positions_in_box(50), zero_rows(50), field.prepare(condition))
    other = FaceCondition(**{**vars(condition), "expression": condition.expression + 1})
    directions = torch.tensor([[0.0, 0.0, -1.0]]).expand(50, 3)
    first, second = (
        field.get_rgb(directions, zero_rows(50), field.prepare(asked), embedding) for asked in (condition, other)
    )
    assert bool((first != second).any()) == colour_from_expression


@pytest.mark.parametrize("light_from_camera", [True, False])
def test_turning_the_camera_turns_the_light(light_from_camera):
    field = make_field(light_from_camera=light_from_camera)
    positions, condition = positions_in_box(50), one_frame(random_condition(), 0)
    other = FaceCondition(**{**vars(condition), "camera_rotation": torch.eye(3)[None]})
    first, second = (evaluate(field, positions, zero_rows(50), asked) for asked in (condition, other))
    torch.testing.assert_close(first[0], second[0])
    assert ((first[1] - second[1]).abs().max() > 1e-5) == light_from_camera


def test_size_of_the_scene_does_not_matter():
    """A head ten times as large has a tenth of the density, and the same colours."""
    small, large = make_field(), make_field(scale=10.0)
    large.load_state_dict({**small.state_dict(), "aabb": large.aabb})
    condition = random_condition(1)
    density, colour = evaluate(small, positions_in_box(50), zero_rows(50), condition)
    scaled_density, scaled_colour = evaluate(large, positions_in_box(50, scale=10.0), zero_rows(50), condition)
    torch.testing.assert_close(scaled_density * 10, density, atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(scaled_colour, colour, atol=1e-4, rtol=0)


@pytest.mark.parametrize("light_from_camera", [True, False])
def test_checkpoints_keep_their_names(light_from_camera):
    """Runs were saved with these, the normal's among them even where nothing asks for it."""
    linears = ["density_net.0", "density_net.2", "normal", "colour_first.linear", "colour_rest.1", "colour_rest.3"]
    linears += ["deformation.first", "deformation.second"]
    expected = {f"{name}.{part}" for name in linears for part in ("weight", "bias")}
    expected |= {"aabb", "grid.table", "deformation.grid.table", "deformation.basis", "colour_first.condition.weight"}
    assert make_field(light_from_camera=light_from_camera).state_dict().keys() == expected


def test_no_samples(field):
    density, colour = evaluate(field, torch.zeros(0, 3), zero_rows(0), random_condition())
    assert density.shape == (0,) and colour.shape == (0, 3)


def test_a_torso_is_seen_as_where_it_rests():
    """A field that is all torso shows what one without shows of the resting places, lit as there."""
    plain = make_field(deform_with_pose=False)
    torso = make_field(deform_with_pose=False, torso=TorsoFrameConfig(enabled=True))
    missing, unexpected = torso.load_state_dict(plain.state_dict(), strict=False)
    assert missing == ["torso.rest_grids", "torso.head_grids"] and not unexpected
    torso.torso.rest_grids.data.fill_(9.0)
    rows, positions = torch.arange(60) // 20, positions_in_box(60)
    condition = standing_condition(3)
    turns, shifts = condition.to_rest[:, :, :3], condition.to_rest[:, :, 3]
    resting = torch.stack([turns[row] @ place + shifts[row] for row, place in zip(rows, positions)])
    lit = FaceCondition(**{**vars(condition), "camera_rotation": turns @ condition.camera_rotation})
    found, expected = evaluate(torso, positions, rows, condition), evaluate(plain, resting, rows, lit)
    for ours, theirs in zip(found, expected):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_weights_between_head_and_torso_learn():
    field = make_field(torso=TorsoFrameConfig(enabled=True, softness=0.5))
    density, colour = evaluate(field, positions_in_box(300), torch.arange(300) // 100, standing_condition(3))
    (density.square().sum() + colour.square().sum()).backward()
    for grids in (field.torso.rest_grids, field.torso.head_grids):
        assert grids.grad.abs().sum() > 0


def test_without_a_motion_to_rest_a_torso_changes_nothing():
    field = make_field(torso=TorsoFrameConfig(enabled=True))
    plain = make_field()
    plain.load_state_dict(field.state_dict(), strict=False)
    rows, positions = torch.arange(60) // 20, positions_in_box(60)
    for ours, theirs in zip(*(evaluate(each, positions, rows, random_condition()) for each in (field, plain))):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
