import numpy as np
import pytest
from drawn_eyes import CENTERS, RADIUS, look_at_origin, random_gaze, random_poses

from nerface_ns.evaluation.gaze_geometry import (
    Eyeballs,
    EyePicture,
    angles_deg,
    fit_eyeballs,
    gaze_directions,
    gaze_of_directions,
    gaze_turns,
)
from nerface_ns.synthetic.head_mesh import gaze_rotation

LENS = np.array([300.0, 310.0, 41.0, 37.0])


def picture(pose: np.ndarray) -> EyePicture:
    return EyePicture(np.zeros((80, 90, 3)), pose, LENS)


def test_turns_are_those_of_the_demo_head():
    gaze = random_gaze(5, 0)
    np.testing.assert_allclose(gaze_turns(gaze), [gaze_rotation(*each) for each in gaze], atol=1e-12)
    np.testing.assert_allclose(gaze_turns(gaze)[..., 2], gaze_directions(gaze), atol=1e-12)


def test_gaze_comes_back_from_its_direction():
    gaze = random_gaze(5, 1)
    np.testing.assert_allclose(gaze_of_directions(3 * gaze_directions(gaze)), gaze, atol=1e-12)


def test_angles_between_gazes():
    """Straight ahead against 3 up, against 4 aside; both aside by 60 at a pitch of 60: far less than 60."""
    first = np.deg2rad([[0.0, 0.0], [0.0, 0.0], [60.0, 0.0]])
    second = np.deg2rad([[3.0, 0.0], [0.0, -4.0], [60.0, 60.0]])
    assert angles_deg(first, second) == pytest.approx([3.0, 4.0, np.rad2deg(np.arccos(0.25 * 0.5 + 0.75))])


def test_pictures_show_points_where_their_rays_go():
    """A point on the ray of a pixel projects into it, as the format's ray formula says."""
    pose = look_at_origin(0.4, -0.2)
    column, row = 12.25, 60.5
    ray = np.array([(column - LENS[2]) / LENS[0], -(row - LENS[3]) / LENS[1], -1.0])
    point = pose[:3, 3] + 0.4 * pose[:3, :3] @ ray
    np.testing.assert_allclose(picture(pose).project(point), [column, row], atol=1e-9)
    rays = picture(pose).rays()
    np.testing.assert_allclose(picture(pose).project(pose[:3, 3] + 0.3 * rays[60, 12]), [12.5, 60.5], atol=1e-9)


def test_crop_shows_the_same_points_at_the_same_pixels():
    whole = EyePicture(
        np.random.default_rng(0).random((80, 90, 3)), look_at_origin(0.1, 0.1), LENS, np.array([30.0, 40, 20, 50])
    )
    crop, point = whole.cropped(0.25), np.array([0.01, 0.02, 0.03])
    left, top = crop.corner_px
    assert (left, top) == (12, 22) and crop.colors.shape == (26, 46, 3)
    np.testing.assert_allclose(crop.project(point) + np.array([left, top]), whole.project(point), atol=1e-9)
    assert (crop.colors[3, 4] == whole.colors[top + 3, left + 4]).all()


def test_camera_that_is_looked_at():
    assert picture(look_at_origin(0.3, -0.1)).camera_gaze() == pytest.approx([-0.1, 0.3])


def test_eyeballs_are_found_from_irises_despite_wrong_ones():
    """A tenth of the irises lie ten pixels off."""
    gaze, poses = random_gaze(40, 2), random_poses(40, 2)
    pictures, eyes = [picture(pose) for pose in poses], Eyeballs(CENTERS, RADIUS)
    both = np.repeat(gaze[:, None], 2, axis=1)
    iris_px = np.stack([eyes.iris_px(each, look) for each, look in zip(pictures, both)])
    iris_px[::10] += 10.0
    start = Eyeballs(CENTERS + np.array([0.003, -0.002, -0.004]), 1.3 * RADIUS)
    found = fit_eyeballs(start, pictures, gaze, iris_px, np.ones((40, 2)))
    np.testing.assert_allclose(found.centers, CENTERS, atol=0.02 * RADIUS)
    assert found.radius == pytest.approx(RADIUS, rel=0.02)
