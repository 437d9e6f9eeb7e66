"""The driver's own pictures, to stand beside the avatar, and their sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np

from nerface_ns.data.image_file import DAMAGED
from nerface_ns.rendering.picture_layout import Picture
from nerface_ns.rendering.video_writer import Sound, has_sound
from nerface_ns.tracks.expression_track import ExpressionTrack


class DriverPictures:
    """Pictures of a track's driver, frame by frame at the rate of the output.

    Args:
        track: The track as it was read; it names picture files or a video.
        frames_per_s: Rate of the output.

    Raises:
        FileNotFoundError: A file that the track names is not there.
    """

    def __init__(self, track: ExpressionTrack, frames_per_s: float) -> None:
        self.track = track
        self.frames_per_s = frames_per_s
        self._video: Optional[Iterator[Picture]] = None
        self._shown = (-1, np.zeros((2, 2, 3), dtype=np.uint8))
        for file in (track.video,) if track.frame_files is None else track.frame_files:
            if file is None or not file.is_file():
                raise FileNotFoundError(
                    f"{track.source}: names {file} as the driver's picture, which is not there; "
                    "--no-side-by-side renders without"
                )

    def __call__(self, index: int) -> Picture:
        """Return the picture that belongs to a frame of the output; frames of a video only in rising order."""
        if self.track.frame_files is not None:
            row = min(round(index / self.frames_per_s * self.track.frames_per_s), len(self.track) - 1)
            return _read_picture(self.track.frame_files[row])
        if self._video is None:
            self._video = self._decode()
        while self._shown[0] < index:
            # After its last frame the video stands still.
            self._shown = (self._shown[0] + 1, next(self._video, self._shown[1]))
        return self._shown[1]

    def _decode(self) -> Iterator[Picture]:
        import imageio_ffmpeg

        start = ["-ss", str(self.track.video_start_s)]
        rate = ["-vf", f"fps={self.frames_per_s}"]  # "-r" alone would show wrong frames after a seek
        frames: Any = imageio_ffmpeg.read_frames(str(self.track.video), input_params=start, output_params=rate)
        width, height = next(frames)["size"]
        for frame in frames:
            yield np.frombuffer(frame, dtype=np.uint8).reshape(height, width, 3)


def has_pictures(track: ExpressionTrack) -> bool:
    """Return whether a track names pictures of its driver."""
    return track.frame_files is not None or track.video is not None


def driver_sound(track: ExpressionTrack) -> Optional[Sound]:
    """Return the sound of the driver's video; None where there is no video, or none with sound."""
    if track.video is None or not track.video.is_file() or not has_sound(track.video):
        return None
    return Sound(track.video, track.video_start_s)


def _read_picture(path: Path) -> Picture:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected a picture of the driver here, found none") from error
    except DAMAGED as error:
        raise ValueError(f"{path}: expected a whole image, got a damaged one: {error}") from error
