"""Decodes a video at a constant frame rate, upright and not larger than needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

MAX_SIDE_PX = 1920
"""Larger frames are reduced to this: landmarks need no more."""
MAX_FRAMES_PER_S = 240.0


@dataclass(frozen=True)
class VideoClip:
    """Which part of which video is decoded, and how often.

    Raises:
        ValueError: Times or rates that make no sense.
    """

    path: Path
    """The video file."""
    start_s: float = 0.0
    """First moment."""
    end_s: float | None = None
    """Moment at which to stop; the video's end without it."""
    frames_per_s: float | None = None
    """Frames a second; the video's own average without it."""
    max_frames: int | None = None
    """Frames at most."""

    def __post_init__(self) -> None:
        if self.start_s < 0 or (self.end_s is not None and self.end_s <= self.start_s):
            raise ValueError(f"--start {self.start_s:g} --end {self.end_s}: expected 0 <= start < end")
        if self.frames_per_s is not None and not 0 < self.frames_per_s <= MAX_FRAMES_PER_S:
            raise ValueError(f"--fps {self.frames_per_s:g}: expected above 0, up to {MAX_FRAMES_PER_S:g}")
        if self.max_frames is not None and self.max_frames < 1:
            raise ValueError(f"--max-frames {self.max_frames}: expected at least 1")


@dataclass(frozen=True)
class ClipFrame:
    """One decoded frame."""

    tick: int
    """Its place on the constant time scale, from the clip's start."""
    decoded: Any
    """PyAV's frame."""

    def image(self, max_side_px: int = MAX_SIDE_PX) -> UInt8[np.ndarray, "height width 3"]:
        """The frame as RGB, upright, its longer side at most so long."""
        frame = self.decoded
        longest = max(frame.width, frame.height)
        if longest > max_side_px:
            width, height = (max(1, round(side * max_side_px / longest)) for side in (frame.width, frame.height))
            frame = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
        image = frame.to_ndarray(format="rgb24")
        quarter_turns = round(self.decoded.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(image, quarter_turns))


@dataclass(frozen=True)
class VideoFacts:
    """What the container says."""

    frames_per_s: float
    """Average rate."""
    duration_s: float | None
    """Length, where it is known."""


def video_facts(path: Path) -> VideoFacts:
    """Read a video's header.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no video.
    """
    with _open(path) as container:
        stream = _video_stream(path, container)
        rate = stream.average_rate or stream.guessed_rate
        duration_s = container.duration / 1e6 if container.duration else None
        if not rate or not 0 < float(rate) <= MAX_FRAMES_PER_S:
            raise ValueError(f"{path}: expected a video with a frame rate, got {rate}; set --fps")
        return VideoFacts(float(rate), duration_s)


def clip_rate(clip: VideoClip) -> float:
    """Frames a second at which a clip is decoded."""
    return clip.frames_per_s or video_facts(clip.path).frames_per_s


def decode_clip(clip: VideoClip) -> Iterator[ClipFrame]:
    """Yield the frames nearest to the ticks of a constant rate.

    A source frame serves one tick only: where the source has fewer frames, ticks are left out, so that numbers keep
    the time and no frame comes twice.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no video, or nothing of the clip can be decoded.
    """
    rate = clip_rate(clip)
    count, held, last_tick = 0, None, -1
    for time_s, frame in _timed_frames(clip):
        tick = round((time_s - clip.start_s) * rate)
        if held is not None and tick > held[1]:
            yield ClipFrame(held[1], held[2])
            count, last_tick, held = count + 1, held[1], None
            if clip.max_frames is not None and count >= clip.max_frames:
                return
        distance = abs(time_s - clip.start_s - tick / rate)
        if tick > last_tick and (held is None or distance < held[0]):
            held = (distance, tick, frame)
    if held is not None:
        yield ClipFrame(held[1], held[2])
        count += 1
    if count == 0:
        raise ValueError(f"{clip.path}: no frame could be decoded between {clip.start_s:g} s and the end asked for")


def _timed_frames(clip: VideoClip) -> Iterator[tuple[float, Any]]:
    """Decoded frames of the clip with their times, the first frame of the file at 0."""
    from av.error import FFmpegError

    half_step = 0.5 / clip_rate(clip)
    with _open(clip.path) as container:
        stream = _video_stream(clip.path, container)
        stream.thread_type = "AUTO"
        origin_s = number = None
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except FFmpegError:
                # A damaged packet costs its frames only.
                continue
            for frame in frames:
                number = 0 if number is None else number + 1
                stamp_s = frame.time if frame.time is not None else number * 2 * half_step
                origin_s = stamp_s if origin_s is None else origin_s
                time_s = stamp_s - origin_s
                if clip.end_s is not None and time_s >= clip.end_s - 1e-9:
                    return
                if time_s >= clip.start_s - half_step:
                    yield max(time_s, clip.start_s), frame


def _open(path: Path) -> Any:
    import av
    from av.error import FFmpegError

    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a video here, found none")
    try:
        return av.open(str(path))
    except (FFmpegError, OSError) as error:
        raise ValueError(f"{path}: expected a video, got a file that cannot be read as one ({error})") from error


def _video_stream(path: Path, container: Any) -> Any:
    """The first stream of moving pictures; a cover picture is none."""
    from av.stream import Disposition

    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        raise ValueError(f"{path}: expected a video stream, got only {', '.join(kinds) or 'nothing'}")
    return streams[0]
