import pytest
import torch
from nerfstudio.data.scene_box import SceneBox
from released_blendshape import NUM_COEFFICIENTS, released_forward, released_state

from nerface_ns.conditioning.face_condition import FaceCondition
from nerface_ns.original.blendshape_network import (
    HALF_BOX,
    WORLD_SCALE,
    ReleasedSizes,
    released_field_config,
    released_field_state,
    split_matrices,
)


@pytest.mark.parametrize(("num_geometry", "code_length"), [(64, 0), (15, 3)], ids=["default", "padded-inputs"])
@torch.no_grad()
def test_field_computes_what_the_release_does(num_geometry, code_length):
    """Against a straight-line rewriting, for two frames at once."""
    state, sizes = released_state(num_geometry), ReleasedSizes(num_geometry_features=num_geometry)
    side = HALF_BOX / WORLD_SCALE
    field = released_field_config(state, sizes).setup(
        scene_box=SceneBox(aabb=torch.tensor([[-side] * 3, [side] * 3])),
        num_coefficients=NUM_COEFFICIENTS,
        code_length=code_length,
    )
    field.load_state_dict({**released_field_state(state, sizes, code_length), "aabb": field.aabb}, strict=True)
    generator = torch.Generator().manual_seed(1)
    positions = (torch.rand(12, 3, generator=generator) * 2 - 1) * side
    directions = torch.nn.functional.normalize(torch.randn(12, 3, generator=generator), dim=-1)
    expression, rows = torch.randn(2, NUM_COEFFICIENTS, generator=generator), torch.arange(12) // 6
    prepared = field.prepare(
        FaceCondition(expression, torch.randn(2, code_length), torch.zeros(2, 6), torch.eye(3).expand(2, 3, 3))
    )
    density, embedding = field.get_density(positions, rows, prepared)
    colour = field.get_rgb(directions, rows, prepared, embedding)
    for number in range(12):
        point, direction = positions[number].tolist(), directions[number].tolist()
        expected = released_forward(state, point, direction, expression[rows[number]], num_geometry)
        torch.testing.assert_close(density[number], expected[0], atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(colour[number], expected[1], atol=1e-4, rtol=1e-4)


def test_padded_outputs_are_cut_off():
    state = released_state()
    layers = split_matrices(state, "sigma_net.params", 64, 64, 4, 65)
    assert [tuple(weight.shape) for weight, _ in layers] == [(64, 64)] * 4 + [(65, 64)]
    torch.testing.assert_close(layers[1][0][2], state["sigma_net.params"][4096 + 128 : 4096 + 192])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda state: state.pop("encoder.embeddings"), "encoder.embeddings: expected tables"),
        (lambda state: state.pop("sigma_net.params"), "sigma_net.params: expected 21504 numbers.*no such tensor"),
        (lambda state: state.update({"color_net.params": torch.zeros(7)}), r"expected 6144 numbers.*got \(7,\)"),
        (lambda state: state["encoder.offsets"].add_(1), "encoder.offsets: expected levels of 16 to 1024 cells"),
        (
            lambda state: state.update(
                {"encoder.embeddings_mean": torch.zeros(0, *state["encoder.embeddings"].shape[1:])}
            ),
            "trained without mean",
        ),
    ],
)
def test_files_that_do_not_fit(edit, message):
    state = released_state()
    edit(state)
    with pytest.raises(ValueError, match=message):
        released_field_state(state, ReleasedSizes())
