import numpy as np
import pytest
from PIL import Image

from nerface_ns.rendering.output_file import OutputFile
from nerface_ns.rendering.watermark import COMMENT, all_labelled, labelled


def test_label_is_legible_at_128():
    """Letters at least 7 pixels high, bright on dark, in the lower right corner; the rest is untouched."""
    picture = np.full((128, 128, 3), 200, dtype=np.uint8)
    marked = labelled(picture)
    changed = (marked != picture).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert rows[-1] == 127 and columns[-1] == 127
    assert rows[0] >= 128 - 24 and 40 <= len(columns) <= 100
    letters = marked[..., 0] > 180
    letters[: rows[0]], letters[:, : columns[0]] = False, False
    inked = np.flatnonzero(letters.any(axis=1))
    assert inked[-1] - inked[0] + 1 >= 7
    behind = marked[rows[0], columns[0], 0]
    assert behind < 80 and marked[letters].min() > 2 * behind


@pytest.mark.parametrize("shape", [(1, 1, 3), (4, 300, 3), (300, 12, 3), (40, 64, 4), (1080, 1920, 3)])
def test_every_size_is_marked_and_keeps_its_shape(shape):
    picture = np.zeros(shape, dtype=np.uint8)
    marked = labelled(picture)
    assert marked.shape == shape and (picture == 0).all()
    if min(shape[:2]) > 3:
        assert (marked > 0).any()


def test_cut_out_pictures_get_an_opaque_label():
    marked = labelled(np.zeros((64, 128, 4), dtype=np.uint8))
    assert marked[-1, -1, 3] == 255 and marked[0, 0, 3] == 0


def test_comment_is_in_the_files(tmp_path):
    frames = [np.full((32, 96, 3), 10 * index, dtype=np.uint8) for index in range(3)]
    for name in ("clip.mp4", "clip.webm", "clip.gif", "clip"):
        OutputFile(tmp_path / name).write(all_labelled(frames), 10.0, comment=COMMENT)
    assert COMMENT.encode() in (tmp_path / "clip.mp4").read_bytes()
    assert COMMENT.encode() in (tmp_path / "clip.webm").read_bytes()
    with Image.open(tmp_path / "clip.gif") as picture:
        assert picture.info["comment"] == COMMENT.encode()
    with Image.open(tmp_path / "clip" / "00000.png") as picture:
        assert picture.info["Comment"] == COMMENT
