from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nerface_ns.fitting.photo import read_photo

PICTURE = np.random.default_rng(0).integers(40, 255, (20, 30, 3), dtype=np.uint8)


def save(path: Path, array: np.ndarray, **options) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def test_a_photo_without_a_mask(tmp_path):
    photo = read_photo(save(tmp_path / "a.png", PICTURE))
    assert (photo.name, photo.size, photo.alpha) == ("a.png", (20, 30), None)
    np.testing.assert_array_equal((photo.image * 255).round().numpy(), PICTURE)


def test_black_borders_are_cut(tmp_path):
    framed = np.zeros((40, 34, 3), dtype=np.uint8)
    framed[11:31, 2:32] = PICTURE
    path = save(tmp_path / "a.png", framed)
    assert read_photo(path).size == (20, 30)
    assert read_photo(path, cut_borders=False).size == (40, 34)


def test_an_alpha_channel_is_a_mask(tmp_path):
    alpha = np.zeros((20, 30), dtype=np.uint8)
    alpha[5:15, 8:20] = 255
    photo = read_photo(save(tmp_path / "a.png", np.dstack([PICTURE, alpha])))
    assert photo.alpha is not None and float(photo.alpha.sum()) == 120


def test_a_mask_file(tmp_path):
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[:, :15] = 255
    photo = read_photo(save(tmp_path / "a.png", PICTURE), save(tmp_path / "m.png", mask))
    assert photo.alpha is not None and torch.equal(photo.alpha[0], torch.tensor([1.0] * 15 + [0.0] * 15))


def test_a_turned_photo_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    photo = read_photo(save(tmp_path / "a.jpg", PICTURE, exif=exif, quality=95))
    assert photo.size == (30, 20)


def test_a_smaller_copy_averages(tmp_path):
    photo = read_photo(save(tmp_path / "a.png", PICTURE)).resized(10, 15)
    expected = PICTURE.reshape(10, 2, 15, 2, 3).mean(axis=(1, 3)) / 255
    np.testing.assert_allclose(photo.image.numpy(), expected, atol=2e-3)


def write_empty(path: Path) -> None:
    path.write_bytes(b"")


def write_text(path: Path) -> None:
    path.write_text("no picture")


def write_cut(path: Path) -> None:
    save(path, np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:2000])


def write_tiny(path: Path) -> None:
    save(path, PICTURE[:8])


def write_plain(path: Path) -> None:
    save(path, np.full((20, 30, 3), 77, dtype=np.uint8))


def write_transparent(path: Path) -> None:
    save(path, np.dstack([PICTURE, np.zeros((20, 30), dtype=np.uint8)]))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_empty, "expected a readable photo"),
        (write_text, "expected a readable photo"),
        (write_cut, "expected a readable photo"),
        (write_tiny, "expected a photo of at least 16 pixels a side, got 30x8"),
        (write_plain, "expected a photo of a face, got a picture of one colour"),
        (write_transparent, "expected a mask that covers the person, got one that covers nothing"),
    ],
)
def test_a_bad_photo_is_told(tmp_path, write, message):
    path = tmp_path / "a.png"
    write(path)
    with pytest.raises(ValueError, match=f"a.png: {message}"):
        read_photo(path)


def test_a_missing_photo(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a.png: expected a photo here, found none"):
        read_photo(tmp_path / "a.png")


def test_a_mask_of_another_size(tmp_path):
    mask = save(tmp_path / "m.png", np.full((10, 10), 255, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"m.png: expected a mask of 30x20 pixels as .*a.png, got 10x10"):
        read_photo(save(tmp_path / "a.png", PICTURE), mask)
