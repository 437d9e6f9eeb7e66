"""nerfstudio's viewer on a ball, and how to end it."""

from __future__ import annotations

import faulthandler
import threading
import time
from typing import Any

import pytest
import torch
from blob_model import HEIGHT, NUM_FRAMES, WIDTH, make_cameras


class TinyDataset:
    """What nerfstudio's viewer asks of a training dataset."""

    def __init__(self, scene_box: Any) -> None:
        self.cameras = make_cameras(times=torch.linspace(0, 0.8, NUM_FRAMES)[:, None])
        self.scene_box = scene_box

    def __len__(self) -> int:
        return NUM_FRAMES

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"image": torch.full((HEIGHT, WIDTH, 3), 0.5)}


def leave_icons_out(patch: pytest.MonkeyPatch) -> None:
    """viser takes seconds for nerfstudio's icons."""
    for module in ("_gui_api", "_gui_handles"):
        patch.setattr(f"viser.{module}.svg_from_icon", lambda _: "")


def stop_rendering(viewer: Any) -> None:
    """Wait until browsers have gone and nothing is rendered for them; what runs on while Python ends would abort it."""
    deadline = time.monotonic() + 20
    while viewer.viser_server.get_clients():
        assert time.monotonic() < deadline, "a browser is still there"
        time.sleep(0.01)
    for thread in threading.enumerate():
        if type(thread).__name__ == "RenderStateMachine":
            thread.running = False
            thread.join(20)
            if thread.is_alive():
                faulthandler.dump_traceback()
                raise AssertionError("a render thread is stuck, see above")
