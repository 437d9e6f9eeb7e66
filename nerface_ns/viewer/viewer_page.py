"""What the panel needs of nerfstudio's page beyond what nerfstudio and viser offer, for the pinned 1.1.5."""

from __future__ import annotations

import threading
import time
import warnings
from types import SimpleNamespace
from typing import Any

import viser

NO_CLICK = -1
"""Index of the clicked training camera while none was clicked; nerfstudio starts at 0, which is a camera."""


def first_tab(gui: viser.GuiApi, label: str) -> viser.GuiTabHandle:
    """Add a tab before those of nerfstudio's tab group, so that the page opens on it.

    viser can only append tabs, and shows the first one.
    """
    children = gui._container_handle_from_id["root"]._children.values()
    group = next(child for child in children if isinstance(child, viser.GuiTabGroupHandle))
    tab = group.add_tab(label)  # viser takes 0.1 s for each icon
    for items in (group._labels, group._icons_html, group._tabs):
        _move_last_first(items)
    group._sync_with_client()
    return tab


def _move_last_first(items: list[Any]) -> None:
    items.insert(0, items.pop())


def warn_if_open(host: str) -> None:
    """Warn of a page that others can reach: `ns-viewer` listens everywhere unless told otherwise."""
    if host not in ("127.0.0.1", "localhost", "::1"):
        warnings.warn(
            f"viewer: listening on {host}. viser 0.2.7's web server gives any file that this account can read to "
            "whoever reaches its port; pass --viewer.websocket-host 127.0.0.1 unless all who can are trusted",
            stacklevel=2,
        )


class RenderThreads(dict[int, Any]):
    """nerfstudio's render threads by browser; one that has left has a thread that does nothing.

    Without it a browser that leaves while its camera moves raises a KeyError within viser's lock, which then stays
    locked, and no browser hears of anything any more.
    """

    def __missing__(self, client_id: int) -> Any:
        return SimpleNamespace(action=lambda _: None)


def survive_leaving_browsers(viewer: Any) -> None:
    """Let browsers leave at any time."""
    viewer.render_statemachines = RenderThreads(viewer.render_statemachines)


def time_slider(viewer: Any) -> Any:
    """Return the widget of nerfstudio's time slider."""
    return viewer.control_panel._time.gui_handle


def hide_training_cameras(viewer: Any) -> None:
    """Press "Hide Train Cams" as soon as they are drawn: they stand where the page opens, pictures before it."""

    def hide() -> None:
        """Wait for the cameras, then hide them."""
        while not hasattr(viewer, "train_state"):  # the last thing nerfstudio sets when it draws the scene
            time.sleep(0.05)
        viewer.set_camera_visibility(False)
        viewer.toggle_cameravis_button()

    threading.Thread(target=hide, daemon=True).start()


def request_pictures(viewer: Any) -> None:
    """Ask for a new picture in every browser, at once and coarse, then finer."""
    from nerfstudio.viewer.render_state_machine import RenderAction

    if not viewer.ready:
        return
    for client_id, client in viewer.viser_server.get_clients().items():
        machine = viewer.render_statemachines.get(client_id)
        if machine is not None:  # None while a browser is leaving
            machine.action(RenderAction("move", viewer.get_camera_state(client)))


def set_picture_rate(viewer: Any, pictures_per_s: float) -> None:
    """Aim at so many pictures a second while something moves; nerfstudio chooses their resolution for it."""
    for machine in list(viewer.render_statemachines.values()):
        machine.target_fps = pictures_per_s


def clicked_camera(viewer: Any, camera: Any) -> int:
    """Return the training camera that was clicked since the last call, or `NO_CLICK`."""
    clicked = int((camera.metadata or {}).get("cam_idx", NO_CLICK))
    viewer.current_camera_idx = NO_CLICK
    return clicked
