import numpy as np
import pytest
from PIL import Image

from nerface_ns.rendering.driver_pictures import DriverPictures, driver_sound, has_pictures
from nerface_ns.rendering.video_writer import VideoWriter
from nerface_ns.tracks.expression_track import ExpressionTrack


def make_track(count, frames_per_s=10.0, **options):
    return ExpressionTrack(frames_per_s, (), np.zeros((count, 1)), source="driver.json", **options)


def plain(level):
    return np.full((16, 20, 3), level, dtype=np.uint8)


def test_files_follow_the_tracks_time(tmp_path):
    """At half the track's rate every second picture is shown; after the end the last one stays."""
    files = tuple(tmp_path / f"{index}.png" for index in range(4))
    for index, file in enumerate(files):
        Image.fromarray(plain(50 * index)).save(file)
    pictures = DriverPictures(make_track(4, frame_files=files), frames_per_s=5.0)
    assert [int(pictures(index)[0, 0, 0]) for index in range(4)] == [0, 100, 150, 150]


def test_video_follows_the_tracks_time(tmp_path):
    """From 0.2 s on, at half its rate: frames 2, 4, 6 of ten a second; after its end the last one stays."""
    with VideoWriter(tmp_path / "driver.mp4", frames_per_s=10.0, constant_rate_factor=4) as video:
        for level in range(8):
            video.append(plain(30 * level))
    track = make_track(6, video=tmp_path / "driver.mp4", video_start_s=0.2)
    pictures = DriverPictures(track, frames_per_s=5.0)
    shown = [int(pictures(index).mean()) for index in range(5)]
    np.testing.assert_allclose(shown, [60, 120, 180, 180, 180], atol=5)


@pytest.mark.parametrize("options", [{"frame_files": ("gone.png",) * 2}, {"video": "gone.mp4"}])
def test_missing_picture_is_named(tmp_path, options):
    """The error names the track, the file, and the way to do without."""
    paths = {
        name: tuple(tmp_path / file for file in value) if isinstance(value, tuple) else tmp_path / value
        for name, value in options.items()
    }
    track = make_track(2, **paths)
    with pytest.raises(FileNotFoundError, match=r"driver.json: names .*gone.* not there; --no-side-by-side"):
        DriverPictures(track, 10.0)


def test_track_without_pictures():
    """There is nothing to show or to hear."""
    assert not has_pictures(make_track(2)) and driver_sound(make_track(2)) is None


def test_silent_video_has_no_sound(tmp_path):
    """Only a video with an audio stream is heard."""
    with VideoWriter(tmp_path / "driver.mp4") as video:
        video.append(plain(3))
    assert driver_sound(make_track(2, video=tmp_path / "driver.mp4")) is None
