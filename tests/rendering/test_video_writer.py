import subprocess
import wave

import imageio.v3
import imageio_ffmpeg
import numpy as np
import pytest

from nerface_ns.rendering.video_writer import Sound, VideoWriter, has_sound


def gradient_frame(height, width, level):
    frame = np.zeros((height, width, 3), dtype=np.uint8)
    frame[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    frame[..., 1] = level
    return frame


def test_video_reads_back_as_written(tmp_path):
    """Every frame comes back in order and close to what was written, at the rate asked for."""
    frames = [gradient_frame(64, 96, level) for level in (20, 120, 220)]
    with VideoWriter(tmp_path / "sub" / "clip.mp4", frames_per_s=10.0) as video:
        for frame in frames:
            video.append(frame)
    read = imageio.v3.imread(tmp_path / "sub" / "clip.mp4", plugin="FFMPEG")
    assert read.shape == (3, 64, 96, 3)
    assert np.abs(read.astype(int) - np.stack(frames)).mean() < 4
    meta = imageio.v3.immeta(tmp_path / "sub" / "clip.mp4", plugin="FFMPEG")
    assert meta["fps"] == 10
    assert meta["codec"].startswith("h264")
    assert meta["pix_fmt"].startswith("yuv420p")


def test_odd_sizes_grow_by_one(tmp_path):
    """4:2:0 needs even sizes: the last row and column are repeated, nothing is rescaled."""
    with VideoWriter(tmp_path / "clip.mp4") as video:
        video.append(gradient_frame(33, 49, 100))
    assert imageio.v3.imread(tmp_path / "clip.mp4", plugin="FFMPEG").shape == (1, 34, 50, 3)


def write(path, frames):
    with VideoWriter(path) as video:
        for frame in frames:
            video.append(frame)


def test_frame_of_another_size_is_refused(tmp_path):
    """The error names the file, the frame and both sizes; neither a broken video nor a partial one is left."""
    frames = [gradient_frame(32, 32, 0), gradient_frame(32, 34, 0)]
    with pytest.raises(ValueError, match=r"clip.mp4: frame 1 is \(32, 34, 3\), the first was \(32, 32, 3\)"):
        write(tmp_path / "clip.mp4", frames)
    assert list(tmp_path.iterdir()) == []


def test_video_without_frames_is_refused(tmp_path):
    """An empty video is an error, not an empty file."""
    with pytest.raises(ValueError, match="no frames came"):
        write(tmp_path / "clip.mp4", [])


def test_other_containers_are_refused(tmp_path):
    """The name must end in .mp4 or .webm."""
    with pytest.raises(ValueError, match=r"clip.gif: expected a file name that ends in .mp4 or .webm"):
        VideoWriter(tmp_path / "clip.gif")


def test_alpha_needs_a_webm(tmp_path):
    """H.264 would drop it."""
    with pytest.raises(ValueError, match=r"clip.mp4: expected frames of \(3,\) channels"):
        write(tmp_path / "clip.mp4", [np.zeros((16, 16, 4), dtype=np.uint8)])
    assert list(tmp_path.iterdir()) == []


def ffmpeg(*arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_webm_keeps_alpha(tmp_path):
    """A half transparent left side and an opaque right one come back; ffmpeg's own decoder would ignore alpha."""
    frame = np.full((32, 48, 4), 200, dtype=np.uint8)
    frame[:, :24, 3], frame[:, 24:, 3] = 128, 255
    write(tmp_path / "clip.webm", [frame, frame])
    raw = ffmpeg("-c:v", "libvpx-vp9", "-i", tmp_path / "clip.webm", "-f", "rawvideo", "-pix_fmt", "rgba", "-")
    read = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 32, 48, 4).astype(int)
    assert len(read) == 2
    assert np.abs(read[:, :, 2:22, 3] - 128).max() <= 6 and np.abs(read[:, :, 26:46, 3] - 255).max() <= 6


def test_lower_factor_is_better_and_larger(tmp_path):
    """The quality asked for reaches the encoder."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for factor in (5, 45):
        with VideoWriter(tmp_path / f"{factor}.mp4", constant_rate_factor=factor) as video:
            video.append(noise)
    assert (tmp_path / "5.mp4").stat().st_size > 2 * (tmp_path / "45.mp4").stat().st_size


@pytest.fixture
def tone(tmp_path):
    """Two seconds of sound: silence, then after one second a tone."""
    rate = 8000
    time_s = np.arange(2 * rate) / rate
    samples = (time_s >= 1) * np.sin(2 * np.pi * 440 * time_s) * 20000
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def loudness(path, rate=8000):
    """Mean absolute sample of each tenth of a second."""
    raw = ffmpeg("-i", path, "-f", "s16le", "-ac", 1, "-ar", rate, "-")
    samples = np.abs(np.frombuffer(raw, dtype="<i2").astype(float))
    return samples[: len(samples) // 800 * 800].reshape(-1, 800).mean(axis=1)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_sound_starts_where_it_is_told_and_lasts_as_long_as_the_video(tmp_path, tone, suffix):
    """From 0.5 s on: half a second of silence, then the tone, then silence again, for all of two seconds of video."""
    path = tmp_path / f"clip{suffix}"
    with VideoWriter(path, frames_per_s=10.0, sound=Sound(tone, start_s=0.5)) as video:
        for level in range(20):
            video.append(gradient_frame(32, 32, level))
    assert has_sound(path)
    heard = loudness(path)
    assert abs(len(heard) - 20) <= 1
    assert heard[:4].max() < 500 and heard[6:14].min() > 5000 and heard[17:].max() < 500


def test_sound_is_told_from_silence(tmp_path):
    """A video without an audio stream has none."""
    write(tmp_path / "clip.mp4", [gradient_frame(16, 16, 0)])
    assert not has_sound(tmp_path / "clip.mp4")
