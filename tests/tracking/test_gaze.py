import numpy as np
from synthetic_head import canonical_points, gaze_directions, head_motion, seen_landmarks

from nerface_ns.tracking.bundle_adjustment import RigidFit
from nerface_ns.tracking.canonical_face import LEFT_EYE_CORNERS, LEFT_IRIS, RIGHT_EYE_CORNERS, RIGHT_IRIS
from nerface_ns.tracking.gaze import clip_gaze, eye_centers, eye_gaze, look_gaze, median_in_time, parallel_centers

CENTER_PX = np.array([256.0, 256.0])


class Eyes:
    """Irises of a head that looks about."""

    def __init__(self, count: int = 40) -> None:
        points = canonical_points()
        self.gaze = gaze_directions(count)
        self.rotation, self.translation = head_motion(count)
        self.pose = self.rotation, self.translation, 700.0, CENTER_PX
        seen = seen_landmarks(points, self.gaze, *self.pose)
        corners = np.array([[points[k] for k in eye] for eye in (RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS)])
        self.centers, self.irises = eye_centers(corners), seen[:, [RIGHT_IRIS, LEFT_IRIS], :2]
        zeros = np.zeros((count, 1))
        self.fit = RigidFit(self.rotation, self.translation, np.zeros((1, 3)), 700.0, 0.1, zeros)


def test_gaze_of_a_known_head_is_found():
    eyes = Eyes()
    found = eye_gaze(eyes.irises, eyes.centers, *eyes.pose)
    np.testing.assert_allclose(found, np.repeat(eyes.gaze[:, None], 2, axis=1), atol=1e-6)


def test_eyeballs_are_placed_where_both_eyes_look_the_same_way():
    eyes = Eyes()
    is_open = np.ones(40, dtype=bool)
    wrong = eyes.centers + np.array([[0.2, 0, 0], [-0.2, 0, 0]])
    np.testing.assert_allclose(parallel_centers(eyes.irises, wrong, *eyes.pose, is_open), eyes.centers, atol=5e-3)


def test_blinks_are_bridged():
    """Shut eyes' irises are anywhere; gaze goes on from the frames around, and elsewhere it is the true one."""
    eyes = Eyes()
    blink = np.zeros(40)
    blink[10:16] = 1.0
    eyes.irises[10:16] += 30.0
    coefficients = {"eyeBlinkLeft": blink, "eyeBlinkRight": blink}
    found = clip_gaze(eyes.irises, eyes.centers, eyes.fit, CENTER_PX, coefficients)
    assert np.abs(found - eyes.gaze)[4:-4].max() < np.deg2rad(8)
    assert np.abs(found - eyes.gaze)[20:36].max() < np.deg2rad(3)


def test_far_eye_counts_less():
    """The camera comes to stand on the subject's right; there an error of the left eye comes through weakened."""
    eyes = Eyes()
    aside = np.einsum("nji,nj->ni", eyes.rotation, -eyes.translation)[:, 0] < -30
    assert 5 < aside.sum() < 20
    eyes.irises[aside, 1, 0] += 3.0
    both = eye_gaze(eyes.irises, eyes.centers, *eyes.pose)
    found = clip_gaze(eyes.irises, eyes.centers, eyes.fit, CENTER_PX, {})
    plain = median_in_time(both.mean(axis=1), np.ones(40))
    error, plain_error = (np.abs(values - eyes.gaze)[aside, 1].mean() for values in (found, plain))
    assert error < 0.8 * plain_error


def test_iris_outside_the_ball_gives_the_rim():
    """A wrong iris must not give NaN."""
    rotation, translation = head_motion(1)
    irises = np.array([[[0.0, 0.0], [500.0, 0.0]]])
    found = eye_gaze(irises, np.array([[-3.0, 2, 3], [3.0, 2, 3]]), rotation, translation, 700.0, CENTER_PX)
    assert np.isfinite(found).all()


def test_weighted_median_grows_over_what_has_no_weight():
    values = np.array([1.0, 2, 3, 99, 99, 99, 99, 4, 5, 6])[:, None]
    weight = np.where(values[:, 0] == 99, 1e-3, 1.0)
    found = median_in_time(values, weight, frames=3)[:, 0]
    np.testing.assert_array_equal(found[[1, 8]], [2, 5])
    assert set(found[3:7]) <= {3.0, 4.0}
    np.testing.assert_array_equal(median_in_time(values, np.full(10, 1e-3), frames=3)[4], [99])
    np.testing.assert_array_equal(median_in_time(values[:1], np.ones(1)), values[:1])


def test_look_coefficients_point_as_arkit_names_them():
    ways = {f"eyeLook{way}{side}": np.zeros(1) for way in ("Up", "Down", "In", "Out") for side in ("Left", "Right")}
    assert look_gaze({}) is None
    to_left = look_gaze({**ways, "eyeLookOutLeft": np.ones(1), "eyeLookInRight": np.ones(1)})
    np.testing.assert_allclose(np.rad2deg(to_left), [[[0, 25], [0, 25]]])
    down = look_gaze({**ways, "eyeLookDownLeft": np.ones(1), "eyeLookDownRight": np.ones(1)})
    np.testing.assert_allclose(np.rad2deg(down), [[[-25, 0], [-25, 0]]])
