import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from blob_model import NUM_FRAMES, make_cameras, train_expression
from gaze_blob import AABB, make_gaze_model, train_gaze
from nerfstudio.data.scene_box import SceneBox

from nerface_ns.rendering.camera_plans import interpolation_plan, orbit_plan
from nerface_ns.rendering.drive_plan import drive_plan
from nerface_ns.rendering.gaze_target import GazeTarget, directed_plan
from nerface_ns.rendering.head_pose_config import HeadPoseConfig
from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.rendering.sweep_plan import sweep_plan
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.retargeting import RetargetingConfig


@pytest.fixture(scope="module")
def gaze_subject():
    """The tiny model whose eyes follow a gaze, as a person to render."""
    index = torch.arange(NUM_FRAMES)[:, None]
    metadata = {"frame_index": index, "expression": train_expression(), "gaze": train_gaze()}
    cameras = make_cameras(times=torch.linspace(0, 0.8, NUM_FRAMES)[:, None], metadata=metadata)
    dataset = SimpleNamespace(cameras=cameras, scene_box=SceneBox(aabb=AABB))
    datamanager = SimpleNamespace(train_dataset=dataset)
    return RenderSubject(SimpleNamespace(model=make_gaze_model(), datamanager=datamanager), Path("config.yml"))


def make_track(gaze: np.ndarray | None) -> ExpressionTrack:
    expression = np.zeros((3, 3)) + np.linspace(0, 1, 3)[:, None]
    return ExpressionTrack(25.0, (), expression, gaze=gaze, source="driver")


def drive(subject, gaze: np.ndarray | None):
    return drive_plan(subject, make_track(gaze), RetargetingConfig(match="order"), HeadPoseConfig())


def gazes(plan) -> torch.Tensor:
    return torch.cat([shot.camera.metadata["gaze"] for shot in plan.shots])


def test_eyes_meet_every_camera(gaze_subject):
    """The closed form, camera by camera."""
    model = gaze_subject.model
    plan = orbit_plan(gaze_subject, "neutral", None, RetargetingConfig(), 0.4, 10.0, 20.0, 5.0)
    directed = directed_plan(plan, model, GazeTarget.of(None, "camera"))
    for (pitch, yaw), shot in zip(gazes(directed).tolist(), directed.shots):
        looks = torch.tensor([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
        away = shot.camera.camera_to_worlds[0, :, 3] - model.eyes_position
        torch.testing.assert_close(looks, away / away.norm(), atol=1e-5, rtol=0)


def test_eyes_look_at_a_point(gaze_subject):
    """A tenth up and a tenth aside at a distance of one."""
    x, y, z = (gaze_subject.model.eyes_position + torch.tensor([0.1, 0.1, 1.0])).tolist()
    directed = directed_plan(drive(gaze_subject, None), gaze_subject.model, GazeTarget.of(None, (x, y, z)))
    expected = torch.tensor([math.atan2(0.1, math.hypot(0.1, 1.0)), math.atan2(0.1, 1.0)])
    torch.testing.assert_close(gazes(directed), expected.repeat(3, 1), atol=1e-5, rtol=0)


def test_one_direction_for_all(gaze_subject):
    directed = directed_plan(drive(gaze_subject, None), gaze_subject.model, GazeTarget.of((5.0, -10.0), None))
    torch.testing.assert_close(gazes(directed), torch.deg2rad(torch.tensor([[5.0, -10.0]])).repeat(3, 1))


def test_a_tracks_gaze_is_shown(gaze_subject):
    asked = np.array([[0.0, 0.1], [0.05, 0.2], [0.1, -0.3]])
    plan = directed_plan(drive(gaze_subject, asked), gaze_subject.model, None)
    np.testing.assert_allclose(gazes(plan).numpy(), asked, atol=1e-6)
    assert plan.details["gaze_outside_deg"] == [0.0, 0.0, 0.0] and not any("gaze" in text for text in plan.warnings)


def test_gaze_outside_the_trained_range_is_told(gaze_subject):
    asked = np.array([[0.0, 0.1], [0.0, 0.4 + math.radians(12.5)], [0.0, 0.4 + math.radians(3)]])
    plan = directed_plan(drive(gaze_subject, asked), gaze_subject.model, None)
    assert plan.details["gaze_outside_deg"] == pytest.approx([0.0, 12.5, 3.0], abs=1e-3)
    assert plan.warnings[-1].startswith("2 of 3 frames ask for a gaze outside the trained range, by up to 12.5 deg")


def test_a_track_without_gaze_looks_ahead_and_says_so(gaze_subject):
    plan = drive(gaze_subject, None)
    assert (gazes(plan) == 0).all()
    assert any("driver: says no gaze" in text for text in plan.warnings)


def test_recorded_frames_bring_their_gaze(gaze_subject):
    plan = interpolation_plan(gaze_subject, [1, 4], 0.12, 25.0, move_camera=False)
    expected = torch.stack([train_gaze()[1], train_gaze()[[1, 4]].mean(dim=0), train_gaze()[4]])
    torch.testing.assert_close(gazes(plan), expected)
    still = orbit_plan(gaze_subject, "frame:3", None, RetargetingConfig(), 0.1, 10.0, 20.0, 5.0)
    torch.testing.assert_close(gazes(still), train_gaze()[3:4])


def test_other_avatars_have_no_gaze(subject):
    plan = drive(subject, None)
    assert directed_plan(plan, subject.model, None) is plan
    with pytest.raises(ValueError, match="--gaze, --look-at: expected a run of a method whose eyes follow a gaze"):
        directed_plan(plan, subject.model, GazeTarget.of(None, "camera"))


@pytest.mark.parametrize(
    ("gaze", "look_at", "message"),
    [
        ((1.0, 2.0), "camera", "expected one of them, got both"),
        ((1.0, math.nan), None, "--gaze: expected finite numbers"),
        (None, (0.0, math.inf, 1.0), "--look-at: expected finite numbers"),
    ],
)
def test_bad_targets(gaze, look_at, message):
    with pytest.raises(ValueError, match=message):
        GazeTarget.of(gaze, look_at)


def test_a_point_in_the_eyes(gaze_subject):
    point = tuple(gaze_subject.model.eyes_position.tolist())
    with pytest.raises(ValueError, match="expected a point away from the eyes"):
        directed_plan(drive(gaze_subject, None), gaze_subject.model, GazeTarget.of(None, point))


def test_sweep_moves_the_gaze_too(gaze_subject):
    """From the least to the greatest angle of the training; the other angle looks ahead."""
    plan = sweep_plan(gaze_subject, ("gazeYaw", "expression_1"), 3, 1.0, 8.0, train_expression()[0])
    assert len(plan.shots) == 16 and plan.details["expressions"] == ["gazeYaw", "expression_1"]
    torch.testing.assert_close(gazes(plan)[[0, 4]], torch.tensor([[0.0, -0.4], [0.0, 0.4]]))
    assert (gazes(plan)[8:] == 0).all() and plan.sheet[0][2].label == "gazeYaw 23"
