"""Reading of NumPy's files that may be damaged or hostile."""

import numpy as np
import pytest

from nerface_ns.tracks.array_file import npy, read_archive_file, read_array_file

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_arrays_come_back(tmp_path):
    np.save(tmp_path / "values.npy", VALUES)
    np.savez_compressed(tmp_path / "values.npz", first=VALUES, second=VALUES.T)
    np.testing.assert_array_equal(read_array_file(tmp_path / "values.npy"), VALUES)
    found = read_archive_file(tmp_path / "values.npz", ("second",))
    assert list(found) == ["second"]
    np.testing.assert_array_equal(found["second"], VALUES.T)


def test_headers_cannot_claim_more_than_the_file_holds(tmp_path):
    path = tmp_path / "values.npy"
    np.save(path, VALUES)
    path.write_bytes(path.read_bytes().replace(b"(2, 3)", b"(9, 9)"))
    with pytest.raises(ValueError, match=r"values\.npy: expected an array of numbers in NumPy's format"):
        read_array_file(path)


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"objects\.npy: expected an array of numbers"):
        read_array_file(tmp_path / "objects.npy")


def test_a_breakdown_of_numpy_is_one_clear_error(tmp_path, monkeypatch):
    """Some damaged headers make NumPy's own parser of types raise SystemError."""

    def break_down(*_, **__):
        raise SystemError("returned a result with an exception set")

    np.save(tmp_path / "values.npy", VALUES)
    monkeypatch.setattr(npy, "read_array", break_down)
    with pytest.raises(ValueError, match=r"values\.npy: expected an array of numbers .* got returned a result"):
        read_array_file(tmp_path / "values.npy")
