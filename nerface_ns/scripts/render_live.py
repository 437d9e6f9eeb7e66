"""`nerface-render live`: a driver moves the avatar in the viewer, in near real time."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nerface_ns.tracks.live_link import LIVE_LINK_PORT
from nerface_ns.tracks.retargeting import RetargetingConfig

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm")
TRACK_SUFFIXES = (".json", ".csv")
CAMERA = re.compile(r"webcam(?::(\d+))?")


@dataclass
class LiveCommand:
    """Open the viewer on a trained avatar and let somebody drive it live.

    An iPhone's Live Link Face app sends ARKit coefficients over UDP; in a video or before a camera they are found by
    MediaPipe (pip install 'nerface-ns[track]'). They are carried over by names; press "My face is at rest" in the panel
    for a start from the driver's own neutral face.
    """

    load_config: Path
    """The config.yml of a run."""
    source: str = "udp"
    """"udp": packets of the Live Link Face app; "webcam" or "webcam:N": camera 0 or N of this machine; or a track
    (.json, .csv) or video file (.mp4, .mov, .mkv, .avi, .webm), which plays over and over."""
    landmarker: Path | None = None
    """For cameras and videos: MediaPipe's face landmarker bundle (.task); without it the cached one, fetched once."""
    udp_host: str = "127.0.0.1"
    """Address to hear packets at. A phone needs this machine's own address, or 0.0.0.0 for all of them; then anybody on
    that network may send."""
    udp_port: int = LIVE_LINK_PORT
    """Port to hear packets at, as set in the app."""
    viewer_host: str = "127.0.0.1"
    """Address of the viewer's page. 0.0.0.0 shows it to the network, and with it every file that this account can read:
    viser 0.2.7's web server does not stay in its folder."""
    viewer_port: int | None = None
    """Port of the viewer's page; the first free one from 7007 without it."""
    retargeting: RetargetingConfig = field(default_factory=RetargetingConfig)
    """How the driver's expression becomes the avatar's. Ranges are scaled only for a track, whose range is known."""


def live_source(command: LiveCommand) -> Any:
    """Return the source of live frames that a command names.

    Raises:
        FileNotFoundError: There is no such track, video or model.
        ValueError: There is no such source, or it needs what is not there.
    """
    from nerface_ns.tracks.track_file import read_track
    from nerface_ns.viewer.live_link_source import LiveLinkSource
    from nerface_ns.viewer.live_source import TrackSource

    suffix = Path(command.source).suffix.lower()
    if command.source == "udp":
        return LiveLinkSource(command.udp_host, command.udp_port)
    if suffix in TRACK_SUFFIXES:
        return TrackSource(read_track(Path(command.source)))
    camera = CAMERA.fullmatch(command.source)
    if camera is not None or suffix in VIDEO_SUFFIXES:
        return _seen_source(command, None if camera is None else int(camera[1] or 0))
    raise ValueError(
        f"--source: expected udp, webcam, webcam:N, a track file ending in .json or .csv, or a video file ending in "
        f"{', '.join(VIDEO_SUFFIXES)}; got {command.source!r}"
    )


def _seen_source(command: LiveCommand, camera: int | None) -> Any:
    """The source that looks at a camera, or at the video that `--source` names without one."""
    from nerface_ns.tracking.face_finder import FaceFinder, load_mediapipe
    from nerface_ns.tracking.model_file import landmarker_file
    from nerface_ns.tracking.video_decoder import video_facts
    from nerface_ns.viewer.video_source import VideoSource, camera_images, file_images

    path = Path(command.source)
    if camera is None:
        video_facts(path)
    load_mediapipe()  # what is missing here is told before any model is fetched
    finder = FaceFinder(landmarker_file(command.landmarker))
    return VideoSource(lambda: file_images(path) if camera is None else camera_images(camera), finder, command.source)


def main(command: LiveCommand, wait: Callable[[float], None] = time.sleep) -> None:
    """Open the viewer and stay until interrupted.

    Args:
        command: What to open.
        wait: Waits so many seconds, over and over.
    """
    from nerfstudio.utils.rich_utils import CONSOLE

    from nerface_ns.evaluation.run_loader import load_run

    source = live_source(command)
    config, pipeline, _, step = load_run(command.load_config)
    panel = getattr(pipeline.model, "face_panel", None)
    if panel is None:
        raise ValueError(f"{command.load_config}: expected a run of this package's methods, got {config.method_name}")
    panel.live_source, panel.retargeting = source, command.retargeting
    viewer = open_viewer(config, pipeline, step, command.load_config.parent, command.viewer_host, command.viewer_port)
    CONSOLE.print(f"live: {source.report()}")
    if command.source == "udp" and not _is_local(command.udp_host):
        CONSOLE.print(f"[yellow]UDP {command.udp_host}:{command.udp_port} is open to the network[/yellow]")
    try:
        while True:
            wait(0.5)
    except KeyboardInterrupt:
        CONSOLE.print(f"live: {source.report()}")
    finally:
        source.stop()
        viewer.viser_server.stop()


def open_viewer(config: Any, pipeline: Any, step: int, folder: Path, host: str, port: int | None) -> Any:
    """Start nerfstudio's viewer as `ns-viewer` does, at a run folder that may have been moved.

    Args:
        config: The run's config.
        pipeline: The run.
        step: Step it was saved at.
        folder: The run's folder.
        host, port: Where the page is served; None takes a free port.

    Returns:
        nerfstudio's `Viewer`.
    """
    from threading import Lock

    from nerfstudio.configs.base_config import ViewerConfig
    from nerfstudio.utils import writer
    from nerfstudio.viewer.viewer import Viewer

    config.viewer = ViewerConfig(
        websocket_host=host, websocket_port=port, max_num_display_images=config.viewer.max_num_display_images
    )
    viewer = Viewer(
        config.viewer,
        log_filename=folder / config.viewer.relative_log_filename,
        datapath=pipeline.datamanager.get_datapath(),
        pipeline=pipeline,
        train_lock=Lock(),
    )
    config.logging.local_writer.enable = False  # nerfstudio's speed figures are wanted, its table is not
    writer.setup_local_writer(config.logging, max_iter=config.max_num_iterations, banner_messages=viewer.viewer_info)
    viewer.init_scene(
        train_dataset=pipeline.datamanager.train_dataset,
        train_state="completed",
        eval_dataset=pipeline.datamanager.eval_dataset,
    )
    viewer.update_scene(step=step)
    return viewer


def _is_local(host: str) -> bool:
    """Whether an address is heard from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
