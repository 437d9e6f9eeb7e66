"""Writes H.264 and VP9 video through the ffmpeg binary that imageio-ffmpeg ships."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nerface_ns.rendering.picture_layout import AnyPicture


@dataclass(frozen=True)
class Codec:
    """How one kind of file is encoded."""

    name: str
    """ffmpeg's name of the video encoder."""
    sound: str
    """ffmpeg's name of the audio encoder."""
    constant_rate_factor: int
    """Quality where none is asked for: visually near lossless."""
    worst_factor: int
    """End of the quality scale, which begins at 0."""
    options: tuple[str, ...] = ()
    """What else the video encoder is told."""
    container_options: tuple[str, ...] = ()
    """How the file is laid out."""


CODECS = {
    ".mp4": Codec("libx264", "aac", 18, 51, container_options=("-movflags", "+faststart")),
    # Without a bit rate of 0 the factor would only be a lower bound of the quality.
    ".webm": Codec("libvpx-vp9", "libopus", 24, 63, ("-b:v", "0", "-row-mt", "1", "-cpu-used", "4")),
}
"""Codecs by file name suffix."""


@dataclass(frozen=True)
class Sound:
    """A sound track to put under a video."""

    path: Path
    """File with an audio stream."""
    start_s: float = 0.0
    """Place in the file that belongs to the video's first frame."""


class VideoWriter:
    """Context manager that writes frames into an mp4 (H.264) or WebM (VP9), whole or not at all.

    The file appears under its name when the block ends without an error. Frames of odd height or width get their last
    row or column twice, because 4:2:0 chroma needs even sizes. Frames with alpha keep it in a WebM.

    Args:
        path: The .mp4 or .webm file.
        frames_per_s: Playback rate.
        constant_rate_factor: The encoder's quality scale, 0 best; without it 18 for H.264 and 24 for VP9.
        sound: What is heard; it is cut, or filled with silence, to the length of the video.
        comment: Text for the file's metadata.

    Raises:
        ValueError: The name ends otherwise, a frame differs in shape from the first, or no frame came.
    """

    def __init__(
        self,
        path: Path,
        frames_per_s: float = 25.0,
        constant_rate_factor: int | None = None,
        sound: Sound | None = None,
        comment: str | None = None,
    ) -> None:
        self.path = Path(path)
        codec = CODECS.get(self.path.suffix.lower())
        if codec is None:
            raise ValueError(f"{self.path}: expected a file name that ends in {' or '.join(CODECS)}")
        self.codec = codec
        self.frames_per_s = frames_per_s
        self.constant_rate_factor = codec.constant_rate_factor if constant_rate_factor is None else constant_rate_factor
        self.sound = sound
        self.comment = comment
        self.num_frames = 0
        self._shape: tuple | None = None
        self._encoder: Any = None
        self._partial = self.path.with_name(f"{self.path.stem}.part{self.path.suffix}")

    def __enter__(self) -> VideoWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def append(self, frame: AnyPicture) -> None:
        """Add an RGB frame, or for WebM an RGBA frame; the first one fixes the shape."""
        channels = (3, 4) if self.codec.name == "libvpx-vp9" else (3,)
        if frame.shape[2] not in channels:
            raise ValueError(f"{self.path}: expected frames of {channels} channels, got {frame.shape}")
        if self._shape is None:
            self._shape = frame.shape
            self._encoder = self._open(*frame.shape)
        if frame.shape != self._shape:
            raise ValueError(f"{self.path}: frame {self.num_frames} is {frame.shape}, the first was {self._shape}")
        even = np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), mode="edge")
        self._encoder.send(np.ascontiguousarray(even))
        self.num_frames += 1

    def __exit__(self, error_type: Any, error: Any, traceback: Any) -> None:
        if self._encoder is not None:
            self._encoder.close()
        if error_type is not None:
            self._partial.unlink(missing_ok=True)
        elif self.num_frames == 0:
            raise ValueError(f"{self.path}: no frames came, so there is no video to write")
        else:
            if self.sound is not None:
                self._add_sound(self.sound)
            self._partial.replace(self.path)

    def _open(self, height: int, width: int, channels: int) -> Any:
        import imageio_ffmpeg

        options = ["-crf", str(self.constant_rate_factor), *self.codec.options, *self.codec.container_options]
        if self.comment is not None:
            options += ["-metadata", f"comment={self.comment}"]
        settings: dict[str, Any] = {
            "fps": self.frames_per_s,
            "codec": self.codec.name,
            "pix_fmt_in": "rgba" if channels == 4 else "rgb24",
            "pix_fmt_out": "yuva420p" if channels == 4 else "yuv420p",
            # 1 keeps the size; imageio-ffmpeg's default of 16 would rescale.
            "macro_block_size": 1,
            "quality": None,
            "output_params": options,
        }
        even_size = (width + width % 2, height + height % 2)
        encoder = imageio_ffmpeg.write_frames(str(self._partial), even_size, **settings)
        encoder.send(None)
        return encoder

    def _add_sound(self, sound: Sound) -> None:
        import imageio_ffmpeg

        heard = self._partial.with_name(f"{self.path.stem}.sound.part{self.path.suffix}")
        length_s = self.num_frames / self.frames_per_s
        inputs = ["-i", self._partial, "-ss", sound.start_s, "-i", sound.path, "-map", "0:v:0", "-map", "1:a:0"]
        codecs = [
            "-c:v",
            "copy",
            "-c:a",
            self.codec.sound,
            "-af",
            "apad",
            "-t",
            length_s,
            *self.codec.container_options,
        ]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *map(str, (*inputs, *codecs, heard))]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            heard.unlink(missing_ok=True)
            self._partial.unlink(missing_ok=True)
            raise ValueError(f"{sound.path}: its sound could not be read: {done.stderr.strip()}")
        heard.replace(self._partial)


def has_sound(path: Path) -> bool:
    """Return whether a media file holds an audio stream."""
    import imageio_ffmpeg

    # With no output named, ffmpeg describes its input and ends with an error status.
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    described = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return any(": Audio:" in line for line in described.stderr.splitlines())
