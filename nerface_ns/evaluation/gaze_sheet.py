"""All gazes of a frame on one picture: pitches from top to bottom, yaws from left to right."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from nerface_ns.evaluation.comparison_image import label_strip, write_png
from nerface_ns.evaluation.gaze_redirection import GazeTargets


class GazeSheets:
    """Writes the sheet of every n-th frame as soon as its last picture is there.

    Args:
        folder: Where sheets go.
        targets: What is asked for.
        every: Write each n-th frame's sheet.
    """

    def __init__(self, folder: Path, targets: GazeTargets, every: int = 1) -> None:
        self.folder, self.every = folder, every
        # Up is up.
        self.rows = [[(pitch, yaw) for yaw in sorted(targets.yaw_deg)] for pitch in sorted(targets.pitch_deg)[::-1]]
        self._pictures: dict[tuple[float, float], Tensor] = {}
        self._frame, self._count = "", -1

    def add(self, name: str, target: tuple[float, float], image: Tensor | None) -> None:
        """Take up a picture; None where a frame's eyes are shut."""
        if name != self._frame:
            self._frame, self._pictures, self._count = name, {}, self._count + 1
        if image is None or self._count % self.every:
            return
        self._pictures[target] = image
        if all(target in self._pictures for row in self.rows for target in row):
            write_png(self.folder / f"{Path(name).stem}_gaze.png", self._sheet())

    def _sheet(self) -> Tensor:
        rows = []
        for row in self.rows:
            cells = []
            for pitch, yaw in row:
                image = self._pictures[pitch, yaw]
                label = label_strip(image.shape[1], f"pitch {pitch:+.0f} yaw {yaw:+.0f}")
                cells.append(torch.cat([torch.from_numpy(label).to(image) / 255, image]))
            rows.append(torch.cat(cells, dim=1))
        return torch.cat(rows)
