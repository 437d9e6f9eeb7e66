import numpy as np
import pytest
from PIL import Image

from nerface_ns.data.region_labels import REGION_NAMES, RegionLabels, read_regions

BISENET = ["background", *["face"] * 3, *["eyes"] * 3, *["face"] * 4, *["mouth"] * 3, *["torso"] * 3, *["hair"] * 2]
"""What each of the 19 labels belongs to, written out a second time."""


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def saved(path, values, mode=None):
    Image.fromarray(np.asarray(values, dtype=np.uint8), mode=mode).save(path)
    return path


def names_of(regions):
    return [REGION_NAMES[place] for place in regions.flatten().tolist()]


@pytest.mark.parametrize("mode", ["L", "P"])
def test_labels(tmp_path, mode):
    image = Image.fromarray(np.arange(19, dtype=np.uint8)[None])
    if mode == "P":
        image = image.copy()
        image.putpalette([7] * 768)  # whatever colours a viewer shows, the numbers count
    image.save(tmp_path / "parsing.png")
    assert names_of(read_regions(tmp_path / "parsing.png")) == BISENET


def test_colours(tmp_path):
    colours = [[[255, 255, 255], [0, 0, 255], [0, 255, 0], [255, 0, 0]]]
    assert names_of(read_regions(saved(tmp_path / "parsing.png", colours))) == ["background", "face", "torso", "torso"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0, 3, 19, 19]], r"parsing.png: expected labels 0..18, got 19 in 2 pixels"),
        ([[[0, 0, 255], [1, 2, 3]]], r"parsing.png: expected the colours .* got \[1, 2, 3\] in 1 pixels"),
    ],
)
def test_unknown_labels(tmp_path, values, message):
    with pytest.raises(ValueError, match=message):
        read_regions(saved(tmp_path / "parsing.png", values))


def test_damaged_and_missing(tmp_path):
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"cut.png: expected a whole image"):
        read_regions(tmp_path / "cut.png")
    with pytest.raises(FileNotFoundError, match=r"none.png: expected a parsing here"):
        read_regions(tmp_path / "none.png")


def test_frames_at_the_size_of_training(tmp_path):
    """Each pixel takes the label at its middle: of rows 0..5 those at 1 and 4; nothing is mixed."""
    values = np.array([[0, 0, 17, 17], [1, 1, 17, 17], [0] * 4, [0] * 4, [11, 11, 4, 4], [0] * 4])
    paths = [saved(tmp_path / f"{number}.png", values * (number == 0)) for number in range(2)]
    labels = RegionLabels(paths, (6, 4), 2, 2)
    found = {name: labels.mask(name, 0).tolist() for name in labels.present}
    assert found == {
        "background": [[False, False], [False, False]],
        "face": [[True, False], [False, False]],
        "mouth": [[False, False], [True, False]],
        "eyes": [[False, False], [False, True]],
        "hair": [[False, True], [False, False]],
    }
    frame, row, column = np.array([0, 1, 0]), np.array([1, 1, 0]), np.array([0, 0, 1])
    assert labels.at("mouth", frame, row, column).tolist() == [True, False, False]


def test_another_size(tmp_path):
    paths = [saved(tmp_path / "0.png", np.zeros((6, 4))), saved(tmp_path / "1.png", np.zeros((6, 5)))]
    expected = r"1.png: frame 1: expected a parsing of 4x6 pixels as the images, got 5x6"
    with pytest.raises(ValueError, match=expected):
        RegionLabels(paths, (6, 4), 2, 2)
