"""Finds the pose of one unseen frame from a part of its image, and changes nothing else."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from nerfstudio.cameras.rays import RayBundle
from torch import Tensor, nn

from nerface_ns.conditioning import keys
from nerface_ns.model_components.camera_refinement import HEAD_RADIUS, turn_in_place
from nerface_ns.model_components.pinhole_rays import directions_of, slopes_of
from nerface_ns.model_components.rotation_forms import rotation_matrices


@dataclass(frozen=True)
class PoseFit:
    """How a pose is looked for."""

    steps: int = 60
    """Steps of Adam."""
    rays: int = 1024
    """Random pixels of a step."""
    rate: float = 4e-3
    """First step's length in radians and head radii; it falls to zero along half a cosine."""
    huber_delta: float = 0.1
    """Colour error from which on the loss grows linearly."""

    def fit(
        self, model: Any, camera: Any, image: Float[Tensor, "height width 3"], mask: Bool[Tensor, "height width"]
    ) -> Any:
        """Return a copy of a camera that stands where the model's picture fits the image best.

        Args:
            model: A trained `FaceModel`, which stays as it is.
            camera: A `Cameras` of one, with what the picture shall show.
            image: Colours in [0, 1].
            mask: Pixels that may be looked at.
        """
        rays = _rays_of(camera)
        pixels = mask.flatten().nonzero()[:, 0]
        truth = image.reshape(-1, 3)
        turn = torch.zeros(1, 3, device=model.device, requires_grad=True)
        shift = torch.zeros(1, 3, device=model.device, requires_grad=True)
        optimizer = torch.optim.Adam([turn, shift], lr=self.rate, betas=(0.9, 0.99))
        generator = torch.Generator().manual_seed(0)
        start = camera.camera_to_worlds.reshape(3, 4).to(model.device)
        with _standing_still(model), torch.enable_grad():
            for step in range(self.steps):
                optimizer.param_groups[0]["lr"] = self.rate * (1 + math.cos(math.pi * step / self.steps)) / 2
                chosen = pixels[torch.randint(len(pixels), (self.rays,), generator=generator).to(pixels.device)]
                render = self._render(model, camera, rays, chosen, moved_pose(start, turn, shift))
                wanted = truth[chosen.to(truth.device)].to(render)
                loss = nn.functional.huber_loss(render, wanted, delta=self.huber_delta)
                turn.grad, shift.grad = torch.autograd.grad(loss, [turn, shift])
                optimizer.step()
        return _posed(camera, moved_pose(start, turn, shift).detach())

    def _render(self, model: Any, camera: Any, rays: RayBundle, pixels: Tensor, pose: Tensor) -> Tensor:
        """Colours of some pixels, as seen from a pose that learns."""
        chosen = rays[pixels.to(rays.origins.device)].to(model.device)
        recorded = camera.camera_to_worlds.reshape(3, 4)[:, :3].to(model.device).expand(len(chosen), 3, 3)
        rotation = pose[:, :3].expand(len(chosen), 3, 3)
        directions, norms = directions_of(slopes_of(chosen.directions, recorded), rotation)
        moved = dataclasses.replace(
            chosen,
            origins=pose[:, 3].expand(len(chosen), 3),
            directions=directions,
            metadata={**chosen.metadata, "directions_norm": norms},
        )
        rows = torch.zeros(len(chosen), dtype=torch.long, device=model.device)
        aspect = int(camera.width.flatten()[0]) / int(camera.height.flatten()[0])
        return model.render_rays(moved, model.get_camera_condition(_posed(camera, pose)), rows, aspect)["rgb"]


def moved_pose(
    start: Float[Tensor, "3 4"], turn: Float[Tensor, "1 3"], shift: Float[Tensor, "1 3"]
) -> Float[Tensor, "3 4"]:
    """Return a camera before which the head is turned in its place and shifted.

    Args:
        start: Camera to world.
        turn: Axis times angle in the camera's axes, radians.
        shift: In head radii along the camera's axes.
    """
    unit = HEAD_RADIUS * float(start[:, 3].norm())
    head = -start[:, :3].T @ start[:, 3] + unit * shift[0]
    turned = turn_in_place(rotation_matrices(turn, "axis_angle"), start[None, :, :3].transpose(1, 2), head[None], unit)
    rotation, head = turned[0][0], turned[1][0]
    return torch.cat([rotation.T, -(rotation.T @ head)[:, None]], dim=1)


def _posed(camera: Any, pose: Tensor) -> Any:
    return dataclasses.replace(camera, camera_to_worlds=pose.reshape(1, 3, 4).to(camera.camera_to_worlds.device))


def _rays_of(camera: Any) -> RayBundle:
    """All rays of a camera, flat, with their places in the image."""
    bare = camera.reshape((camera.size,))[0:1]
    bare.metadata = None
    bundle = bare.generate_rays(camera_indices=0, keep_shape=True)
    height, width = bundle.origins.shape[:2]
    rows = (torch.arange(height, device=bundle.origins.device) + 0.5) / height
    columns = (torch.arange(width, device=bundle.origins.device) + 0.5) / width
    bundle.metadata[keys.PIXEL_POSITION] = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    return bundle.flatten()


@contextmanager
def _standing_still(model: nn.Module) -> Iterator[None]:
    """Keep a model's parameters out of differentiation, and in the mode of evaluation."""
    learning, was_training = [p for p in model.parameters() if p.requires_grad], model.training
    model.eval()
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
        model.train(was_training)
