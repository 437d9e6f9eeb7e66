import numpy as np

from nerface_ns.tracking.background_statistics import NOISE_FLOOR, background_statistics, complete_background


def test_medians_of_uncovered_frames():
    """Equal to numpy's masked median, frame by frame."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (9, 6, 7, 3), dtype=np.uint8)
    is_covered = random.random((9, 6, 7)) < 0.5
    is_covered[:, 2, 3] = True
    found = background_statistics(images, is_covered)
    masked = np.ma.array(images.astype(float), mask=np.repeat(is_covered[..., None], 3, axis=-1))
    expected = np.ma.median(masked, axis=0)
    np.testing.assert_allclose(found.color, expected.filled(0))
    np.testing.assert_array_equal(found.is_seen, (~is_covered).sum(axis=0) >= 3)
    assert not found.is_seen[2, 3]
    assert (found.noise >= NOISE_FLOOR).all()


def test_passer_by_does_not_stay_in_the_background():
    images = np.full((11, 8, 8, 3), 100, dtype=np.uint8)
    images[2:5] = 250
    found = background_statistics(images, np.zeros((11, 8, 8), dtype=bool))
    np.testing.assert_array_equal(found.color, 100)
    np.testing.assert_allclose(found.distance(images[3]), 150 / NOISE_FLOOR)


def test_unseen_pixels_have_no_distance_and_are_filled_from_around():
    images = np.full((4, 64, 64, 3), 80, dtype=np.uint8)
    is_covered = np.zeros((4, 64, 64), dtype=bool)
    is_covered[:, 20:40, 24:44] = True
    images[:, 20:40, 24:44] = 200
    found = background_statistics(images, is_covered)
    assert found.distance(images[0])[30, 30] == 0
    completed = complete_background(found)
    assert np.abs(completed.astype(int) - 80).max() <= 2


def test_background_never_seen_is_grey():
    images = np.zeros((3, 16, 16, 3), dtype=np.uint8)
    found = background_statistics(images, np.ones((3, 16, 16), dtype=bool))
    np.testing.assert_array_equal(complete_background(found), 128)
