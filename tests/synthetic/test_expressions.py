"""What the named expression dimensions do to the head, in its own frame (left is +x)."""

import numpy as np
import pytest

from nerface_ns.synthetic.expressions import (
    EXPRESSION_NAMES,
    GAZE_PITCH_LIMIT,
    GAZE_YAW_LIMIT,
    eye_gaze,
    lid_closure,
    set_gaze,
)
from nerface_ns.synthetic.head_mesh import EYE_CENTERS
from nerface_ns.synthetic.head_renderer import UNITS_PER_METRE
from nerface_ns.synthetic.head_sculpt import EYE_RADIUS, MOUTH_HALF_WIDTH
from nerface_ns.synthetic.rasterizer import rasterize


def _movement(mesh, expression):
    """How far every vertex is from its place in the neutral face, metres."""
    return mesh.posed(expression)[0] - mesh.posed(np.zeros_like(expression))[0]


def _seam_vertex(skin, row, x):
    """Number of the vertex of a skin row on the face at a given x."""
    columns = skin.points.shape[1]
    distance = np.abs(skin.points[row, :, 0] - x) + (skin.points[row, :, 2] < 0)
    return row * columns + int(np.argmin(distance))


def _visible_samples(mesh, camera, expression, region):
    """Raster positions (n, 2) at which an eyeball is seen."""
    points = mesh.posed(expression)[0] * UNITS_PER_METRE
    pixels, depths = camera.project(points), camera.view(points)[:, 2]
    _, owner = rasterize(pixels, depths, mesh.triangles, camera.height, camera.width)
    members = np.zeros(len(points), bool)
    members[mesh.regions[region]] = True
    seen = (owner >= 0) & members[mesh.triangles[owner, 0]]
    return np.argwhere(seen)


def test_names_are_unique_and_paired():
    """There are at least 20 dimensions, named once, every Left with its Right."""
    assert len(set(EXPRESSION_NAMES)) == len(EXPRESSION_NAMES) >= 20
    for name in EXPRESSION_NAMES:
        if name.endswith("Left"):
            assert name[:-4] + "Right" in EXPRESSION_NAMES


@pytest.mark.parametrize("name", [n for n in EXPRESSION_NAMES if not n.startswith("eyeLook")])
def test_every_dimension_moves_the_face(mesh, express, name):
    """At 1, every dimension moves something by more than 3 mm and nothing by more than 5 cm."""
    distance = np.linalg.norm(_movement(mesh, express(**{name: 1.0})), axis=1)
    assert 0.003 < distance.max() < 0.05


def test_offsets_add_up_linearly(mesh, express):
    """Dimensions without lids scale and add: 0.5 a + 0.25 b moves the mesh by that sum of their offsets."""
    smile, jaw = (_movement(mesh, express(**{name: 1.0})) for name in ("mouthSmileLeft", "jawOpen"))
    both = _movement(mesh, express(mouthSmileLeft=0.5, jawOpen=0.25))
    others = np.setdiff1d(np.arange(len(both)), mesh.regions["lids"])
    np.testing.assert_allclose(both[others], (0.5 * smile + 0.25 * jaw)[others], atol=1e-6)


def test_jaw_open_parts_the_lips(mesh, skin, express):
    """The lower lip's middle sinks by more than a centimetre, the upper lip's stays within a millimetre."""
    movement = _movement(mesh, express(jawOpen=1.0))
    upper, lower = (_seam_vertex(skin, skin.mouth_row + side, 0.0) for side in (0, 1))
    assert movement[lower, 1] < -0.01
    assert np.linalg.norm(movement[upper]) < 0.001


@pytest.mark.parametrize(("side", "sign"), [("Left", 1.0), ("Right", -1.0)])
def test_smile_lifts_its_own_corner(mesh, skin, express, side, sign):
    """The corner on the named side moves up and outward, the other one hardly."""
    movement = _movement(mesh, express(**{f"mouthSmile{side}": 1.0}))
    own, other = (_seam_vertex(skin, skin.mouth_row, s * MOUTH_HALF_WIDTH) for s in (sign, -sign))
    assert movement[own, 1] > 0.006 and sign * movement[own, 0] > 0.004
    assert np.linalg.norm(movement[other]) < 0.001


def test_lips_stay_joined_at_and_beyond_the_corners(mesh, skin, express):
    """Both sides of the lips' seam move alike where the mouth ends, for every dimension at once."""
    points = mesh.posed(express(jawOpen=1, mouthFunnel=1, mouthSmileLeft=1, jawRight=1, cheekPuff=1))[0]
    columns = np.flatnonzero(np.abs(skin.points[skin.mouth_row, :, 0]) >= MOUTH_HALF_WIDTH)
    upper, lower = (points[(skin.mouth_row + side) * skin.points.shape[1] + columns] for side in (0, 1))
    np.testing.assert_allclose(upper, lower, atol=1e-7)


def test_blink_hides_its_own_eyeball(mesh, express, camera_at):
    """Closing the left lid leaves no sample of the left eyeball in sight and the right one as it was."""
    camera = camera_at(yaw_deg=5.0, size=256)
    counts = {
        (name, eye): len(_visible_samples(mesh, camera, express(**coefficients), eye))
        for name, coefficients in (("neutral", {}), ("blink", {"eyeBlinkLeft": 1.0}), ("wide", {"eyeWideLeft": 1.0}))
        for eye in ("left_eyeball", "right_eyeball")
    }
    assert counts["neutral", "left_eyeball"] > 60
    assert counts["blink", "left_eyeball"] == 0
    assert counts["blink", "right_eyeball"] == counts["neutral", "right_eyeball"]
    assert counts["wide", "left_eyeball"] > 1.1 * counts["neutral", "left_eyeball"]


@pytest.mark.parametrize("closure", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_lids_never_sink_into_the_eyeballs(mesh, express, closure):
    """While an eye closes, every lid vertex stays outside the eyeball's sphere."""
    points = mesh.posed(express(eyeBlinkLeft=closure, eyeBlinkRight=closure))[0][mesh.regions["lids"]]
    for center in EYE_CENTERS:
        assert np.linalg.norm(points - center, axis=1).min() > EYE_RADIUS


def test_gaze_round_trip():
    """Gaze written as eyeLook* coefficients is read back from both eyes."""
    for pitch, yaw in ((0.2, -0.4), (-0.3, 0.1), (0.0, 0.0)):
        expression = np.zeros(len(EXPRESSION_NAMES))
        set_gaze(expression, pitch, yaw)
        np.testing.assert_allclose(eye_gaze(expression), [[pitch, yaw]] * 2, atol=1e-12)


def test_pupils_point_where_the_gaze_says(mesh):
    """The pupil's centre lies from the eyeball's centre along (pitch up, yaw towards +x)."""
    pitch, yaw = 0.25, -0.35
    expression = np.zeros(len(EXPRESSION_NAMES))
    set_gaze(expression, pitch, yaw)
    points = mesh.posed(expression)[0]
    expected = [np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)]
    for center, eye in zip(EYE_CENTERS, ("left_eyeball", "right_eyeball")):
        axis = points[mesh.regions[eye][0]] - center
        np.testing.assert_allclose(axis / np.linalg.norm(axis), expected, atol=1e-9)


def test_eye_look_out_left_means_towards_the_persons_left(express):
    """eyeLookOutLeft turns the left eye to +x by the stated limit, eyeLookUpRight raises the right eye."""
    gaze = eye_gaze(express(eyeLookOutLeft=1.0, eyeLookUpRight=0.5))
    np.testing.assert_allclose(gaze, [[0.0, GAZE_YAW_LIMIT], [0.5 * GAZE_PITCH_LIMIT, 0.0]], atol=1e-12)


def test_lid_closure_is_bounded(express):
    """Blink, squint and looking down together close a lid once."""
    closure = lid_closure(express(eyeBlinkLeft=1, eyeSquintLeft=1, eyeLookDownLeft=1, eyeWideRight=1, eyeLookUpRight=1))
    np.testing.assert_allclose(closure, [1.0, -0.45])
