import sys

import numpy as np
import pytest

from nerface_ns.scripts.render_live import LiveCommand, live_source
from nerface_ns.tracking.preview_video import write_video
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.track_file import write_track
from nerface_ns.viewer.live_link_source import LiveLinkSource
from nerface_ns.viewer.live_source import TrackSource
from nerface_ns.viewer.video_source import VideoSource


def command(tmp_path, source="udp", **options) -> LiveCommand:
    return LiveCommand(load_config=tmp_path / "config.yml", source=source, **options)


def test_udp_listens_on_this_machine_at_the_apps_port(tmp_path):
    source = live_source(command(tmp_path))
    assert isinstance(source, LiveLinkSource) and source.address == ("127.0.0.1", 11111)


def test_udp_listens_elsewhere_when_asked(tmp_path):
    assert live_source(command(tmp_path, udp_host="0.0.0.0", udp_port=5)).address == ("0.0.0.0", 5)


def test_a_track_plays(tmp_path):
    write_track(tmp_path / "t.csv", ExpressionTrack(25.0, ("a",), np.zeros((3, 1))))
    assert isinstance(live_source(command(tmp_path, str(tmp_path / "t.csv"))), TrackSource)


class NobodyFinder:
    names = ("jawOpen",)

    def __init__(self, model) -> None:
        self.model = model


@pytest.fixture
def video(tmp_path):
    write_video(tmp_path / "Clip.MOV", [np.zeros((32, 32, 3), dtype=np.uint8)] * 2, 25.0)
    return tmp_path / "Clip.MOV"


@pytest.mark.parametrize("source", ["webcam", "webcam:2", None])
def test_cameras_and_videos_are_looked_at(tmp_path, monkeypatch, video, source):
    monkeypatch.setattr("nerface_ns.tracking.face_finder.load_mediapipe", lambda: None)
    monkeypatch.setattr("nerface_ns.tracking.face_finder.FaceFinder", NobodyFinder)
    (tmp_path / "face.task").write_bytes(b"model")
    found = live_source(command(tmp_path, source or str(video), landmarker=tmp_path / "face.task"))
    assert isinstance(found, VideoSource)
    assert found.report() == f"{source or video}: 0 frames, 0 without a face"


@pytest.mark.parametrize("source", ["webcam", None])
def test_looking_needs_mediapipe(tmp_path, monkeypatch, video, source):
    """The missing package is told before a model is fetched."""
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(ValueError, match=r"needs MediaPipe .*pip install 'nerface-ns\[track\]'"):
        live_source(command(tmp_path, source or str(video)))


def test_a_video_that_is_not_there_or_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.mp4: expected a video here"):
        live_source(command(tmp_path, str(tmp_path / "none.mp4")))
    (tmp_path / "broken.webm").write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"broken\.webm: expected a video"):
        live_source(command(tmp_path, str(tmp_path / "broken.webm")))


def test_a_track_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        live_source(command(tmp_path, str(tmp_path / "none.json")))


@pytest.mark.parametrize("source", ["upd", "track.txt", "", "webcam:x"])
def test_an_unknown_source(tmp_path, source):
    with pytest.raises(ValueError, match=r"--source: expected udp, webcam, webcam:N, a track file ending in"):
        live_source(command(tmp_path, source))


def test_a_run_that_is_not_there(tmp_path):
    from nerface_ns.scripts.render_live import main

    with pytest.raises(FileNotFoundError, match=r"config\.yml: no such file; expected the config\.yml"):
        main(command(tmp_path))
