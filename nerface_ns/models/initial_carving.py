"""What is known to be empty before the first training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional, Type

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.data.face_dataset import FaceDataset
from nerface_ns.model_components.background import read_photograph
from nerface_ns.model_components.occupancy import FaceOccupancyGrid


@dataclass
class CarvingConfig(InstantiateConfig):
    """Carving by the frames' outlines."""

    _target: Type = field(default_factory=lambda: InitialCarving)
    """Target class to instantiate."""
    outline: Literal["auto", "mattes", "background", "face_boxes", "none"] = "auto"
    """"mattes": the recorded opacity; "background": where the frame differs from the background photograph;
    "face_boxes": the boxes, for data whose scene box was made from them; "auto": the first of these that the data
    have; "none": start from the full box."""
    num_views: int = 64
    """Training frames to look at, spread over the recording."""
    least_share: float = 0.8
    """A cell is kept when at least this share of the views has it inside the outline or outside the image. A rigid
    head would allow 1; shoulders that do not follow it, and outlines with holes, need less."""
    margin: float = 0.05
    """Widening of outlines, as a share of the image height: expressions move what the rigid pose does not."""
    background_threshold: float = 0.08
    """Least difference of red, green or blue in [0, 1] from the background that makes a pixel part of the person."""


class InitialCarving:
    """Finds cells that project outside the head in nearly every view.

    Args:
        config: Settings.
    """

    def __init__(self, config: CarvingConfig, **_: Any) -> None:
        self.config = config

    def find_empty(self, grid: FaceOccupancyGrid, dataset: FaceDataset) -> Bool[Tensor, "num_cells"]:
        """Return the cells that are empty under any expression.

        Args:
            grid: Whose cells.
            dataset: Training frames.

        Raises:
            ValueError: The outline that is asked for is not in the data, or no cell would be left.
        """
        outline = self._choose_outline(dataset)
        centres = grid.cell_centres()
        if outline is None:
            return torch.zeros(len(centres), dtype=torch.bool, device=centres.device)
        whose = dataset.metadata.get(keys.IDENTITY)
        rows = (
            [torch.arange(len(dataset))]
            if whose is None
            else [(whose == row).nonzero()[:, 0] for row in whose.unique()]
        )
        # What one person's outlines hold is not empty, whoever the others are.
        empty = torch.ones(len(centres), dtype=torch.bool, device=centres.device)
        for frames in rows:
            empty &= self._empty_for(centres, dataset, frames.numpy(), outline)
        if empty.all():
            raise ValueError(
                f"carving by {outline}: expected the scene box to project into the outlines, got an empty "
                "intersection; check cameras, boxes and masks, or set model.carving.outline none"
            )
        return empty

    def finds_outline(self, dataset: FaceDataset) -> bool:
        """Whether there is anything to carve by."""
        return self._choose_outline(dataset) is not None

    def _empty_for(
        self,
        centres: Float[Tensor, "num_cells 3"],
        dataset: FaceDataset,
        frames: Int[np.ndarray, " num_frames"],
        outline: str,
    ) -> Bool[Tensor, "num_cells"]:
        """Return the cells that one person's frames show to be empty."""
        views = frames[np.linspace(0, len(frames) - 1, min(self.config.num_views, len(frames))).astype(int)]
        inside = torch.zeros(len(centres), dtype=torch.long, device=centres.device)
        for view in views.tolist():
            inside += self._is_inside(centres, dataset, view, outline)
        return inside < self.config.least_share * len(views)

    def _choose_outline(self, dataset: FaceDataset) -> Optional[str]:
        metadata, wanted = dataset.metadata, self.config.outline
        available = {
            "mattes": "alpha_filenames" in metadata,
            "background": None not in _backgrounds(dataset),
            "face_boxes": "face_boxes" in metadata and metadata.get("scene_box_covers") == "face_box",
        }
        if wanted == "auto":
            return next((name for name, exists in available.items() if exists), None)
        if wanted == "none":
            return None
        if not available[wanted]:
            raise ValueError(f"carving.outline {wanted}: expected them in the data, got none")
        return wanted

    def _is_inside(
        self, centres: Float[Tensor, "num_cells 3"], dataset: FaceDataset, view: int, outline: str
    ) -> Bool[Tensor, "num_cells"]:
        """Whether each cell is inside the outline in a view, or outside the image, where nothing is known."""
        camera = dataset.cameras[view]
        pose = camera.camera_to_worlds.to(centres)
        local = (centres - pose[:3, 3]) @ pose[:3, :3]
        column = local[:, 0] / -local[:, 2] * camera.fx.item() + camera.cx.item()
        row = -local[:, 1] / -local[:, 2] * camera.fy.item() + camera.cy.item()
        mask = torch.from_numpy(self._mask(dataset, view, outline)).to(centres.device)
        height, width = mask.shape
        known = (local[:, 2] < 0) & (row >= 0) & (row < height) & (column >= 0) & (column < width)
        inside = ~known
        inside[known] = mask[row[known].long(), column[known].long()]
        return inside

    def _mask(self, dataset: FaceDataset, view: int, outline: str) -> np.ndarray:
        height, width = dataset.metadata["image_size"]
        margin = max(round(self.config.margin * height), 1)
        if outline == "mattes":
            alpha = dataset.get_data(view)["alpha"].numpy()[..., 0]
            return cv2.dilate(alpha, np.ones((2 * margin + 1, 2 * margin + 1))) > 0.03
        if outline == "background":
            whose = dataset.metadata.get(keys.IDENTITY)
            path = _backgrounds(dataset)[0 if whose is None else int(whose[view])]
            assert path is not None
            background = read_photograph(path, (height, width))
            difference = np.abs(dataset.get_data(view)["image"].numpy()[..., :3] - background).max(axis=-1)
            person = (difference > self.config.background_threshold).astype(np.uint8)
            opened = cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((3, 3)))
            return cv2.dilate(opened, np.ones((2 * margin + 1, 2 * margin + 1))) > 0
        y0, y1, x0, x1 = (dataset.metadata["face_boxes"][view].numpy() * [height, height, width, width]).tolist()
        mask = np.zeros((height, width), bool)
        mask[max(int(y0) - margin, 0) : int(y1) + margin + 1, max(int(x0) - margin, 0) : int(x1) + margin + 1] = True
        return mask


def _backgrounds(dataset: FaceDataset) -> Sequence[Optional[Path]]:
    """Background photographs of the persons."""
    alone = (dataset.metadata.get("background_filename"),)
    return dataset.metadata.get(keys.IDENTITY_BACKGROUNDS, alone)
