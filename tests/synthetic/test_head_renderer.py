"""Pictures, masks and boxes of the demo head against projected points."""

import numpy as np
import pytest
from cv2 import connectedComponents, dilate

from nerface_ns.synthetic.head_mesh import EYE_CENTERS
from nerface_ns.synthetic.head_renderer import UNITS_PER_METRE, mask_box, render_head, torso_share
from nerface_ns.synthetic.mesh_part import Material
from nerface_ns.synthetic.rasterizer import rasterize

_VIEWS = [(0, 0, 0), (-45, 8, 0), (30, -12, 6)]


def test_projection_inverts_the_formats_ray_formula(camera_at):
    """A point on the NerFace ray of pixel (i, j) projects to (i, j)."""
    camera = camera_at(yaw_deg=20.0, pitch_deg=-7.0, roll_deg=4.0)
    i, j = 12.25, 47.5
    ray = np.array([(i - camera.center_px[0]) / camera.focal_px, -(j - camera.center_px[1]) / camera.focal_px, -1.0])
    point = camera.camera_to_world[:3, 3] + 0.43 * camera.camera_to_world[:3, :3] @ ray
    np.testing.assert_allclose(camera.project(point), [i, j], atol=1e-9)


@pytest.mark.parametrize("view", _VIEWS)
def test_mask_and_box_agree_with_projected_vertices(mesh, express, camera_at, view):
    """Vertices land on covered pixels, lashes at least beside one; the face box is their bounding box to a pixel."""
    camera, expression = camera_at(*view), express(jawOpen=0.5)
    picture = render_head(mesh, expression, camera)
    used = np.unique(mesh.triangles)
    pixels = camera.project(mesh.posed(expression)[0][used] * UNITS_PER_METRE)
    inside = pixels[((pixels > -0.5) & (pixels < camera.width - 0.5)).all(axis=1)]
    column, row = np.round(inside).astype(int).T
    assert (dilate(picture.alpha, np.ones((3, 3)))[row, column] > 0).all()
    low, high = (np.clip(limit + 0.5, 0, camera.width) / camera.width for limit in (inside.min(0), inside.max(0)))
    expected = [low[1], high[1], low[0], high[0]]
    np.testing.assert_allclose(picture.face_box, expected, atol=1.6 / camera.width)


def test_face_box_is_tight_around_the_mask(mesh, express, camera_at):
    """No pixel at least half covered lies outside the box, and each side touches one."""
    picture = render_head(mesh, express(), camera_at(25, 5, 3))
    size = np.array(picture.alpha.shape * 2)[[0, 2, 1, 3]]
    y0, y1, x0, x1 = np.round(picture.face_box * size).astype(int)
    covered = picture.alpha >= 0.5
    assert covered[y0:y1, x0:x1].sum() == covered.sum()
    assert covered[y0].any() and covered[y1 - 1].any() and covered[:, x0].any() and covered[:, x1 - 1].any()


def test_empty_mask_is_refused():
    """A picture without the head has no face box."""
    with pytest.raises(ValueError, match="outside the image"):
        mask_box(np.zeros((8, 8)))


def test_region_boxes_hold_eyes_and_mouth(mesh, skin, express, camera_at):
    """The eyes' box holds both projected pupils, the mouth's box the parted lips; the eyes stand above the mouth."""
    camera, expression = camera_at(-15, 4, -3), express(jawOpen=0.8)
    picture = render_head(mesh, expression, camera)
    points = mesh.posed(expression)[0] * UNITS_PER_METRE
    pupils = points[[mesh.regions["left_eyeball"][0], mesh.regions["right_eyeball"][0]]]
    middle = skin.points.shape[1] // 2
    lips = points[[(skin.mouth_row + side) * skin.points.shape[1] + middle for side in (0, 1)]]
    for name, held in (("eyes", pupils), ("mouth", lips)):
        y0, y1, x0, x1 = picture.region_boxes[name]
        column, row = ((camera.project(held) + 0.5) / camera.width).T
        assert ((x0 < column) & (column < x1) & (y0 < row) & (row < y1)).all()
    assert picture.region_boxes["eyes"][1] < picture.region_boxes["mouth"][0]


def test_persons_left_eye_is_at_the_pictures_right(camera_at):
    """A camera in front sees +x, the person's left, on the right: nothing is mirrored."""
    left, right = camera_at().project(EYE_CENTERS * UNITS_PER_METRE)
    assert left[0] > right[0]


def test_depth_is_the_distance_along_the_axis(mesh, express, camera_at):
    """At a pupil, seen from the front, the depth map holds that vertex's distance along the viewing axis."""
    camera = camera_at(size=128)
    picture = render_head(mesh, express(), camera, samples=1)
    pupil = mesh.posed(express())[0][mesh.regions["left_eyeball"][0]] * UNITS_PER_METRE
    column, row = np.round(camera.project(pupil)).astype(int)
    assert abs(picture.depth[row, column] - camera.view(pupil)[2]) < 3e-4


@pytest.mark.parametrize("view", _VIEWS)
def test_silhouette_has_no_holes(mesh, express, camera_at, view):
    """Every background pixel is connected to the image border around the head."""
    expression = express(jawOpen=1, mouthSmileLeft=1, eyeWideLeft=1, eyeBlinkRight=1, browDownLeft=1, jawLeft=1)
    alpha = render_head(mesh, expression, camera_at(*view, size=96)).alpha
    empty = np.pad((alpha < 1.0) & (alpha >= 0), ((1, 0), (1, 1)), constant_values=True).astype(np.uint8)
    count, _ = connectedComponents(empty, connectivity=8)
    assert count == 2


def test_closed_face_shows_no_inside(mesh, express, camera_at):
    """With closed mouth and eyes no sample sees the back of a skin triangle."""
    points = mesh.posed(express(eyeBlinkLeft=1, eyeBlinkRight=1))[0] * UNITS_PER_METRE
    for view in _VIEWS:
        camera = camera_at(*view, size=192)
        pixels = camera.project(points)
        _, owner = rasterize(pixels, camera.view(points)[:, 2], mesh.triangles, camera.height, camera.width)
        corners = pixels[mesh.triangles]
        (ux, uy), (vx, vy) = (corners[:, k].T - corners[:, 0].T for k in (1, 2))
        area = ux * vy - uy * vx
        seen = owner[owner >= 0]
        turned_away = (mesh.materials[seen] == Material.SKIN) & (area[seen] > 0)
        assert turned_away.sum() == 0


def test_colors_stay_below_their_coverage(mesh, express, camera_at):
    """Premultiplied colours lie between 0 and alpha."""
    picture = render_head(mesh, express(), camera_at())
    assert (picture.color >= 0).all() and (picture.color <= picture.alpha[..., None] + 1e-9).all()
    assert (picture.alpha.min(), round(picture.alpha.max(), 9)) == (0.0, 1.0)


def test_a_standing_torso_stays_in_the_picture_while_the_head_turns(mesh, express, camera_at):
    """Shoulders as the torso's camera sees them, the face as the head's does."""
    torso_camera, expression = camera_at(0, 0, 0), express(jawOpen=0.3)
    resting = render_head(mesh, expression, torso_camera).color
    for view in ((-25, 5, 0), (20, -6, 4)):
        camera = camera_at(*view)
        standing = render_head(mesh, expression, camera, torso_camera=torso_camera).color
        turning = render_head(mesh, expression, camera).color
        shoulders, face = slice(-len(resting) // 12, None), slice(0, len(resting) // 2)
        np.testing.assert_allclose(standing[shoulders], resting[shoulders], atol=2e-3)
        np.testing.assert_allclose(standing[face], turning[face], atol=2e-3)
        assert np.abs(turning[shoulders] - resting[shoulders]).mean() > 0.02


def test_all_of_the_shoulders_and_nothing_of_the_face_belongs_to_the_torso():
    heights = np.array([-0.19, -0.155, -0.12, -0.085, 0.0])
    share = torso_share(np.stack([heights * 0, heights, heights * 0], axis=-1))
    np.testing.assert_allclose(share, [1.0, 1.0, 0.5, 0.0, 0.0])
