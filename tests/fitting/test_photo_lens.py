import pytest
import torch
from nerfstudio.cameras.cameras import Cameras

from nerface_ns.fitting.photo_lens import compared_size, photo_camera, scaled_camera


@pytest.fixture
def trained():
    lens = {"fx": 100.0, "fy": 110.0, "cx": 34.0, "cy": 30.0, "width": 64, "height": 64}
    return Cameras(camera_to_worlds=torch.eye(4)[None, :3], **lens)


def lens_of(camera) -> list[float]:
    return [float(getattr(camera, name)[0]) for name in ("fx", "fy", "cx", "cy", "width", "height")]


def test_a_photo_of_the_recordings_proportions(trained):
    """All scales by three; the principal point keeps its place."""
    assert lens_of(photo_camera(trained, 192, 192)) == pytest.approx([300, 330, 102, 90, 192, 192])


@pytest.mark.parametrize(("height", "width", "center"), [(64, 128, (66, 30)), (128, 64, (34, 62))])
def test_a_photo_of_other_proportions_sees_more(trained, height, width, center):
    """The shorter side sees the same angle: the focal length is that of 64 pixels."""
    assert lens_of(photo_camera(trained, height, width)) == pytest.approx([100, 110, *center, width, height])


def test_a_focal_length_that_is_known(trained):
    assert lens_of(photo_camera(trained, 64, 64, 220.0)) == pytest.approx([200, 220, 34, 30, 64, 64])


@pytest.mark.parametrize("focal", [0.0, -3.0, float("nan"), float("inf")])
def test_a_focal_length_that_cannot_be(trained, focal):
    with pytest.raises(ValueError, match=r"--focal .*: expected a positive number of pixels"):
        photo_camera(trained, 64, 64, focal)


def test_a_scaled_camera_sees_the_same(trained):
    assert lens_of(scaled_camera(trained, 32, 16)) == pytest.approx([25, 55, 8.5, 15, 16, 32])


def test_large_photos_are_compared_small():
    assert compared_size(3000, 4000, 128) == (128, 171)
    assert compared_size(60, 80, 128) == (60, 80)
