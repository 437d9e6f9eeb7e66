import imageio.v3
import numpy as np
import pytest

from nerface_ns.rendering.video_writer import VideoWriter


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
    """The name must end in .mp4."""
    with pytest.raises(ValueError, match=r"clip.gif: expected a file name that ends in .mp4"):
        VideoWriter(tmp_path / "clip.gif")
