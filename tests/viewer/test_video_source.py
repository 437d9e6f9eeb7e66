import time
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from nerface_ns.tracking.face_finder import FoundFaces
from nerface_ns.tracking.preview_video import write_video
from nerface_ns.viewer.live_source import LiveFrame, LiveSource
from nerface_ns.viewer.video_source import VideoSource, camera_images, file_images

STEP = 20
"""Brightness of a frame is so many times its number."""


class GreyFinder:
    """Finds two faces in every frame but those numbered 2; the larger one's coefficient is the frame's number."""

    names = ("jawOpen",)

    def find(self, image: np.ndarray) -> FoundFaces:
        number = number_of(image)
        faces = np.zeros((0 if number == 2 else 2, 478, 3), dtype=np.float32)
        if len(faces):
            faces[0, 0], faces[1, 0] = 5, 9
        scores = np.full((len(faces), 1), number, dtype=np.float32)
        scores[:1] = -1
        return FoundFaces(faces, scores)


def number_of(image: np.ndarray) -> int:
    return round(float(image.mean()) / STEP)


def wait_until(is_so) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def video(tmp_path) -> Path:
    images = [np.full((32, 48, 3), STEP * number, dtype=np.uint8) for number in range(12)]
    write_video(tmp_path / "grey.mp4", images, 50.0)
    return tmp_path / "grey.mp4"


def test_video_plays_over_and_over(video):
    """The largest face's coefficients come by their names; frames without a face are counted."""
    frames: list[LiveFrame] = []
    source = VideoSource(lambda: file_images(video), GreyFinder(), "grey.mp4")
    assert isinstance(source, LiveSource) and source.calibration is None
    source.start(frames.append)
    wait_until(lambda: len(frames) > 12)
    source.stop()
    assert {frame.names for frame in frames} == {("jawOpen",)}
    values = [float(frame.expression[0]) for frame in frames]
    assert values[0] == 0 and -1 not in values and 2 not in values
    assert (np.diff(values) < 0).sum() >= 1
    assert "without a face" in source.report() and ", 0 without" not in source.report()


def test_frames_come_when_they_are_due(video):
    """12 frames at 50 a second: the last one 0.22 s after the first, none of them left out."""
    start_s, numbers = time.monotonic(), []
    for image in file_images(video):
        numbers.append(number_of(image))
    assert time.monotonic() - start_s >= 0.22
    assert numbers == sorted(numbers) and numbers[-1] == 11


def test_late_frames_are_left_out(video):
    numbers = []
    for image in file_images(video):
        numbers.append(number_of(image))
        time.sleep(0.1)
    assert numbers[0] == 0 and 2 <= len(numbers) <= 4


def test_video_that_cannot_be_played_ends_in_the_report(tmp_path):
    source = VideoSource(lambda: file_images(tmp_path / "gone.mp4"), GreyFinder(), "gone.mp4")
    frames: list[LiveFrame] = []
    source.start(frames.append)
    wait_until(lambda: ";" in source.report())
    message = f"{tmp_path / 'gone.mp4'}: expected a video here, found none"
    assert source.report() == f"gone.mp4: 0 frames, 0 without a face; {message}" and frames == []


class Camera:
    """Stands in for `cv2.VideoCapture`: two blue pictures, then none."""

    opened: ClassVar[list["Camera"]] = []

    def __init__(self, number: int) -> None:
        self.number, self.left, self.is_released = number, 2, False
        self.opened.append(self)

    def isOpened(self) -> bool:  # noqa: N802
        return self.number != 7

    def set(self, setting: int, value: float) -> bool:
        return True

    def read(self):
        self.left -= 1
        return self.left >= 0, np.full((4, 6, 3), (255, 0, 0), dtype=np.uint8)

    def release(self) -> None:
        self.is_released = True


def test_camera_gives_rgb_until_it_is_gone(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    images = camera_images(1)
    np.testing.assert_array_equal(next(images)[0, 0], (0, 0, 255))
    next(images)
    with pytest.raises(ValueError, match="camera 1: gives no more pictures"):
        next(images)
    assert Camera.opened[-1].is_released
    with pytest.raises(ValueError, match="camera 7: cannot be opened"):
        next(camera_images(7))
