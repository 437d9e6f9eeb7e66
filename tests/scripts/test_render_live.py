import numpy as np
import pytest

from nerface_ns.scripts.render_live import LiveCommand, live_source
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.track_file import write_track
from nerface_ns.viewer.live_link_source import LiveLinkSource
from nerface_ns.viewer.live_source import TrackSource


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


@pytest.mark.parametrize("source", ["webcam", "video.mp4", "Clip.MOV"])
def test_sources_that_need_a_tracker_say_so(tmp_path, source):
    with pytest.raises(ValueError, match=rf"--source {source}: needs a face tracker, which this version"):
        live_source(command(tmp_path, source))


def test_a_track_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        live_source(command(tmp_path, str(tmp_path / "none.json")))


@pytest.mark.parametrize("source", ["upd", "track.txt", ""])
def test_an_unknown_source(tmp_path, source):
    with pytest.raises(ValueError, match=r"--source: expected udp or a track file ending in \.json or \.csv, got"):
        live_source(command(tmp_path, source))


def test_a_run_that_is_not_there(tmp_path):
    from nerface_ns.scripts.render_live import main

    with pytest.raises(FileNotFoundError, match=r"config\.yml: no such file; expected the config\.yml"):
        main(command(tmp_path))
