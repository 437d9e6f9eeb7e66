"""Drives live by a video's face, or by that before a camera: landmarks and blendshapes are found frame by frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np
from jaxtyping import UInt8

from nerface_ns.tracking.face_choice import face_boxes
from nerface_ns.tracking.video_decoder import VideoClip, clip_rate, decode_clip
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.viewer.live_source import LiveFrame

LONGEST_REST_S = 0.5
"""A frame that is late is left out, unless none was shown for so long."""


class VideoSource:
    """Gives the blendshapes of the largest face, of a file at its own speed over and over, of a camera as they come.

    Args:
        images: Makes an iterator over RGB images, each at its time; called again when it ends.
        finder: A `FaceFinder`.
        name: What is looked at, for messages.
    """

    def __init__(self, images: Callable[[], Iterator[UInt8[np.ndarray, "_ _ 3"]]], finder: Any, name: str) -> None:
        self.calibration: Optional[ExpressionTrack] = None
        self._images, self._finder, self._name = images, finder, name
        self._num_given, self._num_without = 0, 0
        self._message = ""
        self._stopped = threading.Event()

    def start(self, receive: Callable[[LiveFrame], None]) -> None:
        """Begin to look."""
        threading.Thread(target=self._watch, args=(receive,), daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def report(self) -> str:
        """Return how many frames came."""
        counts = f"{self._name}: {self._num_given} frames, {self._num_without} without a face"
        return f"{counts}; {self._message}" if self._message else counts

    def _watch(self, receive: Callable[[LiveFrame], None]) -> None:
        while not self._stopped.is_set():
            try:
                for image in self._images():
                    if self._stopped.is_set():
                        return
                    self._look(image, receive)
            except (ValueError, OSError) as error:
                # Nobody waits for this thread: the panel and the command show the report.
                self._message = str(error)
                return

    def _look(self, image: np.ndarray, receive: Callable[[LiveFrame], None]) -> None:
        found = self._finder.find(image)
        if not len(found.landmarks_px):
            self._num_without += 1
            return
        boxes = face_boxes(found.landmarks_px)
        largest = int(np.argmax(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)))
        receive(LiveFrame(self._finder.names, found.blendshapes[largest].astype(np.float64)))
        self._num_given += 1


def file_images(path: Path) -> Iterator[UInt8[np.ndarray, "_ _ 3"]]:
    """Frames of a video file when they are due; where looking takes longer, frames are left out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no video.
    """
    rate = clip_rate(VideoClip(path))
    start_s = given_s = time.monotonic()
    for frame in decode_clip(VideoClip(path)):
        due_s = start_s + frame.tick / rate
        time.sleep(max(due_s - time.monotonic(), 0.0))
        now_s = time.monotonic()
        if now_s < due_s + 1 / rate or now_s > given_s + LONGEST_REST_S:
            given_s = now_s
            yield frame.image()


def camera_images(number: int) -> Iterator[UInt8[np.ndarray, "_ _ 3"]]:
    """Newest pictures of a camera of this machine.

    Raises:
        ValueError: There is no such camera, or it gives no more pictures.
    """
    import cv2

    camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise ValueError(f"camera {number}: cannot be opened; is it there, and free?")
        # Pictures that pile up in the driver would come late.
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        while True:
            is_there, picture = camera.read()
            if not is_there:
                raise ValueError(f"camera {number}: gives no more pictures")
            yield np.ascontiguousarray(picture[..., ::-1])
    finally:
        camera.release()
