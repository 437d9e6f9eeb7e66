"""With MediaPipe itself; everything else is tested without."""

import sys

import cv2
import numpy as np
import pytest

from nerface_ns.tracking.face_finder import FaceFinder


@pytest.fixture(scope="module")
def finder(shared_data):
    pytest.importorskip("mediapipe", reason="MediaPipe is not installed: nerface-ns[track]")
    found = FaceFinder(shared_data / "models" / "face_landmarker.task")
    yield found
    found.close()


def read(path) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


def test_face_is_found_with_names_and_alike_each_time(finder, shared_data):
    image = read(shared_data / "head_a" / "train" / "f_0100.png")
    first = finder.find(image)
    finder.find(read(shared_data / "head_a" / "train" / "f_0200.png"))
    second = finder.find(image)
    assert first.landmarks_px.shape == (1, 478, 3) and first.blendshapes.shape == (1, 51)
    np.testing.assert_array_equal(first.landmarks_px, second.landmarks_px)
    assert len(finder.names) == 51 and "jawOpen" in finder.names and "_neutral" not in finder.names


def test_nobody_and_two_people(finder, shared_data):
    image = read(shared_data / "head_a" / "train" / "f_0100.png")
    assert len(finder.find(np.full_like(image, 128)).landmarks_px) == 0
    assert len(finder.find(np.concatenate([image, image], axis=1)).landmarks_px) == 2


def test_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(ValueError, match=r"nerface-ns\[track\]"):
        FaceFinder(tmp_path / "face.task")
