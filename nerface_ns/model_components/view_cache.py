"""What of a picture depends on where it is taken from and on nothing else, kept for the next picture from there.

While only the expression moves, a viewer's pictures and a film's frames share their rays, and where these meet the
occupied cells.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Optional, Tuple

import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.data.scene_box import OrientedBox
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.model_components.packed_samples import PackedSamples

MOST_VIEWS = 2
"""Views that are kept: nerfstudio's viewer alternates between a coarse picture and a fine one."""
CAMERA_FIELDS = ("camera_to_worlds", "fx", "fy", "cx", "cy", "width", "height", "distortion_params", "camera_type")
"""What decides a camera's rays."""


class RayMemo:
    """Remembers where some rays of a view meet occupied cells.

    Args:
        view: Whose rays they are.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._kept: Optional[Tuple[Any, PackedSamples]] = None
        self.origins: Optional[Tensor] = None
        """Of the rays, the very tensor for which this memo stands at present."""

    def recall(self, state: Any) -> Optional[PackedSamples]:
        """Return the samples, if they were kept under the same state of the cells."""
        kept = self._kept
        return kept[1] if kept is not None and kept[0] == state else None

    def keep(self, state: Any, samples: PackedSamples) -> None:
        """Remember samples, if the view's budget has room for them."""
        size = sum(tensor.nbytes for tensor in vars(samples).values())
        old = 0 if self._kept is None else sum(tensor.nbytes for tensor in vars(self._kept[1]).values())
        if self._view.take(size - old):
            self._kept = (state, samples)


class View:
    """The rays of one camera.

    Args:
        rays: Flat, row by row.
        budget: Bytes that it may keep, the rays included.
    """

    def __init__(self, rays: RayBundle, budget: int) -> None:
        tensors = [rays.origins, rays.directions, rays.pixel_area, rays.camera_indices, rays.nears, rays.fars]
        size = sum(tensor.nbytes for tensor in [*tensors, *rays.metadata.values()] if tensor is not None)
        self.rays, self._room = rays, budget - size
        self._memos: dict[Any, RayMemo] = {}

    @property
    def is_small(self) -> bool:
        """Whether its rays keep to the budget."""
        return self._room >= 0

    def take(self, size: int) -> bool:
        """Take bytes from the budget; return whether they are there."""
        if self._room < size:
            return False
        self._room -= size
        return True

    def memo(self, name: Any, origins: Tensor) -> RayMemo:
        """Return the memo of some of the rays, always the same by one name, whose origins are in their own tensor."""
        memo = self._memos.setdefault(name, RayMemo(self))
        memo.origins = origins
        return memo


class ViewCache:
    """Keeps the last views.

    Args:
        megabytes: Of all views at most; 0 keeps none.
    """

    def __init__(self, megabytes: int) -> None:
        self._budget = megabytes * 1_000_000 // MOST_VIEWS
        self._views: OrderedDict[bytes, View] = OrderedDict()

    def view(self, camera: Cameras, obb_box: Optional[OrientedBox], make: Callable[[], RayBundle]) -> View:
        """Return a camera's view, made unless it is one of the last.

        Args:
            camera: A `Cameras` of one.
            obb_box: Crop of its rays.
            make: Makes its rays, flat.
        """
        name = view_name(camera, obb_box)
        found = self._views.pop(name, None)
        if found is None:
            found = View(make(), self._budget)
        if found.is_small:
            self._views[name] = found
        while len(self._views) > MOST_VIEWS:
            self._views.popitem(last=False)
        return found


def view_name(camera: Cameras, obb_box: Optional[OrientedBox]) -> bytes:
    """Return what tells views apart: all numbers that decide a camera's rays."""
    numbers = [getattr(camera, name) for name in CAMERA_FIELDS]
    if obb_box is not None:
        numbers += [obb_box.R, obb_box.T, obb_box.S]
    told = [b"" if number is None else torch.as_tensor(number).detach().cpu().numpy().tobytes() for number in numbers]
    return b"|".join([str(camera.device).encode(), *told])


def image_rays(camera: Cameras, obb_box: Optional[OrientedBox]) -> RayBundle:
    """Return the rays of a camera's whole image, flat and row by row, with `keys.PIXEL_POSITION`."""
    bundle = camera.generate_rays(camera_indices=0, keep_shape=True, obb_box=obb_box)
    height, width = bundle.origins.shape[:2]
    rows = (torch.arange(height, device=bundle.origins.device) + 0.5) / height
    columns = (torch.arange(width, device=bundle.origins.device) + 0.5) / width
    bundle.metadata[keys.PIXEL_POSITION] = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    return bundle.flatten()
