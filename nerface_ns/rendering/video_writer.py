"""Writes H.264 video through the ffmpeg binary that imageio-ffmpeg ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8


class VideoWriter:
    """Context manager that writes frames into an mp4 (H.264, yuv420p), whole or not at all.

    The file appears under its name when the block ends without an error. Frames of odd height or width get their last
    row or column twice, because 4:2:0 chroma needs even sizes.

    Args:
        path: The .mp4 file.
        frames_per_s: Playback rate.
        constant_rate_factor: x264's quality scale, 0 lossless, 23 its own default, 18 visually near lossless.

    Raises:
        ValueError: The name does not end in .mp4, a frame differs in size from the first, or no frame came.
    """

    def __init__(self, path: Path, frames_per_s: float = 25.0, constant_rate_factor: int = 18) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".mp4":
            raise ValueError(f"{self.path}: expected a file name that ends in .mp4")
        self.frames_per_s = frames_per_s
        self.constant_rate_factor = constant_rate_factor
        self.num_frames = 0
        self._shape: tuple | None = None
        self._encoder: Any = None
        self._partial = self.path.with_name(f"{self.path.stem}.part{self.path.suffix}")

    def __enter__(self) -> VideoWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def append(self, frame: UInt8[np.ndarray, "height width 3"]) -> None:
        """Add an RGB frame; the first one fixes the size."""
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"{self.path}: expected uint8 frames (height, width, 3), got {frame.dtype} {frame.shape}")
        if self._shape is None:
            self._shape = frame.shape
            self._encoder = self._open(frame.shape[0], frame.shape[1])
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
            self._partial.replace(self.path)

    def _open(self, height: int, width: int) -> Any:
        import imageio_ffmpeg

        encoder = imageio_ffmpeg.write_frames(
            str(self._partial),
            (width + width % 2, height + height % 2),
            fps=self.frames_per_s,  # type: ignore[arg-type]
            codec="libx264",
            pix_fmt_in="rgb24",
            pix_fmt_out="yuv420p",
            # 1 keeps the size; imageio-ffmpeg's default of 16 would rescale.
            macro_block_size=1,
            quality=None,  # type: ignore[arg-type]
            output_params=["-crf", str(self.constant_rate_factor), "-movflags", "+faststart"],
        )
        encoder.send(None)
        return encoder
