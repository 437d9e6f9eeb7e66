"""A picture of the training cameras about the head: in space, from above, and from the side."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.rendering.camera_frusta import box_lines, frustum_lines
from nerface_ns.rendering.training_cameras import TrainingCameras

TRACKED, REFINED, MOVED, BOX = "#8c8c8c", "#1f5fbf", "#e07b00", "#c9c9c9"
AXES = (("x", "#d62728"), ("y", "#2ca02c"), ("z", "#9467bd"))
"""Names and colours of the head's axes."""
PANELS = {"from above": (0, 2), "from the side": (2, 1)}
"""Axes to the right and upward in a flat panel."""
FRUSTUM_DEPTH = 0.12
"""Depth of a drawn camera, as a share of the cameras' mean distance from the head."""


def poses_picture(cameras: TrainingCameras, aabb: Float[Tensor, "2 3"], max_cameras: int, size_px: int = 1400) -> bytes:
    """Draw cameras, the line that joins them in the recording's order, the scene box, and the head's axes.

    Args:
        cameras: Refined ones are drawn beside tracked ones, with a line from each tracked position.
        aabb: Scene box.
        max_cameras: Draw frusta of so many, evenly spread; positions are those of all.
        size_px: Width of the picture.

    Returns:
        A PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 8), dpi=size_px / 14, layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.4, 1))
    space: Any = figure.add_subplot(grid[:, 0], projection="3d")
    flat = {name: figure.add_subplot(grid[row, 1]) for row, name in enumerate(PANELS)}
    scene = _Scene(cameras, aabb.cpu().float(), max_cameras)
    for lines, colour, width, label in scene.layers():
        _draw_in_space(space, lines, colour, width, label)
        for name, axes in flat.items():
            _draw_flat(axes, lines[:, :, list(PANELS[name])], colour, width)
    # As it is seen from before the face: the head's y points up.
    space.view_init(elev=20, azim=35, vertical_axis="y")
    space.set(xlabel="x", ylabel="y", zlabel="z")
    space.set_aspect("equal")
    space.legend(loc="upper left")
    for name, axes in flat.items():
        across, along = ("xyz"[axis] for axis in PANELS[name])
        axes.set(title=name, xlabel=across, ylabel=along, aspect="equal")
        axes.autoscale_view()
    figure.suptitle(scene.title())
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


class _Scene:
    """Everything that is drawn, as lines in space."""

    def __init__(self, cameras: TrainingCameras, aabb: Tensor, max_cameras: int) -> None:
        self.cameras, self.aabb = cameras, aabb
        count = len(cameras.tracked)
        self.shown = torch.linspace(0, count - 1, min(max_cameras, count)).round().long()
        positions = cameras.best.camera_to_worlds[:, :, 3]
        self.depth = FRUSTUM_DEPTH * float((positions - aabb.mean(dim=0)).norm(dim=-1).mean())

    def layers(self) -> list[tuple[Tensor, str, float, str]]:
        """Return lines (n, 2, 3), their colour, width and label, from back to front."""
        tracked, refined = self.cameras.tracked, self.cameras.refined
        layers = [(box_lines(self.aabb), BOX, 0.8, "scene box")]
        length = 0.35 * float((self.aabb[1] - self.aabb[0]).max())
        for axis, (name, colour) in enumerate(AXES):
            tip = torch.eye(3)[axis] * length
            layers.append((torch.stack([torch.zeros(3), tip])[None], colour, 2.5, f"head's {name}"))
        own = TRACKED if refined is not None else REFINED
        layers.append((self._frusta(tracked), own, 0.6, "tracked cameras"))
        layers.append((_joined(tracked.camera_to_worlds[:, :, 3]), own, 0.4, ""))
        if refined is not None:
            before, after = tracked.camera_to_worlds[:, :, 3], refined.camera_to_worlds[:, :, 3]
            layers.append((torch.stack([before, after], dim=1), MOVED, 0.8, "moved by refinement"))
            layers.append((self._frusta(refined), REFINED, 0.6, "refined cameras"))
            layers.append((_joined(after), REFINED, 0.4, ""))
        return [layer for layer in layers if len(layer[0])]

    def title(self) -> str:
        """Say how many cameras there are and how far they were moved."""
        count = len(self.cameras.tracked)
        title = f"{count} training cameras, {len(self.shown)} drawn"
        changes = self.cameras.changes()
        if not changes:
            return f"{title}; no camera refinement"
        return (
            f"{title}; refined by {changes['mean_turn_deg']:.2f} deg and {changes['mean_shift']:.4f} on average, "
            f"focal length x {changes['focal_factor']:.4f}"
        )

    def _frusta(self, cameras: Any) -> Tensor:
        return frustum_lines(cameras[self.shown], self.depth)


def _joined(positions: Tensor) -> Tensor:
    """Return the lines from each position to the next."""
    return torch.stack([positions[:-1], positions[1:]], dim=1)


def _draw_in_space(axes: Any, lines: Tensor, colour: str, width: float, label: str) -> None:
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    axes.add_collection3d(Line3DCollection(lines.numpy(), colors=colour, linewidths=width, label=label or "_hidden"))
    ends = lines.flatten(0, 1).numpy()
    # Collections do not widen a 3-d plot's range; unseen points do.
    axes.plot(*ends.T, linestyle="none")


def _draw_flat(axes: Any, lines: Tensor, colour: str, width: float) -> None:
    from matplotlib.collections import LineCollection

    axes.add_collection(LineCollection(list(np.asarray(lines)), colors=colour, linewidths=width))
