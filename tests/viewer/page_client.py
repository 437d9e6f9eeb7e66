"""A browser without a picture: speaks viser's messages over its websocket."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


class PageClient:
    """Connects, keeps what widgets the page has, and the pictures that come.

    Args:
        port: Of a viser server on this machine.
        aspect: Width over height of the window.
    """

    def __init__(self, port: int, aspect: float = 4 / 3) -> None:
        self.widgets: dict[str, dict[str, Any]] = {}
        self.camera: dict[str, Any] = {
            "wxyz": [1.0, 0.0, 0.0, 0.0],
            "position": [3.0, 3.0, 3.0],
            "fov": 1.3,
            "aspect": aspect,
            "look_at": [0.0, 0.0, 0.0],
            "up_direction": [0.0, 0.0, 1.0],
        }
        self.set_camera: dict[str, Any] = {}
        self.pictures: list[np.ndarray] = []
        self._socket = connect(f"ws://127.0.0.1:{port}", max_size=None)
        threading.Thread(target=self._listen, daemon=True).start()
        self.send({"type": "ViewerCameraMessage", **self.camera})

    def __enter__(self) -> PageClient:
        # viser forgets to let go of a browser that leaves before it was greeted.
        self.wait_for(lambda: len(self.set_camera) == 4)
        return self

    def __exit__(self, *_: Any) -> None:
        self._socket.close()

    def send(self, message: dict[str, Any]) -> None:
        self._socket.send(msgspec.msgpack.encode(message))

    def _listen(self) -> None:
        try:
            for window in self._socket:
                for message in msgspec.msgpack.decode(window):
                    self._take(message)
        except ConnectionClosed:
            pass

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind.startswith("GuiAdd"):
            self.widgets[message["id"]] = message
        elif kind == "GuiUpdateMessage" and message["id"] in self.widgets:
            self.widgets[message["id"]].update(message["updates"])
        elif kind.startswith("SetCamera"):
            name = kind.removeprefix("SetCamera").removesuffix("Message")
            self.set_camera[name] = message.get("position", message.get("look_at", message.get("fov")))
        elif kind == "BackgroundImageMessage":
            self.pictures.append(np.array(Image.open(io.BytesIO(message["rgb_bytes"]))))

    def wait_for(self, is_there: Callable[[], Any], seconds: float = 20.0) -> Any:
        """Wait until something is there, and return it."""
        deadline = time.monotonic() + seconds
        while not (found := is_there()):
            assert time.monotonic() < deadline, "nothing came"
            time.sleep(0.01)
        return found

    def widget(self, label: str) -> dict[str, Any]:
        """The widget with a label; spaces of no width in it do not count."""

        def find() -> dict[str, Any] | None:
            for widget in list(self.widgets.values()):
                if widget.get("label", "").replace("\u200b", "") == label:
                    return widget
            return None

        return self.wait_for(find)

    def use(self, label: str, value: Any) -> None:
        """Set a widget as somebody before the page does."""
        widget = self.widget(label)
        widget["value"] = value
        self.send({"type": "GuiUpdateMessage", "id": widget["id"], "updates": {"value": value}})

    def next_picture(self, is_it: Callable[[np.ndarray], bool]) -> np.ndarray:
        """Wait for a picture that is what is looked for."""
        return self.wait_for(lambda: next((p for p in reversed(self.pictures) if is_it(p)), None) is not None) and next(
            p for p in reversed(self.pictures) if is_it(p)
        )
