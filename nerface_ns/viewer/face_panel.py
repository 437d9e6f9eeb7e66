"""The panel with which nerfstudio's viewer drives a face: a tab of its own, the first one.

nerfstudio finds it as a public attribute of the model (a `ViewerControl`) and calls `_setup` once the viewer stands, in
`ns-viewer` as in `ns-train`. Until then it is an empty object: no module, without tensors, no part of checkpoints, and
asked nothing in training.
"""

from __future__ import annotations

import time
from typing import Any, Optional, get_args

import numpy as np
import viser
from nerfstudio.viewer.viewer_elements import ViewerControl

from nerface_ns.conditioning.face_condition import DrivenFrame
from nerface_ns.tracks.name_matching import are_placeholders
from nerface_ns.tracks.retargeting import RetargetingConfig, RetargetingTarget
from nerface_ns.viewer.expression_controls import ExpressionControls
from nerface_ns.viewer.face_driver import DrivableFace, DriveMode, FaceDriver
from nerface_ns.viewer.frame_controls import FrameControls
from nerface_ns.viewer.gaze_controls import GazeControls
from nerface_ns.viewer.identity_controls import IdentityControls
from nerface_ns.viewer.live_controls import LiveControls
from nerface_ns.viewer.live_drive import LiveDrive
from nerface_ns.viewer.live_source import LiveSource
from nerface_ns.viewer.look_controls import LookControls
from nerface_ns.viewer.opening_view import opening_view, training_view
from nerface_ns.viewer.panel_context import PanelContext, PanelSection, show_value
from nerface_ns.viewer.slider_specs import slider_specs
from nerface_ns.viewer.state_controls import StateControls
from nerface_ns.viewer.ticker import Ticker
from nerface_ns.viewer.track_controls import TrackControls
from nerface_ns.viewer.view_controls import ViewControls
from nerface_ns.viewer.viewer_page import (
    NO_CLICK,
    clicked_camera,
    first_tab,
    hide_training_cameras,
    request_pictures,
    set_picture_rate,
    survive_leaving_browsers,
    time_slider,
    warn_if_open,
)

TICKS_PER_S = 30.0
"""Most pictures asked for in a second while something moves by itself."""
TICKS_PER_REFRESH = 8
"""Ticks between two updates of the widgets meanwhile."""
RATE_ON_CUDA, RATE_ELSEWHERE = 30, 8
"""Pictures a second that are aimed at while something moves; nerfstudio's 30 are hardly recognisable on a CPU."""
SOFT_MARGIN = 0.1
"""Reach of the sliders beyond the trained range, as a share of it, where the model does not clamp."""


class FacePanel(ViewerControl):
    """Sliders, frames, tracks and looks of one face.

    Args:
        model: The avatar.
    """

    driver: FaceDriver

    def __init__(self, model: DrivableFace) -> None:
        self._model = model
        self.live_source: Optional[LiveSource] = None
        """Drives the face from the start, if it is set before the viewer stands."""
        self.retargeting = RetargetingConfig()
        """How a live source is carried over."""
        self._live: Optional[LiveDrive] = None
        self._sections: list[PanelSection] = []

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle as an empty panel: a viewer's threads and sockets go nowhere."""
        return vars(FacePanel(self._model))

    def _setup(self, viewer: Any) -> None:
        """Build the panel; nerfstudio calls this."""
        from nerfstudio.viewer.viewer import VISER_NERFSTUDIO_SCALE_RATIO

        super()._setup(viewer)
        self._scale = VISER_NERFSTUDIO_SCALE_RATIO
        self.driver = FaceDriver(self._model)
        dataset = viewer.pipeline.datamanager.train_dataset
        self._cameras = dataset.cameras
        self._center = dataset.scene_box.aabb.mean(dim=0).cpu().double().numpy()
        self._opening_view = opening_view(self._cameras, self._center)
        self._num_ticks, self._has_stale_widgets = 0, False
        self._ticker = Ticker(TICKS_PER_S, self._is_moving, self._tick)
        with first_tab(self.viser_server.gui, "Face"):
            self._build()
        viewer.current_camera_idx = NO_CLICK
        self._model.frame_driver = self.drive
        warn_if_open(viewer.config.websocket_host)
        survive_leaving_browsers(viewer)
        hide_training_cameras(viewer)
        self.viser_server.on_client_connect(self._greet)
        if self._live is not None:
            self._live.start()
            self.driver.change(mode="live")
            self.refresh()

    def _build(self) -> None:
        """Make the widgets of the tab."""
        gui, model, train = self.viser_server.gui, self._model, self.driver.train_expression
        names = () if are_placeholders(model.expression_names) else tuple(model.expression_names)
        target = RetargetingTarget(names=names, train_expression=train, neutral=None)
        folder = self.viewer.log_filename.parent
        context = PanelContext(gui, self.driver, names, folder, self.refresh, self.rerender, self._tell)
        self._add_head(context, target)
        margin = model.expression_encoding.config.clamp_margin
        specs = slider_specs(model.expression_names, train, SOFT_MARGIN if margin < 0 else margin)
        tabs = gui.add_tab_group()
        with tabs.add_tab("Sliders"):
            if self.driver.gaze is not None:
                self._sections.append(GazeControls(context, self.driver.gaze))
            self._sections.append(ExpressionControls(context, specs, train.shape[1]))
        with tabs.add_tab("Frames"):
            self._sections.append(FrameControls(context, len(train), self._show_training_camera))
            self._states = StateControls(
                context, model, self._center, lambda client, view: view.show(client, self._scale)
            )
        with tabs.add_tab("Track"):
            self._tracks = TrackControls(context, target, self.viewer.datapath)
            self._sections.append(self._tracks)
        with tabs.add_tab("Look"):
            self._sections.append(LookControls(context, model.latent_codes.codes.shape[1], model.unseen_code[0]))
            self._rate = RATE_ON_CUDA if model.track.expression.is_cuda else RATE_ELSEWHERE
            ViewControls(context, self._rate, self._greet, self._set_rate, model.foveation)

    def _add_head(self, context: PanelContext, target: RetargetingTarget) -> None:
        """Make what stands above the inner tabs."""
        gui = context.gui
        self._status = gui.add_markdown("", visible=False)
        modes = tuple(mode for mode in get_args(DriveMode) if mode != "live" or self.live_source is not None)
        self._mode = gui.add_dropdown(
            "Driven by",
            options=modes,
            initial_value=self.driver.state.mode,
            hint="Whatever was used last drives. The time slider, in the Control tab, follows the recording.",
        )
        self._faces: Any = gui.add_button_group("Set to", ("Neutral", "Random"))
        context.when_used(self._mode, lambda _: self.driver.change(mode=self._mode.value))
        context.when_used(self._faces, self._set_face)
        slider = time_slider(self.viewer)
        context.when_used(slider, lambda _: self.driver.follow_time(float(slider.value)))
        if self._model.identities is not None:
            self._sections.append(IdentityControls(context, self._model.identities.names))
        if self.live_source is not None:
            self._live = LiveDrive(self.driver, self.live_source, target, self.retargeting)
            self._sections.append(LiveControls(context, self._live))

    def drive(self, camera: Any) -> DrivenFrame:
        """Say what a camera of the viewer shows; a click on a training camera loads its frame first."""
        clicked = clicked_camera(self.viewer, camera)
        if clicked > NO_CLICK:
            self.driver.load_frame(clicked, clicked)
            # nerfstudio may break off the render thread at any line; widgets' locks are not for it.
            self._has_stale_widgets = True
            self._ticker.wake()
        return self.driver(camera)

    def refresh(self) -> None:
        """Let all widgets follow the driver."""
        show_value(self._mode, self.driver.state.mode)
        for section in self._sections:
            section.refresh()
        self._ticker.wake()

    def rerender(self) -> None:
        """Ask for a new picture in every browser."""
        request_pictures(self.viewer)

    def _tell(self, text: str) -> None:
        self._status.visible = True
        self._status.content = text

    def _set_face(self, _: viser.GuiEvent) -> None:
        chosen = self._faces.value
        self._faces.value = ""  # viser tells of a second click on the same button only if it is another value
        if chosen == "Neutral":
            self.driver.set_neutral()
        elif chosen == "Random":
            self.driver.set_random(np.random.default_rng())

    def _is_playing(self) -> bool:
        return self.driver.state.mode == "track" and self.driver.player.is_playing

    def _is_moving(self) -> bool:
        is_moving = self._is_playing() or self._tracks.recorder.is_recording or self.driver.state.mode == "live"
        return is_moving or self._has_stale_widgets

    def _tick(self) -> None:
        """Show what moved, record it, and let the widgets follow now and then."""
        has_news = self._live is not None and self._live.take_news()
        if self._is_playing() or (has_news and self.driver.state.mode == "live"):
            self.rerender()
        recorder, client = self._tracks.recorder, self._tracks.recording_client
        if recorder.is_recording and client is not None:
            pose = self.viewer.get_camera_state(client).c2w.double().numpy()
            recorder.sample(time.monotonic(), self.driver.shown_expression, pose, self.driver.shown_gaze)
        self._num_ticks += 1
        if self._has_stale_widgets or self._num_ticks % TICKS_PER_REFRESH == 0:
            self._has_stale_widgets = False
            self.refresh()

    def _set_rate(self, pictures_per_s: float) -> None:
        self._rate = pictures_per_s
        set_picture_rate(self.viewer, pictures_per_s)

    def _greet(self, client: Any) -> None:
        """Put a browser's camera before the face."""
        set_picture_rate(self.viewer, self._rate)
        self._opening_view.show(client, self._scale)

    def _show_training_camera(self, client: Any, frame: int) -> None:
        training_view(self._cameras, self._center, frame).show(client, self._scale)
