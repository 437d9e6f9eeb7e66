"""`nerface-render live` from its start to its end."""

import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from live_link_packets import packet
from nerfstudio.configs.base_config import LoggingConfig, ViewerConfig
from page_client import PageClient
from tiny_viewer import TinyDataset, leave_icons_out, stop_rendering

from nerface_ns.scripts import render_live
from nerface_ns.scripts.render_live import LiveCommand


@pytest.fixture
def run(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config.yml of a run of the ball, in a folder that its config does not know."""
    dataset = TinyDataset(model.scene_box)
    datamanager = SimpleNamespace(
        includes_time=True, train_dataset=dataset, eval_dataset=dataset, get_datapath=lambda: tmp_path / "data"
    )
    config = SimpleNamespace(
        viewer=ViewerConfig(max_num_display_images=2),
        logging=LoggingConfig(),
        max_num_iterations=1,
        method_name="nerface",
    )
    loaded = (config, SimpleNamespace(model=model, datamanager=datamanager), Path("step-0.ckpt"), 0)
    monkeypatch.setattr("nerface_ns.evaluation.run_loader.load_run", lambda _: loaded)
    leave_icons_out(monkeypatch)
    return tmp_path / "moved" / "config.yml"


def test_packets_drive_until_interrupted(run, model, capsys):
    command = LiveCommand(load_config=run, udp_port=0, viewer_port=17407)
    seen: dict[str, Any] = {}

    def visit() -> None:
        panel = model.face_panel
        panel.viewer.control_panel._max_res.value = 64
        with PageClient(panel.viser_server.get_port()) as page:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(packet(jawOpen=0.25), panel.live_source.address)
                sender.sendto(b"\xff\x00", panel.live_source.address)
            page.wait_for(lambda: panel.driver.live_expression is not None)
            page.wait_for(lambda: page.pictures)
            seen["mode"], seen["host"] = page.widget("Driven by")["value"], panel.viser_server.get_host()
        stop_rendering(panel.viewer)

    visitor = threading.Thread(target=visit)

    def wait(seconds: float) -> None:
        if not seen and not visitor.is_alive():
            visitor.start()
        visitor.join(20)
        raise KeyboardInterrupt

    render_live.main(command, wait)
    assert seen == {"mode": "live", "host": "127.0.0.1"}
    assert "1 packets, 0 lost, 0 late, 1 unusable" in capsys.readouterr().out.replace("\n", " ")


def test_an_open_port_is_told(run, model, capsys):
    def wait(seconds: float) -> None:
        raise KeyboardInterrupt

    render_live.main(LiveCommand(load_config=run, udp_host="0.0.0.0", udp_port=0, viewer_port=17507), wait)
    assert "is open to the network" in capsys.readouterr().out.replace("\n", " ")


def test_a_port_that_is_taken_is_an_error(run):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=rf"UDP 127.0.0.1:{port}: cannot listen there"):
            render_live.main(LiveCommand(load_config=run, udp_port=port, viewer_port=17607))
