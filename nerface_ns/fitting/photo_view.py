"""A photograph beside what the model shows from a pose: which pixels, and how far they are off."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, Optional

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.fitting.photo import Photo
from nerface_ns.rendering.posed_camera import posed_camera

Scene = Literal["recorded", "masked", "other"]
"""What stands behind the person: the run's own background; whatever it is, a mask tells; something else."""
EDGE_SHARE = 0.08
"""Share of the picture at its left, right and upper edge where the background is looked at."""
SAME_BACKGROUND = 0.03
"""Median colour difference there up to which the background is the run's own."""
SEEN_OPACITY = 0.5
"""Opacity of the model's head from which on a pixel before another background is compared."""


@dataclass(frozen=True)
class Shown:
    """What the model is asked to show."""

    pose: Float[Tensor, "3 4"]
    """Camera to world."""
    expression: Float[Tensor, " num_coefficients"]
    """Raw coefficients."""
    code: Float[Tensor, " code_length"]
    """Latent code."""
    gaze: Optional[Float[Tensor, " 2"]] = None
    """Pitch and yaw; None where the model does not take any."""


class PhotoView:
    """One photograph at the size at which it is compared.

    Args:
        model: A trained `FaceModel`, in evaluation mode.
        photo: The photograph.
        camera: Its camera (a `Cameras` of one) of the same size.
        scene: What stands behind the person; "auto" looks.
    """

    def __init__(self, model: Any, photo: Photo, camera: Any, scene: Literal["auto", "recorded", "other"]) -> None:
        self.model, self.photo, self.camera = model, photo, camera
        height, width = photo.size
        self.aspect = width / height
        upright = torch.eye(4)[None, :3].to(camera.camera_to_worlds)
        bare = dataclasses.replace(camera.reshape((camera.size,))[0:1], camera_to_worlds=upright, metadata=None)
        bundle = bare.generate_rays(camera_indices=0, keep_shape=True)
        rows = (torch.arange(height) + 0.5) / height
        columns = (torch.arange(width) + 0.5) / width
        bundle.metadata[keys.PIXEL_POSITION] = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
        self.rays = bundle.flatten()
        with torch.no_grad():
            position = self.rays.metadata[keys.PIXEL_POSITION].to(model.device)
            background = model.background(position, self.aspect, self._identity(len(position)))
            background = background.cpu().reshape(height, width, 3)
        self.scene: Scene = self._scene(background, scene)
        self.truth = photo.image
        if self.scene == "masked":
            assert photo.alpha is not None
            alpha = photo.alpha[..., None]
            self.truth = alpha * photo.image + (1 - alpha) * background

    def _identity(self, count: int) -> Optional[Float[Tensor, "num_pixels num_identities"]]:
        """Shares of the persons in each pixel, as the camera asks for them."""
        shares = (self.camera.metadata or {}).get(keys.IDENTITY_SHARES)
        return None if shares is None else shares.to(self.model.device).expand(count, -1)

    def _scene(self, background: Float[Tensor, "height width 3"], asked: str) -> Scene:
        if self.photo.alpha is not None:
            return "masked"
        if asked != "auto":
            return "recorded" if asked == "recorded" else "other"
        height, width = self.photo.size
        edge = max(1, round(EDGE_SHARE * min(height, width)))
        is_edge = torch.zeros(height, width, dtype=torch.bool)
        # The person's shoulders stand at the lower part.
        is_edge[: height // 2, :edge] = is_edge[: height // 2, -edge:] = is_edge[:edge] = True
        difference = (self.photo.image - background).abs().mean(dim=-1)[is_edge].median()
        return "recorded" if float(difference) <= SAME_BACKGROUND else "other"

    @torch.no_grad()
    def render(
        self, pixels: Int[Tensor, " num_pixels"], shown: Shown
    ) -> tuple[Float[Tensor, "num_pixels 3"], Float[Tensor, "num_pixels 1"]]:
        """Return what the model shows at some pixels, and how opaque its head is there.

        Before another background the head's own colours are returned, not what they make with the run's background.
        """
        device = self.model.device
        chosen = self.rays[pixels].to(device)
        pose = shown.pose.to(device)
        moved = dataclasses.replace(
            chosen, origins=pose[:, 3].expand(len(chosen), 3), directions=chosen.directions @ pose[:, :3].T
        )
        camera = self.posed(shown)
        condition = self.model.get_camera_condition(camera)
        colours, opacity = [], []
        for start in range(0, len(moved), self.model.config.eval_num_rays_per_chunk):
            part = moved[start : start + self.model.config.eval_num_rays_per_chunk]
            rows = torch.zeros(len(part), dtype=torch.long, device=device)
            outputs = self.model.render_rays(part, condition, rows, self.aspect)
            accumulation = outputs["accumulation"]
            is_head_alone = self.scene == "other"
            straight = outputs["foreground"] / accumulation.clamp(min=0.05) if is_head_alone else outputs["rgb"]
            colours.append(straight.cpu())
            opacity.append(accumulation.cpu())
        return torch.cat(colours), torch.cat(opacity)

    def posed(self, shown: Shown) -> Any:
        """Return the photograph's camera at a pose, asking for what is to be shown."""
        code = shown.code if len(shown.code) > 0 else None
        return posed_camera(self.camera, shown.pose, shown.expression, code, shown.gaze)


class ComparedPixels:
    """Some pixels of a photograph, and how far a render of them is off.

    Args:
        view: The photograph.
        rows, columns: The pixels: all crossings of a lattice where a blur is asked for, else one pixel each.
        blur: Width of the bell with which the lattice's differences are smoothed, in its steps, so that distant
            features find each other; None smooths nothing.
        about: Where the render's opacity decides which pixels count (before another background).
    """

    def __init__(
        self,
        view: PhotoView,
        rows: Int[Tensor, " num_rows"],
        columns: Int[Tensor, " num_columns"],
        blur: Optional[float],
        about: Shown,
    ) -> None:
        self.view, self.blur = view, blur
        width = view.photo.size[1]
        self.shape = (len(rows), len(columns))
        flat = rows * width + columns if blur is None else (rows[:, None] * width + columns).flatten()
        self.pixels = flat
        self.truth = view.truth.reshape(-1, 3)[flat]
        self.weights = torch.ones(len(flat), 1)
        if view.scene == "other":
            _, opacity = view.render(flat, about)
            self.weights = ((opacity - SEEN_OPACITY) / (1 - SEEN_OPACITY)).clamp(0, 1)
        # So a head that fills less of the picture costs as much.
        self.scale = max(float(self.weights.mean()), 1e-3) ** -0.5

    def residual(self, shown: Shown) -> Float[Tensor, " num_values"]:
        """Return how far the model is off."""
        colours, _ = self.view.render(self.pixels, shown)
        difference = self.scale * self.weights * (colours - self.truth)
        if self.blur is None:
            return difference.flatten()
        return smoothed(difference.reshape(*self.shape, 3), self.blur).flatten()


def smoothed(image: Float[Tensor, "height width channels"], sigma: float = 1.0) -> Tensor:
    """Blur with a bell of some pixels' width; what lies beyond the edges counts as what lies on them."""
    down, across = (_bell(length, sigma) for length in image.shape[:2])
    return torch.einsum("ij,jkc,lk->ilc", down.to(image), image, across.to(image))


def _bell(length: int, sigma: float) -> Float[Tensor, "length length"]:
    places = torch.arange(length, dtype=torch.float32)
    reach = int(4 * sigma) + 1
    beyond = torch.arange(-reach, length + reach, dtype=torch.float32)
    weights = torch.exp(-((places[:, None] - beyond) ** 2) / (2 * sigma**2))
    matrix = torch.zeros(length, length)
    matrix.index_add_(1, beyond.long().clamp(0, length - 1), weights)
    return matrix / matrix.sum(dim=1, keepdim=True)


def lattice(length: int, count: int) -> Int[Tensor, " count"]:
    """Return places spread evenly over a length, one in the middle of each part."""
    count = min(count, length)
    return ((torch.arange(count) + 0.5) * length / count).long()
