import dataclasses
import math

import numpy as np
import pytest
import torch
from blob_model import HEIGHT, WIDTH, look_at_origin
from scipy.spatial.transform import Rotation

from nerface_ns.model_components.run_fingerprint import run_fingerprint
from nerface_ns.rendering.state_plans import gaze_between, morph_plan, pose_between, turn_plan
from nerface_ns.rendering.state_subject import check_state
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.fitted_state import FittedState


def make_state(subject, yaw: float = 0.2, **changes) -> FittedState:
    pose = look_at_origin(torch.tensor([math.sin(yaw), 0.02, math.cos(yaw)]) * 0.5)
    length = subject.model.latent_codes.codes.shape[1]
    values = {
        "names": subject.names,
        "expression": np.array([0.1, 0.5, 0.9]),
        "latent_code": np.full(length, 0.25),
        "camera_to_world": pose.double().numpy(),
        "focal_px": (20.0, 20.0),
        "center_px": (8.0, 6.0),
        "size": (HEIGHT, WIDTH),
        "run": run_fingerprint(subject.model),
        "source": "a.json",
    }
    return FittedState(**{**values, **changes})


def test_the_first_frame_is_the_fitted_one(subject):
    state = make_state(subject)
    plan = turn_plan(subject, state, 1.0, 8.0, 25.0, 5.0)
    camera = plan.shots[0].camera
    np.testing.assert_allclose(camera.camera_to_worlds[0], state.camera_to_world, atol=1e-6)
    np.testing.assert_allclose(camera.metadata["expression"][0], state.expression, atol=1e-6)
    np.testing.assert_allclose(camera.metadata["latent_code"][0], state.latent_code, atol=1e-6)
    assert (float(camera.fx[0]), float(camera.cy[0]), int(camera.width[0])) == (20.0, 6.0, WIDTH)
    assert len(plan.shots) == 8 and plan.frames_per_s == 8.0


def test_the_head_turns_to_both_sides(subject):
    """A quarter of the way the camera stands 25 degrees to its right, three quarters on as far to its left."""
    shots = turn_plan(subject, make_state(subject), 1.0, 8.0, 25.0, 0.0).shots
    first, right, left = (shots[index].camera.camera_to_worlds[0, :, 3] - subject.pivot for index in (0, 2, 6))
    for aside in (right, left):
        assert math.degrees(torch.arccos(first @ aside / (first.norm() * aside.norm()))) == pytest.approx(25, abs=0.1)
    assert (right - first) @ (left - first) < 0


def test_a_track_gives_the_expressions(subject):
    rows = np.array([[0.2, 0.3, 0.4], [0.5, 0.4, 0.3]])
    track = ExpressionTrack(4.0, subject.names, rows, source="track")
    shots = turn_plan(subject, make_state(subject), 0.5, 4.0, 0.0, 0.0, track).shots
    shown = torch.cat([shot.camera.metadata["expression"] for shot in shots])
    assert len(shots) == 2 and not torch.allclose(shown[0], shown[1])


def test_the_size_that_is_asked_for(make_subject):
    subject = make_subject(height_px=2 * HEIGHT)
    camera = turn_plan(subject, make_state(subject), 1.0, 1.0, 0.0, 0.0).shots[0].camera
    assert (int(camera.height[0]), float(camera.fx[0]), float(camera.cx[0])) == (2 * HEIGHT, 40.0, 16.0)


def test_a_morph_passes_its_states(subject):
    ends = [make_state(subject, -0.3), make_state(subject, 0.4, expression=np.array([0.9, 0.1, 0.3]))]
    plan = morph_plan(subject, [*ends, ends[0]], 1.0, 9.0)
    for index, state in ((0, ends[0]), (4, ends[1]), (8, ends[0])):
        camera = plan.shots[index].camera
        np.testing.assert_allclose(camera.camera_to_worlds[0], state.camera_to_world, atol=1e-6)
        np.testing.assert_allclose(camera.metadata["expression"][0], state.expression, atol=1e-6)
    middle = plan.shots[2].camera.metadata["expression"][0]
    np.testing.assert_allclose(middle, (ends[0].expression + ends[1].expression) / 2, atol=1e-6)


def test_a_morph_between_pictures_of_two_sizes(subject):
    """In the first one's size; half way the angle of view lies between: 20 / 12 and 60 / 24 heights."""
    other = make_state(subject, focal_px=(60.0, 60.0), center_px=(16.0, 15.0), size=(24, 32))
    camera = morph_plan(subject, [make_state(subject), other], 1.0, 3.0).shots[1].camera
    assert (int(camera.height[0]), int(camera.width[0])) == (HEIGHT, WIDTH)
    assert float(camera.fy[0]) == pytest.approx(12 * (20 / 12 + 60 / 24) / 2)
    assert float(camera.cy[0]) == pytest.approx(6 + 12 * (3 / 24) / 2)
    assert float(camera.cx[0]) == pytest.approx(8.0)


def test_poses_turn_evenly_about_the_head(subject):
    """The head keeps its place before the camera where both ends have it there."""
    first, second = (torch.from_numpy(make_state(subject, yaw).camera_to_world).float() for yaw in (-0.5, 0.7))
    pivot = torch.zeros(3)
    middle = pose_between(first, second, pivot, 0.25)
    turn = Rotation.from_matrix((first[:, :3].T @ middle[:, :3]).numpy()).magnitude()
    whole = Rotation.from_matrix((first[:, :3].T @ second[:, :3]).numpy()).magnitude()
    assert turn == pytest.approx(whole / 4, abs=1e-4)
    assert float(middle[:, 3].norm()) == pytest.approx(float(first[:, 3].norm()), abs=1e-3)


def test_gaze_follows_the_great_circle():
    first, second = torch.tensor([0.1, -0.6]), torch.tensor([-0.3, 0.5])

    def direction(gaze: torch.Tensor) -> np.ndarray:
        pitch, yaw = gaze.tolist()
        # Pitch up turns about -x, then yaw towards +x about y.
        return Rotation.from_euler("xy", [-pitch, yaw]).apply([0.0, 0.0, 1.0])

    axis = np.cross(direction(first), direction(second))
    angle = math.asin(float(np.linalg.norm(axis)))
    for share in (0.0, 0.3, 1.0):
        expected = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle * share).apply(direction(first))
        np.testing.assert_allclose(direction(gaze_between(first, second, share)), expected, atol=1e-6)
    torch.testing.assert_close(gaze_between(first, first, 0.5), first)


def test_one_state_is_no_morph(subject):
    with pytest.raises(ValueError, match="expected at least two states, got 1"):
        morph_plan(subject, [make_state(subject)], 1.0, 3.0)


def test_a_state_of_the_run(subject):
    check_state(make_state(subject), subject)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"run": "0" * 32, "method": "nerface"},
            r"expected a state that was fitted to this run, .* \(of method nerface\)",
        ),
        ({"names": ("a", "b", "c")}, "expected the run's 3 coefficients, got 3: lacks expression_0"),
        ({"latent_code": np.zeros(2)}, "expected 8 numbers in latent_code, got 2"),
    ],
)
def test_a_state_of_another_run(subject, changes, message):
    with pytest.raises(ValueError, match=f"a.json: {message}"):
        check_state(make_state(subject, **changes), subject)
    if "run" in changes:
        check_state(make_state(subject, **changes), subject, any_run=True)


def test_a_run_that_needs_a_gaze(subject, monkeypatch):
    monkeypatch.setattr(type(subject.model), "has_gaze", True)
    with pytest.raises(ValueError, match=r"a.json: expected a gaze, which this run is driven by, got none"):
        check_state(make_state(subject), subject)
    check_state(make_state(subject, gaze=np.array([0.1, 0.2])), subject)


def test_other_numbers_have_another_fingerprint(subject):
    model = subject.model
    before = run_fingerprint(model)
    with torch.no_grad():
        model.latent_codes.codes[0, 0] += 1e-3
        assert run_fingerprint(model) != before
        model.latent_codes.codes[0, 0] -= 1e-3


def test_states_know_nothing_of_gaze_where_there_is_none(subject):
    state = dataclasses.replace(make_state(subject), gaze=None)
    assert "gaze" not in turn_plan(subject, state, 1.0, 2.0, 0.0, 0.0).shots[0].camera.metadata
