import numpy as np
import pytest

from nerface_ns.data.index_map import read_index_map

ROWS = np.array([2, -1, 0, 1, -1])
"""Training rows of five recorded frames."""


@pytest.fixture
def write(tmp_path):
    def write(table):
        np.save(tmp_path / "index_map.npy", table)
        return tmp_path / "index_map.npy"

    return write


def table(rows=ROWS):
    """As NerFace's preprocessing writes it: floats."""
    return np.stack([np.arange(len(rows)), rows], axis=1).astype(np.float64)


def test_rows_come_back(write):
    np.testing.assert_array_equal(read_index_map(write(table()), 3), ROWS)


@pytest.mark.parametrize(
    ("content", "num_train", "message"),
    [
        (table(), 2, r"recorded frame 0: expected a training row in 0..1 or -1, got 2"),
        (table(), 4, r"expected the rows of all 4 training frames, got 3"),
        (table([0, 0, 1]), 2, r"expected each training row once, got row 0 for several"),
        (table([0, -2, 1]), 2, r"recorded frame 1: expected a training row in 0..1 or -1, got -2"),
        (table()[::-1], 3, r"row 0: expected the recorded frame's number 0, got 4"),
        (table() + 0.5, 3, r"expected whole numbers"),
        (table() * np.nan, 3, r"expected whole numbers"),
        (ROWS, 3, r"expected numbers of shape nx2 \(recorded frame, training row\), got shape \(5,\)"),
        (np.array([["0", "1"]]), 1, r"expected numbers of shape nx2"),
        (np.array([{}, {}], dtype=object), 1, r"expected an array of numbers in NumPy's format"),
    ],
)
def test_map_that_disagrees_is_refused(write, content, num_train, message):
    path = write(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_index_map(path, num_train)
    assert str(path) in str(caught.value)


def test_other_files_are_refused(tmp_path):
    """Nothing is unpickled."""
    (tmp_path / "index_map.npy").write_text("0 1\n")
    with pytest.raises(ValueError, match="expected an array of numbers in NumPy's format"):
        read_index_map(tmp_path / "index_map.npy", 1)
    with pytest.raises(FileNotFoundError, match="expected NerFace's index map here"):
        read_index_map(tmp_path / "none.npy", 1)
