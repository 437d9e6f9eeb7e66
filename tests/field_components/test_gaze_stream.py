import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from nerface_ns.conditioning.gaze import gaze_rotation
from nerface_ns.field_components.feature_grid import FeatureGridConfig
from nerface_ns.field_components.gaze_stream import GAZE_UNIT, GazeStreamConfig, gaze_terms, turn_vectors

CENTRES = torch.tensor([[-0.03, 0.02, 0.05], [0.03, 0.02, 0.05]])
RADIUS = 0.012
GAZES = torch.tensor([[0.0, 0.0], [0.2, -0.4], [-0.1, 0.5]])


def make_stream(**settings):
    torch.manual_seed(0)
    small = FeatureGridConfig(resolutions=(6,), channels=6, init_scale=1.0)
    stream = GazeStreamConfig(vectors=small, eyeballs=small, **settings).setup(num_out=4)
    stream.place(CENTRES, RADIUS)
    return stream


def offsets(count: int) -> torch.Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8


def ask(stream, points: torch.Tensor, gaze: torch.Tensor, second: bool = False) -> torch.Tensor:
    """The stream's numbers for one frame."""
    is_second = torch.full((len(points),), second)
    return stream(points, is_second, torch.zeros(len(points), dtype=torch.long), stream.prepare(gaze[None]))


def test_turned_features_are_scipys():
    """Each sample's 3-vectors, turned back one by one."""
    rotations, rows = gaze_rotation(GAZES), torch.tensor([0, 0, 1, 2, 2, 2])
    features = torch.randn(6, 12, generator=torch.Generator().manual_seed(2))
    expected = [
        np.concatenate([Rotation.from_matrix(rotations[row].numpy()).inv().apply(v) for v in vectors.reshape(4, 3)])
        for row, vectors in zip(rows.tolist(), features.numpy())
    ]
    np.testing.assert_allclose(turn_vectors(features, rotations, rows).numpy(), expected, atol=1e-6)


def test_terms():
    expected = torch.tensor([[0.5, -1.0, 0.25, 1.0, -0.5]])
    torch.testing.assert_close(gaze_terms(torch.tensor([[0.5, -1.0]]) * GAZE_UNIT), expected)


def test_samples_belong_to_the_nearer_eye():
    found, is_second, weight = make_stream().locate(CENTRES.flip(0) + torch.tensor([0.0, RADIUS, 0.0]))
    assert is_second.tolist() == [True, False]
    torch.testing.assert_close(found, torch.tensor([[0.0, 1.0, 0.0]]).repeat(2, 1), atol=1e-4, rtol=0)
    torch.testing.assert_close(weight, torch.ones(2))


def test_nothing_beyond_the_reach():
    stream = make_stream()
    away = CENTRES[:1] + RADIUS * torch.tensor([[0.0, 0.0, 1.61], [0.0, -1.55, 0.0], [0.0, 0.0, 1.0]])
    weight = stream.locate(away)[2]
    assert weight[0] == 0 and 0 < weight[1] < 0.1 and weight[2] == 1


def test_eyes_that_nobody_placed_are_nowhere():
    stream = GazeStreamConfig().setup(num_out=4)
    assert (stream.locate(offsets(50))[2] == 0).all()


def test_an_eyeball_turns_as_a_whole():
    """Without features that stay in place, a point and its turned eye look as the point behind it does straight on."""
    stream = make_stream()
    torch.nn.init.zeros_(stream.vectors.table)
    points, gaze = offsets(40), GAZES[1]
    turned = points @ gaze_rotation(gaze[None])[0].T
    torch.testing.assert_close(ask(stream, turned, gaze), ask(stream, points, torch.zeros(2)), atol=1e-5, rtol=1e-4)
    assert (ask(stream, points, gaze) - ask(stream, points, torch.zeros(2))).abs().max() > 1e-2


def test_eyes_have_features_of_their_own():
    stream, points = make_stream(), offsets(40)
    assert (ask(stream, points, GAZES[0]) - ask(stream, points, GAZES[0], second=True)).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("settings", "num_parts"),
    [
        ({}, 3 + 6 + 6),
        ({"rigid_eyeballs": False}, 3 + 6),
        ({"gaze_as": "condition"}, 3 + 6),
    ],
)
def test_gaze_tells_in_every_form(settings, num_parts):
    stream, points = make_stream(**settings), offsets(40)
    assert stream.first.linear.in_features == num_parts
    assert (ask(stream, points, GAZES[1]) - ask(stream, points, GAZES[2])).abs().max() > 1e-3


def test_frames_do_not_mix():
    stream, points, rows = make_stream(), offsets(9), torch.tensor([0, 0, 1, 1, 1, 2, 2, 2, 2])
    together = stream(points, torch.zeros(9, dtype=torch.bool), rows, stream.prepare(GAZES))
    alone = torch.cat([ask(stream, points[rows == row], GAZES[row]) for row in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_features_that_make_no_vectors():
    with pytest.raises(ValueError, match="expected a multiple of 3 features, got 8"):
        GazeStreamConfig(vectors=FeatureGridConfig(resolutions=(4, 4), channels=4)).setup(num_out=4)
