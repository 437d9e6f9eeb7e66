"""Where the regions of a split's frames are: in boxes, in parsing maps, in mattes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from nerface_ns.data.frame_store import FrameStore
from nerface_ns.data.pixel_boxes import box_area, face_box_to_pixels, pick, pixel_in_box, pixels_in_box
from nerface_ns.data.region_labels import RegionLabels

FACE, HEAD, BACKGROUND = "face", "head", "background"
"""Names of the face box, and of what a matte covers by half or more, and of the rest."""
COVERED = 128
"""Value of a matte, of 255, from which on a pixel belongs to the head."""


class FrameRegions:
    """Answers where regions are. A box goes before a parsing, and a parsing before a matte.

    Args:
        boxes: y0, y1, x0, x1 in whole pixels by region, one box per frame.
        labels: Makes the frames' parsings, where the data have some.
        mattes: Makes the frames, whose fourth channel is the matte, where the data have some.
        height, width: Image size in pixels.
    """

    def __init__(
        self,
        boxes: Mapping[str, Int[np.ndarray, "frames 4"]],
        labels: Callable[[], RegionLabels] | None,
        mattes: Callable[[], FrameStore] | None,
        height: int,
        width: int,
    ) -> None:
        self.boxes, self._make_labels, self._make_mattes = dict(boxes), labels, mattes
        self.height, self.width = height, width

    @cached_property
    def labels(self) -> RegionLabels | None:
        """The parsings, read when first asked for."""
        return None if self._make_labels is None else self._make_labels()

    @cached_property
    def mattes(self) -> np.ndarray | None:
        """(frames, height, width) mattes, where there are some."""
        return None if self._make_mattes is None else self._make_mattes().frames[..., 3]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Regions that the data can tell, and some frame shows."""
        of_labels = () if self.labels is None else self.labels.present
        of_mattes = () if self.mattes is None else (HEAD, BACKGROUND)
        return tuple(dict.fromkeys((*self.boxes, *of_labels, *of_mattes)))

    def check(self, where: str, names: Sequence[str]) -> None:
        """Refuse regions that the data do not tell.

        Raises:
            ValueError: One is unknown, or no frame shows it.
        """
        unknown = [name for name in names if name not in self.boxes and name not in self.names]
        if unknown:
            raise ValueError(
                f"{where}: expected regions that these data show, {', '.join(sorted(self.names)) or 'none'}, got "
                f"{unknown[0]!r}"
            )

    def mask(self, name: str, frame: int) -> Bool[np.ndarray, "height width"]:
        """Which pixels of a frame a region holds; maybe none."""
        if name in self.boxes:
            rows, columns = np.arange(self.height), np.arange(self.width)
            y0, y1, x0, x1 = self.boxes[name][frame]
            return ((rows >= y0) & (rows < y1))[:, None] & ((columns >= x0) & (columns < x1))
        if self.labels is not None and name in self.labels.present:
            return self.labels.mask(name, frame)
        if self.mattes is None or name not in (HEAD, BACKGROUND):
            return np.zeros((self.height, self.width), dtype=bool)
        covered = np.asarray(self.mattes[frame]) >= COVERED
        return covered if name == HEAD else ~covered

    def contains(self, names: Sequence[str], indices: Int[Tensor, "rays 3"]) -> Bool[Tensor, "rays names"]:
        """Whether pixels, given by frame, row, column, lie in regions."""
        frame, row, column = indices.numpy().T
        inside = np.empty((len(indices), len(names)), dtype=bool)
        for place, name in enumerate(names):
            if name in self.boxes:
                inside[:, place] = pixels_in_box(self.boxes[name][frame], row, column)
            elif self.labels is not None and name in self.labels.present:
                inside[:, place] = self.labels.at(name, frame, row, column)
            else:
                assert self.mattes is not None
                covered = self.mattes[frame, row, column] >= COVERED
                inside[:, place] = covered if name == HEAD else ~covered
        return torch.from_numpy(inside)

    def draw(self, name: str, image: Int[np.ndarray, " rays"], chance: np.ndarray) -> Int[np.ndarray, " rays"]:
        """Draw pixels of a region, evenly within each image.

        Args:
            name: A region; one that these frames do not tell has no pixel.
            image: Frame of each pixel.
            chance: Uniform in [0, 1), one for each.

        Returns:
            Pixel numbers, row-major; -1 in frames that have no pixel of the region.
        """
        if name in self.boxes:
            box = self.boxes[name][image]
            return pixel_in_box(box, pick(chance, box_area(box)), self.width)
        pixel = np.full(len(image), -1, dtype=np.int64)
        for frame in np.unique(image):
            found = np.flatnonzero(self.mask(name, int(frame)))
            if len(found):
                rays = image == frame
                pixel[rays] = found[pick(chance[rays], np.full(rays.sum(), len(found)))]
        return pixel


def regions_of(metadata: Mapping[str, Any], store: Callable[[], FrameStore]) -> FrameRegions:
    """Return the regions of a split.

    Args:
        metadata: Of a face dataparser's outputs for the split.
        store: Opens the split's frames.
    """
    height, width = metadata["image_size"]
    boxes = dict(metadata.get("region_boxes") or {})
    if metadata.get("face_boxes") is not None:
        boxes[FACE] = metadata["face_boxes"]
    # A frame without a box holds NaN, which no split that trains has.
    whole = {name: box for name, box in boxes.items() if bool(torch.isfinite(box).all())}
    parsings, stored_size = metadata.get("parsing_filenames"), metadata.get("stored_image_size", (0, 0))
    return FrameRegions(
        {name: face_box_to_pixels(box.cpu(), height, width).numpy() for name, box in whole.items()},
        None if parsings is None else lambda: RegionLabels(parsings, stored_size, height, width),
        store if metadata.get("alpha_filenames") is not None else None,
        height,
        width,
    )
