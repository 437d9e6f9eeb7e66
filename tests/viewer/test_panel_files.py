"""What the panel reads and writes: tracks, recordings, expressions, camera paths."""

import json
import time

import numpy as np
import pytest
from page_client import PageClient

from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.track_file import read_track, write_track
from nerface_ns.viewer.camera_path_track import TRACK_KEY


def upload(page: PageClient, name: str, content: bytes) -> None:
    """As the page does when a file is chosen."""
    button = page.widget("Load track")["id"]
    transfer = {"source_component_id": button, "transfer_uuid": name}
    start = {"filename": name, "mime_type": "application/json", "part_count": 1, "size_bytes": len(content)}
    page.send({"type": "FileTransferStart", **transfer, **start})
    time.sleep(0.1)
    page.send({"type": "FileTransferPart", **transfer, "part": 0, "content": content})


def status(panel) -> str:
    return panel._status.content


def test_a_loaded_track_drives(page, panel, tmp_path):
    track = ExpressionTrack(10.0, ("jaw_open", "MouthSmile_L"), np.array([[0.0, 0.0], [0.0, 0.0], [0.3, 0.2]]))
    write_track(tmp_path / "smile.json", track)
    upload(page, "smile.json", (tmp_path / "smile.json").read_bytes())
    page.wait_for(lambda: panel.driver.player.track.name == "smile.json")
    assert "Loaded smile.json: 3 frames" in status(panel) and "no counterpart" in status(panel)
    assert panel.driver.state.mode == "track"
    assert (tmp_path / "run" / "tracks" / "smile.json").is_file()
    page.use("Position", 1.0)
    page.wait_for(lambda: panel.driver.player.position_s > 0)
    expression = panel.driver.shown_expression
    assert expression[0] > panel.driver.player.track.expression[0, 0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad.json", b"{", "bad.json"),
        ("bad.txt", b"x", "expected a track file ending in .json or .csv"),
        ("../up.json", b"{}", "up.json"),
    ],
)
def test_a_bad_track_is_told(page, panel, tmp_path, name, content, message):
    upload(page, name, content)
    page.wait_for(lambda: "Error" in status(panel))
    assert message in status(panel) and "/tmp" not in status(panel)
    assert not list(tmp_path.rglob("*.json")) and panel.driver.player.track.name == "recording"


def test_save_expression(page, panel, tmp_path):
    page.use("jawOpen", 0.625)
    page.wait_for(lambda: panel.driver.state.mode == "expression sliders")
    page.use("Save expression", True)
    path = tmp_path / "run" / "expressions" / "expression_001.json"
    page.wait_for(path.is_file)
    track = read_track(path)
    assert track.names == ("jawOpen", "mouthSmileLeft", "browInnerUp")
    assert track.expression[0, 0] == pytest.approx(0.625)


def test_record_what_is_shown(page, panel, tmp_path):
    page.use("● Record", True)
    page.wait_for(lambda: panel._tracks.recorder.is_recording)
    page.use("jawOpen", 0.75)
    time.sleep(0.4)
    page.use("■ Stop recording", True)
    path = tmp_path / "run" / "tracks" / "recording_001.json"
    page.wait_for(path.is_file)
    track = read_track(path)
    assert 5 <= len(track) <= 60 and track.frames_per_s == 25
    assert track.expression[-1, 0] == pytest.approx(0.75)
    assert track.camera_to_world is not None and np.isfinite(track.camera_to_world).all()
    page.wait_for(lambda: "recording_001.json" in page.widget("Track")["options"])


def test_attach_to_a_camera_path(page, panel, tmp_path):
    page.use("Attach to camera path", True)
    page.wait_for(lambda: "found none" in status(panel))
    folder = tmp_path / "data" / "camera_paths"
    folder.mkdir(parents=True)
    (folder / "p.json").write_text(json.dumps({"camera_path": [{}, {}], "fps": 25}))
    page.use("Attach to camera path", True)
    page.wait_for(lambda: "now shows 'recording'" in status(panel))
    frames = json.loads((folder / "p.json").read_text())["camera_path"]
    assert [frame["render_time"] for frame in frames] == pytest.approx([0.0, 0.16])
    page.use("● Record", True)
    page.wait_for(lambda: panel._tracks.recorder.is_recording)
    time.sleep(0.1)
    page.use("■ Stop recording", True)
    page.wait_for(lambda: "recording_001.json" in page.widget("Track")["options"])
    page.use("Track", "recording_001.json")
    page.wait_for(lambda: panel.driver.player.track.name == "recording_001.json")
    page.use("Attach to camera path", True)
    page.wait_for(lambda: "now shows 'recording_001.json'" in status(panel))
    assert json.loads((folder / "p.json").read_text())[TRACK_KEY].endswith("tracks/recording_001.json")
