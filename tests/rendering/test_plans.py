"""What the modes ask the model for: cameras, expressions, codes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from blob_model import NUM_FRAMES, head_poses, train_expression

from nerface_ns.rendering.camera_path_file import read_camera_path
from nerface_ns.rendering.camera_plans import interpolation_plan, orbit_plan, recording_keyframes, spiral_plan
from nerface_ns.rendering.drive_plan import drive_plan
from nerface_ns.rendering.head_pose_config import HeadPoseConfig
from nerface_ns.rendering.latent_code_choice import LatentCodeChoice
from nerface_ns.rendering.path_plan import path_plan
from nerface_ns.rendering.spiral_config import SpiralConfig
from nerface_ns.rendering.sweep_plan import sweep_plan
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.retargeting import RetargetingConfig

AS_IT_IS = RetargetingConfig(transfer="absolute", match="order", soft_clamp=False)
MATRIX = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0.5, 0, 0, 0, 1]


def asked(shots, key="expression"):
    return torch.cat([shot.camera.metadata[key] for shot in shots])


def poses(shots):
    return torch.cat([shot.camera.camera_to_worlds for shot in shots])


def own_track(frames_per_s=10.0, **options):
    """The person's own recording as a track."""
    expression = train_expression().double().numpy()
    return ExpressionTrack(frames_per_s, (), expression, source="own.json", **options)


def test_absolute_transfer_of_the_own_recording_changes_nothing(subject):
    """Self-reenactment: the track's expressions and poses as they are, none outside the trained range."""
    track = own_track(camera_to_world=head_poses().double().numpy())
    plan = drive_plan(subject, track, AS_IT_IS, HeadPoseConfig("driver-absolute"))
    torch.testing.assert_close(asked(plan.shots), train_expression())
    torch.testing.assert_close(poses(plan.shots), head_poses())
    assert plan.frames_per_s == 10.0 and plan.extrapolation == pytest.approx([0.0] * NUM_FRAMES, abs=1e-9)
    assert (asked(plan.shots, "frame_index") == -1).all() and plan.warnings == []


def test_rate_of_the_output_keeps_the_duration(subject):
    """Twice the rate, twice the frames, the new ones half way between their neighbours."""
    plan = drive_plan(subject, own_track(), AS_IT_IS, HeadPoseConfig(), frames_per_s=20.0)
    assert len(plan.shots) == 2 * NUM_FRAMES and plan.frames_per_s == 20.0
    torch.testing.assert_close(asked(plan.shots)[1], train_expression()[:2].mean(dim=0))


def test_extrapolation_is_what_the_driver_asks_for(subject):
    """Before the clamp: one range's width beyond the largest value of the second coefficient."""
    expression = train_expression().double().numpy()
    width = np.ptp(expression[:, 1])
    expression[3, 1] = expression[:, 1].max() + width
    track = ExpressionTrack(10.0, (), expression, source="far.json")
    clamped = RetargetingConfig(transfer="absolute", match="order")
    plan = drive_plan(subject, track, clamped, HeadPoseConfig())
    assert plan.extrapolation[3] == pytest.approx(1.0) and max(plan.extrapolation[:3]) < 1e-9
    assert max(subject.extrapolation(asked(plan.shots))) <= 0.1 + 1e-6
    assert any("far.json" in warning and "frame 3" in warning for warning in plan.warnings)


def test_far_views_are_pointed_out(subject):
    """Two of the frames look from behind."""
    behind = head_poses().double().numpy()
    behind[:2] = behind[:2] * [[[-1], [1], [-1]]]  # half a turn about y
    track = own_track(camera_to_world=behind)
    plan = drive_plan(subject, track, AS_IT_IS, HeadPoseConfig("driver-absolute"))
    assert any(warning.startswith("2 of 6 frames look at the head from over 15 deg aside") for warning in plan.warnings)


def test_other_number_of_coefficients_without_names(subject):
    """The error names the track and both numbers."""
    track = ExpressionTrack(10.0, (), np.zeros((4, 5)), source="other.json")
    with pytest.raises(ValueError, match=r"other.json: expected 3 coefficients.*got 5"):
        drive_plan(subject, track, RetargetingConfig(), HeadPoseConfig())


def test_code_of_every_frame(make_subject):
    """The rule that is asked for, one code for each frame."""
    subject = make_subject(code=LatentCodeChoice.parse("nearest"))
    plan = drive_plan(subject, own_track(), AS_IT_IS, HeadPoseConfig())
    expected = 0.1 * torch.arange(1, NUM_FRAMES + 1)[:, None].float()
    torch.testing.assert_close(asked(plan.shots, "latent_code"), expected.expand(-1, 8))


def test_height_of_the_pictures(make_subject):
    """The width follows."""
    shot = drive_plan(make_subject(height_px=36), own_track(), AS_IT_IS, HeadPoseConfig()).shots[0]
    assert (int(shot.camera.height[0]), int(shot.camera.width[0])) == (36, 48)


@pytest.mark.parametrize(("option", "value"), [("camera_frame", 6), ("camera_frame", -1)])
def test_training_frame_that_does_not_exist(make_subject, option, value):
    """The error names the option and the range."""
    with pytest.raises(ValueError, match=rf"--camera-frame {value}: expected a training frame in 0..5, got {value}"):
        make_subject(**{option: value})


def test_sweep_goes_from_low_to_high_and_back(subject):
    """Other coefficients stay at the base; the sheet holds low, middle, high."""
    base = train_expression().mean(dim=0)
    plan = sweep_plan(subject, ("expression_2", "expression_0"), 3, 1.0, 8.0, base)
    expression, low, high = asked(plan.shots), train_expression().amin(dim=0), train_expression().amax(dim=0)
    assert len(plan.shots) == 16
    torch.testing.assert_close(expression[:8, :2], base[:2].expand(8, 2))
    torch.testing.assert_close(expression[[0, 4], 2], torch.stack([low[2], high[2]]))
    torch.testing.assert_close(expression[1:4, 2], expression[[7, 6, 5], 2])
    torch.testing.assert_close(asked(plan.sheet[1])[:, 0], torch.stack([low[0], (low[0] + high[0]) / 2, high[0]]))
    assert plan.sheet[1][2].label == f"expression_0 {float(high[0]):.2f}"
    assert max(plan.extrapolation) < 1e-6


def test_sweep_of_an_unknown_expression(subject):
    """The error lists the names."""
    with pytest.raises(ValueError, match="--expressions smile: expected names among expression_0, expression_1"):
        sweep_plan(subject, ("smile",), 3, 1.0, 8.0, train_expression()[0])


@pytest.mark.parametrize(("text", "row"), [("frame:4", 4), ("mean", None)])
def test_orbit_of_one_expression(subject, text, row):
    """Every frame shows it; the camera keeps its distance from the head's centre."""
    plan = orbit_plan(subject, text, None, AS_IT_IS, 1.0, 8.0, 20.0, 5.0)
    expected = train_expression().mean(dim=0) if row is None else train_expression()[row]
    torch.testing.assert_close(asked(plan.shots), expected.expand(8, 3))
    distances = (poses(plan.shots)[:, :, 3] - subject.pivot).norm(dim=-1)
    own = (subject.own_camera.camera_to_worlds[0, :, 3] - subject.pivot).norm()
    torch.testing.assert_close(distances, own.expand(8))


def test_orbit_with_a_track(subject):
    """The track plays at its own speed, then its last frame stays, and a warning says so."""
    plan = orbit_plan(subject, "neutral", own_track(4.0), AS_IT_IS, 2.0, 4.0, 20.0, 5.0)
    torch.testing.assert_close(asked(plan.shots), train_expression()[[0, 1, 2, 3, 4, 5, 5, 5]])
    assert plan.warnings == ["own.json: ends after 1.50 s, before the video does: its last frame stays"]


@pytest.mark.parametrize("text", ["smile", "frame:", "frame:6"])
def test_expression_that_is_none(subject, text):
    """The error says what is understood, or which frames there are."""
    with pytest.raises(ValueError, match="--expression"):
        orbit_plan(subject, text, None, AS_IT_IS, 1.0, 8.0, 20.0, 5.0)


def camera_path(tmp_path: Path, times=(0.0, 0.08, 0.8)):
    frames = [{"camera_to_world": MATRIX, "fov": 40.0, **({} if t is None else {"render_time": t})} for t in times]
    content = {"render_height": 10, "render_width": 14, "seconds": 1.5, "fps": 2, "camera_path": frames}
    path = tmp_path / "path.json"
    path.write_text(json.dumps(content))
    return read_camera_path(path)


def test_path_follows_the_recording_along_its_times(subject, tmp_path):
    """As ns-render does: frames of the recording, and half way between the first two."""
    plan = path_plan(subject, camera_path(tmp_path), None, AS_IT_IS, "neutral")
    first, second, last = train_expression()[[0, 1, 5]]
    torch.testing.assert_close(asked(plan.shots), torch.stack([first, (first + second) / 2, last]))
    torch.testing.assert_close(poses(plan.shots)[1], torch.tensor(MATRIX).view(4, 4)[:3])
    assert plan.frames_per_s == 2.0 and int(plan.shots[0].camera.width[0]) == 14


def test_path_shows_a_track(subject, tmp_path):
    """Frame i of the path shows the track at i / fps, whatever the path's own times."""
    plan = path_plan(subject, camera_path(tmp_path), own_track(4.0), AS_IT_IS, "neutral")
    torch.testing.assert_close(asked(plan.shots), train_expression()[[0, 2, 4]])


def test_path_without_times_shows_one_expression(subject, tmp_path):
    """The one that is asked for."""
    plan = path_plan(subject, camera_path(tmp_path, (None, None)), None, AS_IT_IS, "frame:2")
    torch.testing.assert_close(asked(plan.shots), train_expression()[2].expand(2, 3))


def test_interpolation_blends_expressions_and_codes(subject):
    """Five frames from training frame 1 to 4, the camera still."""
    plan = interpolation_plan(subject, (1, 4), 1.0, 5.0, move_camera=False)
    shares = torch.linspace(0, 1, 5)[:, None]
    expected = train_expression()[1] * (1 - shares) + train_expression()[4] * shares
    torch.testing.assert_close(asked(plan.shots), expected)
    torch.testing.assert_close(asked(plan.shots, "latent_code")[:, 0], 0.2 + 0.3 * shares[:, 0])
    assert len(poses(plan.shots).unique(dim=0)) == 1


def test_interpolation_moves_the_camera_on_request(subject):
    """From the one frame's to the other's; half way its distance to both is the same."""
    moved = poses(interpolation_plan(subject, (1, 4), 1.0, 5.0, move_camera=True).shots)
    torch.testing.assert_close(moved[[0, 4]], head_poses()[[1, 4]])
    torch.testing.assert_close(moved[2, :, 3], head_poses()[[1, 4], :, 3].mean(dim=0))
    rotation = moved[2, :, :3]
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), atol=1e-6, rtol=0)


def test_interpolation_between_frames_that_are_not_there(subject):
    """The error names the option."""
    with pytest.raises(ValueError, match=r"--frames 9: expected a training frame in 0..5, got 9"):
        interpolation_plan(subject, (1, 9), 1.0, 5.0, move_camera=False)


def slerp(first, second, share):
    """Shoemake's formula on unit quaternions, as rotation matrices."""
    from scipy.spatial.transform import Rotation

    a, b = (Rotation.from_matrix(pose[:, :3].double().numpy()).as_quat() for pose in (first, second))
    b = b if a @ b > 0 else -b
    angle = np.arccos(a @ b)
    between = (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)
    return torch.from_numpy(Rotation.from_quat(between).as_matrix()).float()


def test_interpolation_through_several_frames(subject):
    """Seven places from frame 4 over 0 to 5: a third of the way each; all of it piece by piece."""
    plan = interpolation_plan(subject, (4, 0, 5), 1.0, 7.0, move_camera=True)
    moved, expression, codes = poses(plan.shots), asked(plan.shots), asked(plan.shots, "latent_code")
    for index, (first, second, share) in enumerate(
        [(4, 0, 0.0), (4, 0, 1 / 3), (4, 0, 2 / 3), (0, 5, 0.0), (0, 5, 1 / 3), (0, 5, 2 / 3), (0, 5, 1.0)]
    ):
        cameras, rows = head_poses()[[first, second]], train_expression()[[first, second]]
        torch.testing.assert_close(moved[index, :, :3], slerp(*cameras, share), atol=1e-6, rtol=0)
        torch.testing.assert_close(moved[index, :, 3], torch.lerp(*cameras[:, :, 3], share))
        torch.testing.assert_close(expression[index], torch.lerp(*rows, share))
        assert codes[index, 0].item() == pytest.approx(0.1 * ((1 - share) * (first + 1) + share * (second + 1)))


@pytest.mark.parametrize("frames", [(), (3,)])
def test_interpolation_of_fewer_than_two_frames(subject, frames):
    with pytest.raises(ValueError, match="expected at least two training frames, got"):
        interpolation_plan(subject, frames, 1.0, 5.0, move_camera=True)


@pytest.mark.parametrize(("count", "expected"), [(2, [0, 5]), (3, [0, 2, 5]), (9, [0, 1, 2, 3, 4, 5])])
def test_keyframes_of_the_recording(subject, count, expected):
    """From its start to its end; of six frames there are no more than six."""
    assert recording_keyframes(subject, count) == expected


def test_spiral_shows_one_expression_from_its_cameras(subject):
    """Where they stand is tested beside `spiral_poses`."""
    plan = spiral_plan(subject, "frame:3", None, AS_IT_IS, 1.75, 4.0, SpiralConfig())
    torch.testing.assert_close(asked(plan.shots), train_expression()[3].expand(7, 3))
    assert len(poses(plan.shots).unique(dim=0)) == 7 and plan.warnings == []


def test_spiral_of_cameras_that_stand_still(subject, monkeypatch):
    still = head_poses()[2].expand(NUM_FRAMES, 3, 4).clone()
    monkeypatch.setattr(subject, "cameras", type(subject.cameras)(still, 20.0, 20.0, 8.0, 6.0))
    plan = spiral_plan(subject, "mean", None, AS_IT_IS, 1.0, 4.0, SpiralConfig())
    assert plan.warnings == ["the training cameras all stand at one place, so the spiral stands still"]
    torch.testing.assert_close(poses(plan.shots), still[:4], atol=1e-5, rtol=0)


def refined(cameras):
    """Cameras a tenth farther away, with twice the focal length."""
    import dataclasses

    moved = cameras.camera_to_worlds.clone()
    moved[:, :, 3] *= 1.1
    return dataclasses.replace(cameras, camera_to_worlds=moved, fx=cameras.fx * 2, fy=cameras.fy * 2)


def test_refined_cameras_go_before_tracked_ones(blob_pipeline, make_subject, monkeypatch):
    """Orbit, interpolation and spiral start from them, focal length included."""
    monkeypatch.setattr(blob_pipeline.model, "refined_cameras", refined)
    subject, tracked = make_subject(), head_poses()
    moved = poses(interpolation_plan(subject, (1, 4), 1.0, 2.0, move_camera=True).shots)
    torch.testing.assert_close(moved[:, :, 3], 1.1 * tracked[[1, 4], :, 3])
    orbit = orbit_plan(subject, "mean", None, AS_IT_IS, 1.0, 4.0, 20.0, 5.0).shots
    distance = 1.1 * tracked[:, :, 3].norm(dim=-1)
    for shot in orbit:
        assert distance.min() - 1e-5 <= shot.camera.camera_to_worlds[0, :, 3].norm() <= distance.max() + 1e-5
        assert float(shot.camera.fx) == 40.0
