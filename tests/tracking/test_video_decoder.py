import subprocess
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from nerface_ns.tracking.preview_video import write_video
from nerface_ns.tracking.video_decoder import VideoClip, clip_rate, decode_clip

STEP = 12


def grey_frames(count: int, height: int = 32, width: int = 48) -> list[np.ndarray]:
    """Frames whose brightness tells their number."""
    return [np.full((height, width, 3), STEP * number, dtype=np.uint8) for number in range(count)]


def numbers(clip: VideoClip) -> tuple[list[int], list[int]]:
    """Ticks and the frames' own numbers."""
    frames = list(decode_clip(clip))
    return [frame.tick for frame in frames], [round(float(frame.image().mean()) / STEP) for frame in frames]


@pytest.fixture
def video(tmp_path) -> Path:
    write_video(tmp_path / "grey.mp4", grey_frames(20), 20.0)
    return tmp_path / "grey.mp4"


def write_timed(path: Path, stamps_ms: list[int]) -> None:
    """Write a video whose frames have times of their own."""
    with av.open(str(path), mode="w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "10", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for image, stamp in zip(grey_frames(len(stamps_ms)), stamps_ms):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def test_all_frames_come_in_order(video):
    assert clip_rate(VideoClip(video)) == 20
    assert numbers(VideoClip(video)) == (list(range(20)), list(range(20)))


def test_part_of_a_video_at_another_rate(video):
    """From 0.2 s to 0.7 s at 10 frames a second: frames 4, 6, 8, 10, 12."""
    ticks, found = numbers(VideoClip(video, start_s=0.2, end_s=0.7, frames_per_s=10))
    assert (ticks, found) == ([0, 1, 2, 3, 4], [4, 6, 8, 10, 12])
    assert numbers(VideoClip(video, max_frames=3))[1] == [0, 1, 2]


def test_variable_rate_becomes_constant(tmp_path):
    """Frames go to the nearest tick of 100 ms; of two the nearer one is taken, and an empty tick stays empty."""
    write_timed(tmp_path / "timed.mp4", [0, 95, 130, 205, 420, 500])
    assert numbers(VideoClip(tmp_path / "timed.mp4", frames_per_s=10)) == ([0, 1, 2, 4, 5], [0, 1, 3, 4, 5])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_recordings_come_upright(tmp_path, degrees):
    """As ffmpeg itself turns them."""
    image = np.zeros((32, 48, 3), dtype=np.uint8)
    image[:16, :24], image[16:, 24:] = (250, 0, 0), (0, 0, 250)
    write_video(tmp_path / "lying.mp4", [image] * 3, 10.0)
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
    turned = tmp_path / "turned.mp4"
    command = [*ffmpeg, "-display_rotation", str(degrees), "-i", str(tmp_path / "lying.mp4"), "-c", "copy", str(turned)]
    subprocess.run(command, check=True)
    shown = tmp_path / "shown.png"
    subprocess.run([*ffmpeg, "-i", str(turned), "-frames:v", "1", str(shown)], check=True)
    from PIL import Image

    expected = np.asarray(Image.open(shown).convert("RGB"))
    found = next(decode_clip(VideoClip(turned))).image()
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 4


def test_odd_sizes_and_large_frames(tmp_path):
    with av.open(str(tmp_path / "odd.mkv"), mode="w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 37, 51, "bgr0"
        frame = av.VideoFrame.from_ndarray(np.full((51, 37, 3), 100, dtype=np.uint8), format="rgb24")
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    frame = next(decode_clip(VideoClip(tmp_path / "odd.mkv")))
    assert frame.image().shape == (51, 37, 3)
    assert frame.image(max_side_px=20).shape == (20, 15, 3)
    np.testing.assert_allclose(frame.image(max_side_px=20).mean(), 100, atol=2)


def test_4k_is_reduced(tmp_path):
    write_video(tmp_path / "large.mp4", [np.full((2160, 3840, 3), 90, dtype=np.uint8)] * 2, 10.0)
    assert next(decode_clip(VideoClip(tmp_path / "large.mp4"))).image().shape == (1080, 1920, 3)


def test_files_that_are_no_video(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a video here"):
        next(decode_clip(VideoClip(tmp_path / "none.mp4")))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"this is no video" * 100)
    with pytest.raises(ValueError, match="expected a video, got a file that cannot be read"):
        next(decode_clip(VideoClip(broken)))
    sound = tmp_path / "sound.wav"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "sine=duration=0.2", str(sound)]
    subprocess.run(command, check=True)
    with pytest.raises(ValueError, match="expected a video stream, got only audio"):
        next(decode_clip(VideoClip(sound)))


def test_truncated_video_gives_what_is_there(tmp_path):
    """With the index at the file's front, frames behind the cut are lost and those before it come."""
    random = np.random.default_rng(0)
    write_video(tmp_path / "noise.mp4", random.integers(0, 256, (20, 64, 96, 3), dtype=np.uint8), 20.0)
    front = tmp_path / "front.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(tmp_path / "noise.mp4"), "-c", "copy"]
    subprocess.run([*command, "-movflags", "+faststart", str(front)], check=True)
    content = front.read_bytes()
    front.write_bytes(content[: len(content) * 3 // 4])
    ticks = [frame.tick for frame in decode_clip(VideoClip(front))]
    assert ticks == list(range(len(ticks))) and 10 < len(ticks) < 20


def test_empty_part_is_an_error(video):
    with pytest.raises(ValueError, match="no frame could be decoded"):
        list(decode_clip(VideoClip(video, start_s=5.0)))


@pytest.mark.parametrize(
    "settings", [{"start_s": -1.0}, {"start_s": 2.0, "end_s": 1.0}, {"frames_per_s": 0.0}, {"max_frames": 0}]
)
def test_senseless_clips_are_refused(settings):
    with pytest.raises(ValueError, match="expected"):
        VideoClip(Path("clip.mp4"), **settings)
