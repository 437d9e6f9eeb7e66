import numpy as np
import pytest

from nerface_ns.tracking.face_crop import FaceCrop, fit_crop


def test_crop_holds_the_face_and_stays_inside():
    boxes = np.array([[400.0, 200, 560, 380], [420, 210, 590, 395]])
    crop = fit_crop(boxes, 720, 1280, 256)
    assert crop.x0_px < 400 and crop.x0_px + crop.side_px > 590
    assert 0 <= crop.y0_px < 200 and 395 < crop.y0_px + crop.side_px <= 720
    assert crop.size_px == 256


def test_crop_of_a_close_face_is_the_whole_height():
    crop = fit_crop(np.array([[50.0, 40, 300, 400]]), 480, 640, 512)
    assert (crop.side_px, crop.y0_px, crop.size_px) == (480, 0, 480)


def test_odd_frames_give_even_images():
    crop = fit_crop(np.array([[30.0, 40, 100, 130]]), 151, 133, 512)
    assert crop.size_px % 2 == 0 and crop.side_px == crop.size_px == 132


def test_landmarks_move_with_the_pixels():
    """A bright pixel's landmark lies on it in the cut and resized image."""
    crop = FaceCrop(x0_px=20, y0_px=8, side_px=64, size_px=32)
    image = np.zeros((100, 120, 3), dtype=np.uint8)
    image[30:32, 50:52] = 255
    found = crop.apply(image)[..., 0]
    y, x = np.unravel_index(found.argmax(), found.shape)
    np.testing.assert_allclose(crop.landmarks(np.array([51.0, 31.0, 4.0])), [x + 0.5, y + 0.5, 2.0])
    np.testing.assert_allclose(crop.center_px(100, 120), [20.0, 21.0])


def test_principal_point_stays_in_the_image():
    crop = FaceCrop(x0_px=500, y0_px=0, side_px=64, size_px=64)
    np.testing.assert_allclose(crop.center_px(64, 640), [0.5, 32])


def test_tiny_frames_are_refused():
    with pytest.raises(ValueError, match="at least 16 pixels"):
        fit_crop(np.array([[1.0, 1, 9, 9]]), 12, 12, 512)
