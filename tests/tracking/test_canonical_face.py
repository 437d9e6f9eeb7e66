import zipfile

import numpy as np
import pytest
from synthetic_head import canonical_points, write_bundle

from nerface_ns.tracking.canonical_face import METADATA_FILE, read_canonical_face


def test_mesh_is_read_from_the_bundle(tmp_path):
    points = canonical_points()
    found = read_canonical_face(write_bundle(tmp_path / "face.task", points))
    np.testing.assert_allclose(found, points, rtol=1e-6)


def test_googles_mesh_looks_out_of_the_face(shared_data):
    """The subject's left is at positive x, the forehead above the chin, the nose in front."""
    points = read_canonical_face(shared_data / "models" / "face_landmarker.task")
    assert points[263, 0] > 4 > -4 > points[33, 0]
    assert points[10, 1] > 7 > -7 > points[152, 1]
    assert points[4, 2] > points[33, 2] + 3


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "face.task"
    with pytest.raises(FileNotFoundError, match="expected a face landmarker bundle"):
        read_canonical_face(path)
    path.write_bytes(b"no zip file")
    with pytest.raises(ValueError, match="expected a face landmarker bundle"):
        read_canonical_face(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other", b"")
    with pytest.raises(ValueError, match=METADATA_FILE):
        read_canonical_face(path)


@pytest.mark.parametrize("content", [b"\x0a\xff\x01\x00", b"\x0a\x02\x1d\x00", b"", b"\x80"])
def test_damaged_mesh_is_refused(tmp_path, content):
    path = tmp_path / "face.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(METADATA_FILE, content)
    with pytest.raises(ValueError, match="face mesh"):
        read_canonical_face(path)
