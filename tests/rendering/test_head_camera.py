import math

import numpy as np
import pytest
import torch
from blob_model import NUM_FRAMES
from blob_model import head_poses as training_poses

from nerface_ns.rendering.head_camera import angle_outside_deg, head_poses, orbit_poses, relative_poses
from nerface_ns.rendering.head_pose_config import HeadPoseConfig
from nerface_ns.rendering.posed_camera import turn_about
from nerface_ns.tracks.expression_track import ExpressionTrack

FRONT = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2]])
ORIGIN = torch.zeros(3)


def driver_track(poses=None, count=4):
    return ExpressionTrack(
        10.0,
        (),
        np.zeros((count, 3)),
        camera_to_world=None if poses is None else torch.stack(list(poses)).double().numpy(),
        source="driver.json",
    )


def test_relative_turn_keeps_axis_and_angle():
    """A driver who turns by 20 degrees turns the person by 20 degrees, from where the person's camera stands."""
    neutral, own = turn_about(FRONT, ORIGIN, 5.0), turn_about(FRONT, ORIGIN, -3.0)
    driver = torch.stack([turn_about(FRONT, ORIGIN, 25.0), neutral]).double().numpy()
    poses = torch.from_numpy(relative_poses(driver, neutral.double().numpy(), own.double().numpy())).float()
    torch.testing.assert_close(poses, torch.stack([turn_about(FRONT, ORIGIN, 17.0), own]), atol=1e-5, rtol=0)


def test_shifts_are_scaled_to_the_persons_distance():
    """A driver in other units, ten times as large, who comes nearer by a tenth."""
    neutral = FRONT.double().numpy() * [[1, 1, 1, 10]]
    near = neutral * [[1, 1, 1, 0.9]]
    poses = relative_poses(near[None], neutral, FRONT.double().numpy())
    np.testing.assert_allclose(poses[0, :, 3], [0, 0, 1.8])


def test_a_person_driven_by_themselves_moves_as_they_did():
    """With the same neutral frame the poses come back."""
    poses = training_poses().double().numpy()
    np.testing.assert_allclose(relative_poses(poses, poses[2], poses[2]), poses, atol=1e-6)


def test_orbit_goes_round_its_middle():
    """A quarter of a round: wholly to the right, at the middle's height."""
    poses = orbit_poses(FRONT, ORIGIN, np.array([0.0, 0.25, 0.5, 0.75]), 20.0, 8.0)
    torch.testing.assert_close(poses[0], turn_about(FRONT, ORIGIN, 0.0, 8.0))
    torch.testing.assert_close(poses[1], turn_about(FRONT, ORIGIN, 20.0), atol=1e-6, rtol=0)
    assert poses[2][1, 3] == pytest.approx(-2 * math.sin(math.radians(8)), abs=1e-6)
    torch.testing.assert_close(poses[3], turn_about(FRONT, ORIGIN, -20.0), atol=1e-6, rtol=0)


def test_auto_takes_the_drivers_motion_where_there_is_one(subject):
    """Else the person's own camera stands still."""
    own = subject.own_camera.camera_to_worlds[0]
    mode, poses = head_poses(HeadPoseConfig(), driver_track(), subject, None)
    assert mode == "own" and len(poses) == 4 and all(torch.equal(pose, own) for pose in poses)
    turned = [turn_about(FRONT, ORIGIN, angle) for angle in (-9.0, 0.0, 0.0, 10.0)]
    mode, poses = head_poses(HeadPoseConfig(), driver_track(turned), subject, None)
    assert mode == "driver"
    torch.testing.assert_close(poses[1], own, atol=1e-6, rtol=0)
    turn = poses[3][:, :3] @ own[:, :3].T
    assert math.degrees(math.acos((float(turn.trace()) - 1) / 2)) == pytest.approx(10, abs=1e-2)


def test_neutral_frame_of_the_driver_can_be_named(subject):
    """The person's own camera then belongs to that frame."""
    turned = [turn_about(FRONT, ORIGIN, angle) for angle in (-9.0, 0.0, 0.0, 10.0)]
    _, poses = head_poses(HeadPoseConfig("driver", driver_neutral_frame=3), driver_track(turned), subject, None)
    torch.testing.assert_close(poses[3], subject.own_camera.camera_to_worlds[0], atol=1e-6, rtol=0)


def test_absolute_poses_are_the_tracks(subject):
    """Nothing is changed but the precision."""
    turned = [turn_about(FRONT, ORIGIN, angle) for angle in (-9.0, 4.0, 0.0, 10.0)]
    _, poses = head_poses(HeadPoseConfig("driver-absolute"), driver_track(turned), subject, None)
    torch.testing.assert_close(torch.stack(poses), torch.stack(turned))


def test_recorded_motion_goes_there_and_back(subject):
    """Six training frames: 0 to 5, then back to 0, and again."""
    _, poses = head_poses(HeadPoseConfig("recorded"), driver_track(count=13), subject, None)
    expected = training_poses()[[0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 1, 2]]
    torch.testing.assert_close(torch.stack(poses), expected)


def test_orbit_takes_its_period(subject):
    """At 10 frames a second and 0.4 s a round, frame 1 stands wholly to the right."""
    config = HeadPoseConfig("orbit", orbit_yaw_deg=12.0, orbit_pitch_deg=0.0, orbit_period_s=0.4)
    _, poses = head_poses(config, driver_track(), subject, None)
    own = subject.own_camera.camera_to_worlds[0]
    torch.testing.assert_close(poses[1], turn_about(own, subject.pivot, 12.0), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (HeadPoseConfig("driver"), "driver.json: --head.mode driver needs head poses, and this track has none"),
        (HeadPoseConfig("driver-absolute"), "--head.mode driver-absolute needs head poses"),
        (HeadPoseConfig("fixed"), "--head.mode fixed: expected --camera-frame"),
        (HeadPoseConfig("orbit", orbit_period_s=0.0), "--head.orbit-period-s 0.0: expected a positive duration"),
    ],
)
def test_what_a_mode_lacks_is_named(subject, config, message):
    """The error says which option, and what it needs."""
    with pytest.raises(ValueError, match=message):
        head_poses(config, driver_track(), subject, None)


def test_neutral_frame_that_does_not_exist(subject):
    """The error names the track and its frames."""
    config = HeadPoseConfig("driver", driver_neutral_frame=4)
    with pytest.raises(ValueError, match=r"driver.json: --head.driver-neutral-frame 4: expected 0..3"):
        head_poses(config, driver_track([FRONT] * 4), subject, None)


def test_fixed_camera_is_that_of_its_training_frame(make_subject):
    """The subject's own camera is the one named."""
    chosen = make_subject(camera_frame=NUM_FRAMES - 1)
    _, poses = head_poses(HeadPoseConfig("fixed"), driver_track(), chosen, NUM_FRAMES - 1)
    torch.testing.assert_close(poses[2], training_poses()[-1])


def test_angle_to_the_nearest_training_camera():
    """Training cameras at -10 and 20 degrees: 35 is 15 away, 0 is 10 away."""
    train = torch.stack([turn_about(FRONT, ORIGIN, angle) for angle in (-10.0, 20.0)])
    asked = [turn_about(FRONT, ORIGIN, angle) for angle in (35.0, 0.0)]
    torch.testing.assert_close(angle_outside_deg(asked, train, ORIGIN), torch.tensor([15.0, 10.0]), atol=0.05, rtol=0)
