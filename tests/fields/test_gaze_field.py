import pytest
import torch
from nerfstudio.data.scene_box import SceneBox
from test_warped_grid_field import BOX, CODE_LENGTH, NUM_COEFFICIENTS, evaluate, one_frame, random_condition, zero_rows

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.field_components.feature_grid import FeatureGridConfig
from nerface_ns.fields.gaze_field import GazeFieldConfig

REGION = torch.tensor([[-0.06, 0.1, -0.03], [0.06, 0.15, 0.03]])
LEFT_EYE = torch.tensor([0.033, 0.125, 0.0])
GAZES = torch.tensor([[0.1, 0.3], [-0.2, -0.4], [0.0, 0.0]])


def make_field(placed: bool = True, **settings):
    torch.manual_seed(0)
    grid = FeatureGridConfig(resolutions=(4, 8), channels=2, init_scale=1.0)
    field = GazeFieldConfig(canonical_grid=grid, **settings).setup(
        scene_box=SceneBox(aabb=BOX), num_coefficients=NUM_COEFFICIENTS, code_length=CODE_LENGTH
    )
    if placed:
        field.place_eyes(REGION)
    return field


def looking(gaze: torch.Tensor | None = GAZES, num_frames: int = 3) -> FaceCondition:
    return FaceCondition(**{**vars(random_condition(num_frames)), "gaze": gaze})


def points(count: int, low: torch.Tensor = BOX[0], high: torch.Tensor = BOX[1]) -> torch.Tensor:
    return low + torch.rand(count, 3, generator=torch.Generator().manual_seed(3)) * (high - low)


def compare(field, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Differences in density and colour between two gazes of one frame, relative to the density."""
    shown = [
        evaluate(field, positions, zero_rows(len(positions)), looking(gaze[None], 1)) for gaze in (GAZES[0], GAZES[1])
    ]
    (first, first_colour), (second, second_colour) = shown
    return (first - second).abs() / first, (first_colour - second_colour).abs()


def test_gaze_moves_the_eyes():
    density, colour = compare(make_field(), points(200, REGION[0] * 0.9 + REGION[1] * 0.1, REGION[1]))
    assert density.max() > 1e-2 and colour.max() > 1e-4


def test_gaze_moves_nothing_else():
    """By construction, to the last bit."""
    field, everywhere = make_field(), points(3000)
    inside = ((everywhere > REGION[0]) & (everywhere < REGION[1])).all(dim=-1)
    offsets = everywhere[:, None] - field.eyes.centres.detach()
    inside |= (offsets.norm(dim=-1) < field.eyes.config.reach * field.eyes.radius).any(dim=-1)
    density, colour = compare(field, everywhere[~inside])
    assert density.max() == 0 and colour.max() == 0 and len(density) > 2000


def test_gaze_does_nothing_until_it_is_known_where_the_eyes_are():
    field = make_field(placed=False)
    assert not field.has_eyes
    density, colour = compare(field, points(500))
    assert density.max() == 0 and colour.max() == 0


def test_without_a_gaze_eyes_look_ahead():
    field, positions = make_field(), points(100, REGION[0], REGION[1])
    without = evaluate(field, positions, zero_rows(100), random_condition(1))
    ahead = evaluate(field, positions, zero_rows(100), looking(torch.zeros(1, 2), 1))
    torch.testing.assert_close(without, ahead)


@pytest.mark.parametrize("merge", ["density", "maximum"])
def test_streams_merge_as_a_loop_does(merge):
    field = make_field(merge=merge)
    generator = torch.Generator().manual_seed(4)
    densities = torch.rand(2, 7, generator=generator) * 50
    features = torch.randn(2, 7, 5, generator=generator)
    density, feature = field._merge(densities[0], features[0], densities[1], features[1])
    for sample in range(7):
        face, eye = float(densities[0, sample]), float(densities[1, sample])
        if merge == "density":
            expected = [face + eye] + [
                (face * float(a) + eye * float(b)) / (face + eye) for a, b in zip(*features[:, sample])
            ]
        else:
            expected = [max(face, eye)] + [max(float(a), float(b)) for a, b in zip(*features[:, sample])]
        torch.testing.assert_close(torch.tensor(expected), torch.cat([density[sample, None], feature[sample]]))


def test_eyeballs_add_to_the_faces_density():
    field, positions = make_field(lids_follow=False), points(50, LEFT_EYE - 0.004, LEFT_EYE + 0.004)
    condition = looking(GAZES[:1], 1)
    merged = evaluate(field, positions, zero_rows(50), condition)[0]
    field.eyes.radius.fill_(1e-9)
    assert (merged > evaluate(field, positions, zero_rows(50), condition)[0]).all()


@pytest.mark.parametrize(
    "settings", [{}, {"lids_follow": False}, {"merge": "maximum"}], ids=["default", "no lids", "maximum"]
)
def test_frames_of_a_batch_do_not_mix(settings):
    field, positions, condition = make_field(**settings), points(90, REGION[0], REGION[1]), looking()
    rows = torch.arange(90) // 30
    together = evaluate(field, positions, rows, condition)
    parts = [evaluate(field, positions[rows == row], zero_rows(30), one_frame(condition, row)) for row in range(3)]
    for found, alone in zip(together, zip(*parts)):
        torch.testing.assert_close(found, torch.cat(alone), atol=1e-3, rtol=1e-4)


def test_gradients_reach_every_parameter_and_the_gaze():
    field, condition = make_field(), looking(GAZES.clone().requires_grad_())
    positions = points(600, REGION[0], REGION[1])
    density, colour = evaluate(field, positions, torch.arange(600) // 200, condition)
    (density.square().sum() + colour.square().sum()).backward()
    for name, leaf in {**dict(field.named_parameters()), "gaze": condition.gaze}.items():
        assert leaf.grad is not None and leaf.grad.abs().sum() > 0, name


def test_where_the_eyes_are_lives_in_the_checkpoint():
    field, other = make_field(), make_field(placed=False)
    with torch.no_grad():
        field.eyes.shift.copy_(torch.tensor([[0.0, 0.5, 0.0], [0.0, 0.5, 1.0]]))
    other.load_state_dict(field.state_dict())
    assert other.has_eyes
    torch.testing.assert_close(
        other.eyes_position, torch.tensor([0.0, 0.125, 0.0]) + other.eyes.radius * torch.tensor([0, 0.5, 0.5])
    )


def test_an_empty_region():
    with pytest.raises(ValueError, match="expected the first corner below the second"):
        make_field().place_eyes(REGION.flip(0))


def test_no_samples():
    density, colour = evaluate(make_field(), torch.zeros(0, 3), zero_rows(0), looking())
    assert density.shape == (0,) and colour.shape == (0, 3)
