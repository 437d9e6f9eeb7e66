import numpy as np
from synthetic_head import canonical_points, gaze_directions, head_motion, seen_landmarks

from nerface_ns.tracking.canonical_face import LEFT_EYE_CORNERS, LEFT_IRIS, RIGHT_EYE_CORNERS, RIGHT_IRIS
from nerface_ns.tracking.gaze import eye_centers, fill_blinks, gaze_from_irises, look_gaze

CENTER_PX = np.array([256.0, 256.0])


def test_gaze_of_a_known_head_is_found():
    points, gaze = canonical_points(), gaze_directions(40)
    rotation, translation = head_motion(40)
    seen = seen_landmarks(points, gaze, rotation, translation, 700.0, CENTER_PX)
    corners = np.array([[points[k] for k in eye] for eye in (RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS)])
    irises = seen[:, [RIGHT_IRIS, LEFT_IRIS], :2]
    found = gaze_from_irises(irises, eye_centers(corners), rotation, translation, 700.0, CENTER_PX)
    np.testing.assert_allclose(found, gaze, atol=1e-6)


def test_iris_outside_the_ball_gives_the_rim():
    """A wrong iris must not give NaN."""
    rotation, translation = head_motion(1)
    irises = np.array([[[0.0, 0.0], [500.0, 0.0]]])
    found = gaze_from_irises(irises, np.array([[-3.0, 2, 3], [3.0, 2, 3]]), rotation, translation, 700.0, CENTER_PX)
    assert np.isfinite(found).all()


def test_blinks_are_filled_on_a_line():
    gaze = np.array([[0.0, 0.0], [9.0, 9.0], [9.0, 9.0], [0.3, 0.6]])
    filled = fill_blinks(gaze, np.array([False, True, True, False]))
    np.testing.assert_allclose(filled, [[0, 0], [0.1, 0.2], [0.2, 0.4], [0.3, 0.6]])
    np.testing.assert_array_equal(fill_blinks(gaze, np.ones(4, dtype=bool)), gaze)


def test_look_coefficients_point_as_arkit_names_them():
    ways = {f"eyeLook{way}{side}": np.zeros(1) for way in ("Up", "Down", "In", "Out") for side in ("Left", "Right")}
    assert look_gaze({}) is None
    to_left = look_gaze({**ways, "eyeLookOutLeft": np.ones(1), "eyeLookInRight": np.ones(1)})
    np.testing.assert_allclose(np.rad2deg(to_left), [[0, 25]])
    down = look_gaze({**ways, "eyeLookDownLeft": np.ones(1), "eyeLookDownRight": np.ones(1)})
    np.testing.assert_allclose(np.rad2deg(down), [[-25, 0]])
