"""Plays the recording or a loaded track, and records what is shown."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, Optional

import numpy as np
import viser

from nerface_ns.tracks.retargeting import RetargetingConfig, RetargetingTarget, retarget
from nerface_ns.tracks.track_file import read_track, write_track
from nerface_ns.viewer.camera_path_track import attach_recording, attach_track, newest_camera_path
from nerface_ns.viewer.expression_recorder import ExpressionRecorder, free_path
from nerface_ns.viewer.panel_context import PanelContext, show_value
from nerface_ns.viewer.track_player import PlayedTrack

SLOWEST, FASTEST = 0.1, 4.0
"""Speeds of the player, seconds of the track per second."""


class TrackControls:
    """A tape deck for tracks.

    Args:
        context: The panel.
        target: The avatar, for tracks of other people.
        data_folder: Where nerfstudio's render panel saves camera paths.
    """

    def __init__(self, context: PanelContext, target: RetargetingTarget, data_folder: Path) -> None:
        self._context, self._target, self._data_folder = context, target, data_folder
        self._player = context.driver.player
        self._tracks: dict[str, PlayedTrack] = {self._player.track.name: self._player.track}
        self._files: dict[str, Path] = {}
        self.recorder = ExpressionRecorder(context.names)
        self.recording_client: Optional[Any] = None
        """The browser whose camera is recorded."""
        self._add_deck()
        self._add_files()

    def _add_deck(self) -> None:
        gui, used = self._context.gui, self._context.when_used
        self._track = gui.add_dropdown("Track", options=tuple(self._tracks), initial_value=self._player.track.name)
        self._play = gui.add_button("\u25b6 Play")
        self._pause = gui.add_button("\u23f8 Pause", visible=False)
        self._position = gui.add_slider("Position", min=0.0, max=1.0, step=0.001, initial_value=0.0, marks=())
        self._speed = gui.add_slider("Speed", min=SLOWEST, max=FASTEST, step=0.1, initial_value=1.0, marks=())
        used(self._track, lambda _: self._choose())
        used(self._play, lambda _: self._start())
        used(self._pause, lambda _: self._player.pause())
        used(self._position, lambda _: self._seek())
        used(self._speed, lambda _: setattr(self._player, "speed", float(self._speed.value)))

    def _add_files(self) -> None:
        gui, used = self._context.gui, self._context.when_used
        self._upload = gui.add_upload_button(
            "Load track", mime_type=".json,.csv", hint="A track file, or Live Link Face's CSV"
        )
        self._record = gui.add_button("\u25cf Record", hint="Writes down what is shown")
        self._stop = gui.add_button("\u25a0 Stop recording", visible=False)
        self._attach = gui.add_button(
            "Attach to camera path",
            hint="Shows this track along the camera path that was saved last in the Render tab",
        )
        used(self._upload, lambda _: self._load(self._upload.value))
        used(self._record, self._start_recording)
        used(self._stop, lambda _: self._stop_recording())
        used(self._attach, lambda _: self._attach_track())

    def _choose(self) -> None:
        self._player.load(self._tracks[self._track.value])
        self._context.driver.change(mode="track")

    def _start(self) -> None:
        self._player.play()
        self._context.driver.change(mode="track")

    def _seek(self) -> None:
        self._player.seek(float(self._position.value) * self._player.track.duration_s)
        self._context.driver.change(mode="track")

    def _load(self, uploaded: Any) -> None:
        name = Path(uploaded.name).name
        with tempfile.TemporaryDirectory() as folder:
            received = Path(folder) / name
            received.write_bytes(uploaded.content)
            try:
                loaded = self._retarget(received, name)
            except ValueError as error:
                raise ValueError(str(error).replace(str(received), name)) from error
            kept = self._context.folder / "tracks" / name
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(uploaded.content)
        self._insert(loaded, kept)

    def _retarget(self, path: Path, name: str) -> PlayedTrack:
        track = read_track(path)
        result = retarget(track, self._target, RetargetingConfig())
        words = [f"Loaded {name}: {len(track)} frames, {track.duration_s:.1f} s.", *result.warnings]
        self._context.tell(" ".join(words))
        return PlayedTrack(name, np.arange(len(track)) / track.frames_per_s, result.expression, track.gaze)

    def _insert(self, track: PlayedTrack, path: Path) -> None:
        self._tracks[track.name], self._files[track.name] = track, path
        self._track.options = tuple(self._tracks)
        self._player.load(track)
        self._context.driver.change(mode="track")

    def _start_recording(self, event: viser.GuiEvent) -> None:
        self.recording_client = event.client
        self.recorder.start(time.monotonic())

    def _stop_recording(self) -> None:
        track = self.recorder.stop()
        path = free_path(self._context.folder / "tracks", "recording")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_track(path, track)
        times_s = np.arange(len(track)) / track.frames_per_s
        played = PlayedTrack(path.name, times_s, track.expression, track.gaze)
        self._tracks[path.name], self._files[path.name] = played, path
        self._track.options = tuple(self._tracks)
        self._context.tell(f"Saved {path}: {len(track)} frames")

    def _attach_track(self) -> None:
        camera_path, name = newest_camera_path(self._data_folder), self._player.track.name
        if name in self._files:
            attach_track(camera_path, self._files[name])
            command = f"nerface-render path --camera-path {camera_path} ..."
        else:
            attach_recording(camera_path, *self._context.driver.recording_span)
            command = f"ns-render camera-path --camera-path-filename {camera_path} ..."
        self._context.tell(f"{camera_path.name} now shows '{name}': `{command}`")

    def refresh(self) -> None:
        """Let the widgets follow the player."""
        player = self._player
        self._play.visible, self._pause.visible = not player.is_playing, player.is_playing
        self._record.visible, self._stop.visible = not self.recorder.is_recording, self.recorder.is_recording
        show_value(self._track, player.track.name)
        show_value(self._speed, player.speed, tolerance=0.05)
        duration_s = player.track.duration_s
        position = player.position_s / duration_s if duration_s > 0 else 0.0
        show_value(self._position, min(position, 1.0), tolerance=0.0005)
