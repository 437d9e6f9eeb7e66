import torch
from blob_model import HEIGHT, NUM_FRAMES, WIDTH, head_poses, make_cameras

from nerface_ns.rendering.camera_frusta import box_lines, frustum_lines, frustum_points


def test_corners_are_where_the_images_corner_rays_go():
    """nerfstudio's own rays, followed to the depth; the tip is the camera."""
    cameras = make_cameras()
    points = frustum_points(cameras, depth=0.25)
    corners = torch.tensor([[0.0, 0], [0, WIDTH], [HEIGHT, WIDTH], [HEIGHT, 0]])  # rows and columns
    for index in range(NUM_FRAMES):
        rays = cameras.generate_rays(torch.full((4, 1), index), coords=corners)
        pose = head_poses()[index]
        depth = -(rays.directions @ pose[:, 2])
        expected = rays.origins + 0.25 * rays.directions / depth[:, None]
        torch.testing.assert_close(points[index, 1:5], expected, atol=1e-6, rtol=0)
        torch.testing.assert_close(points[index, 0], pose[:, 3])


def test_mark_stands_above_the_image():
    """Along the camera's upward axis, over the middle of the upper edge."""
    points, poses = frustum_points(make_cameras(), depth=1.0), head_poses()
    rise = points[:, 5] - (points[:, 1] + points[:, 2]) / 2
    torch.testing.assert_close(rise, 0.3 * HEIGHT / 20.0 * poses[:, :, 1], atol=1e-5, rtol=0)


def test_lines_of_a_camera():
    """Four from the tip, four about the image, two up to the mark."""
    lines = frustum_lines(make_cameras(2), depth=1.0)
    assert lines.shape == (20, 2, 3)
    torch.testing.assert_close(lines[:4, 0], head_poses(2)[0, :, 3].expand(4, 3))


def test_box_has_twelve_edges_along_the_axes():
    low, high = torch.tensor([-1.0, 0, 2]), torch.tensor([1.0, 3, 7])
    lines = box_lines(torch.stack([low, high]))
    lengths = (lines[:, 1] - lines[:, 0]).abs()
    assert lines.shape == (12, 2, 3)
    assert sorted(lengths.max(dim=1).values.tolist()) == [2.0] * 4 + [3.0] * 4 + [5.0] * 4
    assert ((lengths > 0).sum(dim=1) == 1).all()
