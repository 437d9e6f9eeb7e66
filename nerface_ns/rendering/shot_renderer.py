"""Renders shots and keeps what is finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from nerface_ns.rendering.backdrop import Backdrop
from nerface_ns.rendering.finished_frames import FinishedFrames, fingerprint
from nerface_ns.rendering.picture_layout import AnyPicture
from nerface_ns.rendering.render_plan import Shot
from nerface_ns.rendering.shard import Shard

CAMERA_TENSORS = ("camera_to_worlds", "fx", "fy", "cx", "cy", "width", "height", "camera_type", "times")


class ShotRenderer:
    """Renders each distinct shot once.

    Args:
        model: A trained `FaceModel`.
        run_key: Fingerprint of the run, such as its checkpoint's.
        backdrop: What stands behind the head.
        finished: Where rendered frames are kept.
    """

    def __init__(self, model: Any, run_key: str, backdrop: Backdrop, finished: FinishedFrames) -> None:
        self.model = model
        self.run_key = run_key
        self.backdrop = backdrop
        self.finished = finished

    def key(self, shot: Shot) -> str:
        """Return a fingerprint of all that a shot's picture depends on."""
        camera = {name: getattr(shot.camera, name) for name in CAMERA_TENSORS}
        crop = None if shot.crop is None else (shot.crop.R, shot.crop.T, shot.crop.S)
        conditions = shot.camera.metadata or {}
        return fingerprint(self.run_key, self.backdrop, camera, conditions, *(crop or ()))

    def missing(self, shots: Sequence[Shot], shard: Shard | None = None) -> tuple[dict[str, Shot], int]:
        """Return the shots that are not finished, each distinct one once, by key; and how many are.

        Args:
            shots: All of the render.
            shard: The part to look at; all without it.
        """
        keyed: dict[str, Shot] = {}
        for shot in shots:
            keyed.setdefault(self.key(shot), shot)
        if shard is not None:
            keyed = {key: shot for number, (key, shot) in enumerate(keyed.items()) if shard.takes(number)}
        missing = {key: shot for key, shot in keyed.items() if key not in self.finished}
        return missing, len(keyed) - len(missing)

    def render(self, missing: dict[str, Shot], frame_done: Callable[[], None] | None = None) -> None:
        """Render shots and keep them.

        Args:
            missing: Shots by key.
            frame_done: Called after each.

        Raises:
            ValueError: A picture holds numbers that are not finite.
        """
        self.model.eval()
        for key, shot in missing.items():
            with torch.random.fork_rng(devices=[self.model.device] if self.model.device.type == "cuda" else []):
                # A model that draws at random shows the same, whatever was rendered before and in which process.
                torch.manual_seed(int(key[:15], 16))
                picture = self._picture(shot)
            self.finished.write(key, picture)
            if frame_done is not None:
                frame_done()

    def read(self, shots: Sequence[Shot]) -> Iterator[AnyPicture]:
        """Yield the finished pictures of shots."""
        for shot in shots:
            yield self.finished.read(self.key(shot))

    @torch.no_grad()
    def _picture(self, shot: Shot) -> AnyPicture:
        camera = shot.camera.to(self.model.device)
        outputs = self.model.get_outputs_for_camera(camera, obb_box=shot.crop)
        if not all(torch.isfinite(outputs[name]).all() for name in ("rgb", "foreground", "accumulation")):
            raise ValueError(f"frame {shot.label or shot.camera.camera_to_worlds.tolist()}: rendered NaN or infinity")
        return self.backdrop.picture(self.model, outputs)
