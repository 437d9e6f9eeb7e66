"""Cameras of the training frames that learn with the field (after NeRF--, Wang et al., arXiv 2102.07064)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Type

import torch
from jaxtyping import Float, Int
from nerfstudio.cameras.camera_optimizers import CameraOptimizer
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor, nn

from nerface_ns.conditioning import keys
from nerface_ns.model_components.pinhole_rays import directions_of, slopes_of, undistort_slopes
from nerface_ns.model_components.rotation_forms import ROTATION_LENGTHS, RotationForm, rotation_matrices
from nerface_ns.model_components.steady_motion import steady_poses
from nerface_ns.model_components.trajectory_smoothness import TrajectorySmoothness

FocalForm = Literal["square", "ratio", "exp"]
"""How the focal length follows from a free number."""
HEAD_RADIUS = 0.2
"""Radius of a head as a share of its distance: NerFace's data hold one of about 0.1 at 0.5. A shift by one radius
counts like a turn by one radian, because both move the head's outline as far."""
SURFACE_DEPTH = 0.6
"""How far before a head's centre, in head radii, the middle of the surface is that a camera sees."""
SAME_POSE = 1e-6
"""Largest difference of two poses that are one."""


@dataclass
class CameraRefinementConfig(InstantiateConfig):
    """Poses, and on request the lens, that learn with the field.

    The rate is in radians and head radii, that of the lens a part of it.
    """

    _target: Type = field(default_factory=lambda: CameraRefinement)
    """Target class to instantiate."""
    enabled: bool = False
    """Refine the training frames' cameras."""
    initialisation: Literal["tracked", "identity"] = "tracked"
    """Start from the tracked poses; or, for a nearly frontal recording without any, with all cameras in one place
    before the face, at the tracked ones' mean distance from the origin, where the face then is."""
    steady_start: bool = True
    """Take what changes at random from frame to frame out of the tracked poses before training. Independent errors of
    the frames show in their spectrum beside a head's slow motion; poses without any stay as they are."""
    rotation: RotationForm = "axis_angle"
    """Numbers that stand for each frame's turn."""
    focal: FocalForm = "exp"
    """How the focal length follows from a free number u: f = f0 (1 + u/2)^2, f0 (1 + u), or f0 exp(u)."""
    refine_focal: bool = False
    """Refine the focal length, one for all frames. Off by default: one head hardly tells it, and fields pull it short,
    whichever side it comes from."""
    refine_principal_point: bool = False
    """Refine where the camera's axis meets the image, one point for all frames."""
    refine_distortion: bool = False
    """Refine one radial term of the lens, OpenCV's k1, which starts at 0."""
    frames_per_step: int = 64
    """Least number of frames that share a training step's rays: field and poses agree sooner the more often a frame is
    drawn, even if a few of its rays are."""
    freeze_steps: int = 100
    """Steps before the cameras begin to learn: a field that is still a fog has nothing to tell them."""
    smoothness_weight: float = 3.0
    """Weight of the head's mean squared acceleration, in radians and head radii per frame squared."""


class CameraRefinement(CameraOptimizer):
    """Turns and shifts of the head before each training frame's camera, and the lens that all frames share.

    A turn leaves the face's place in the image, which the tracker knows well, as it was; see `turn_in_place`.
    nerfstudio's viewer moves its frusta by this object because of its base class.

    Args:
        config: What is refined, and how it is written.
        camera_to_world: Tracked poses of the training frames.
        times: Places of the frames on the recording.

    Raises:
        ValueError: There are fewer than two frames.
    """

    tracked: Tensor
    start_rotation: Tensor
    start_head: Tensor

    def __init__(
        self,
        config: CameraRefinementConfig,
        camera_to_world: Float[Tensor, "num_frames 3 4"],
        times: Float[Tensor, "num_frames 1"],
    ) -> None:
        nn.Module.__init__(self)  # the base class would make parameters of its own
        count = len(camera_to_world)
        if count < 2:
            raise ValueError(f"camera_refinement: expected at least 2 training frames, got {count}")
        self.config: Any = config
        self.num_cameras = count
        self.is_frozen = self.is_lens_frozen = False
        start = start_poses(config, camera_to_world, times)
        self.unit = HEAD_RADIUS * float(start[:, :, 3].norm(dim=-1).mean())
        self.register_buffer("tracked", camera_to_world.clone(), persistent=False)
        self.register_buffer("start_rotation", start[:, :, :3].clone(), persistent=False)
        head = -torch.einsum("nij,ni->nj", start[:, :, :3], start[:, :, 3])
        self.register_buffer("start_head", head, persistent=False)
        self.turn = nn.Parameter(torch.zeros(count, ROTATION_LENGTHS[config.rotation]))
        self.shift = nn.Parameter(torch.zeros(count, 3))
        self.focal = nn.Parameter(torch.zeros(1), requires_grad=config.refine_focal)
        self.principal_point = nn.Parameter(torch.zeros(2), requires_grad=config.refine_principal_point)
        self.distortion = nn.Parameter(torch.zeros(1), requires_grad=config.refine_distortion)
        self.smoothness = TrajectorySmoothness(times.flatten())

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """Where the cameras are."""
        return self.turn.device

    @property
    def learns_lens(self) -> bool:
        """Whether anything of the lens is refined."""
        return any(part.requires_grad for part in (self.focal, self.principal_point, self.distortion))

    def head_poses(self, frames: Int[Tensor, "n"]) -> tuple[Float[Tensor, "n 3 3"], Float[Tensor, "n 3"]]:
        """Return rotation and position of the head before the cameras of training frames (world to camera).

        A longer lens moves the head's front away in proportion, so that it keeps its size in the image: the focal
        length then stands for perspective alone, and finds its place without all frames' distances having to follow it.
        """
        return self._head_poses(frames, self.focal_factor())

    def _head_poses(self, frames: Tensor, focal_factor: Tensor) -> tuple[Tensor, Tensor]:
        turn = rotation_matrices(self.turn[frames], self.config.rotation)
        head = self.start_head[frames] + self.unit * self.shift[frames]
        front = SURFACE_DEPTH * self.unit
        head = torch.cat([head[:, :2], (head[:, 2:] + front) * focal_factor - front], dim=-1)
        return turn_in_place(turn, self.start_rotation[frames].transpose(1, 2), head, self.unit)

    def poses(self, frames: Int[Tensor, "n"]) -> Float[Tensor, "n 3 4"]:
        """Return the refined cameras of training frames (camera to world)."""
        rotation, head = self.head_poses(frames)
        return torch.cat([rotation.transpose(1, 2), -torch.einsum("nij,ni->nj", rotation, head)[..., None]], dim=-1)

    def focal_factor(self) -> Float[Tensor, "1"]:
        """Return the refined focal length over the tracked one."""
        focal = self.focal.detach() if self.is_lens_frozen else self.focal
        if self.config.focal == "square":
            return (1 + focal / 2).square()
        return 1 + focal if self.config.focal == "ratio" else focal.exp()

    def refine_slopes(self, slopes: Float[Tensor, "num_rays 2"]) -> Float[Tensor, "num_rays 2"]:
        """Return the slopes of the rays whose pixels the tracked lens gave these slopes."""
        point, distortion = self.principal_point, self.distortion
        if self.is_lens_frozen:
            point, distortion = point.detach(), distortion.detach()
        slopes = (slopes - point) / self.focal_factor()
        return undistort_slopes(slopes, distortion) if self.config.refine_distortion else slopes

    def refine_rays(self, rays: RayBundle) -> RayBundle:
        """Return training rays as the refined cameras send them; rays of other frames stay as they are.

        Args:
            rays: Flat, grouped by frame, with `keys.FRAME_INDEX` and `keys.CAMERA_ROTATION`.
        """
        index = rays.metadata[keys.FRAME_INDEX][:, 0]
        if not bool((index >= 0).any()):
            return rays
        frames, rows = index.clamp(min=0).unique_consecutive(return_inverse=True)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_frozen):
            recorded = rays.metadata[keys.CAMERA_ROTATION].reshape(-1, 3, 3)
            poses = self.poses(frames)[rows]
            slopes = self.refine_slopes(slopes_of(rays.directions, recorded))
            directions, norms = directions_of(slopes, poses[:, :, :3])
        known = (index >= 0)[:, None]
        rotation = torch.where(known, poses[:, :, :3].flatten(1), rays.metadata[keys.CAMERA_ROTATION])
        metadata = {**rays.metadata, keys.CAMERA_ROTATION: rotation}
        if "directions_norm" in metadata:
            metadata["directions_norm"] = torch.where(known, norms, metadata["directions_norm"])
        return dataclasses.replace(
            rays,
            origins=torch.where(known, poses[:, :, 3], rays.origins),
            directions=torch.where(known, directions, rays.directions),
            metadata=metadata,
        )

    def refine_cameras(self, cameras: Cameras) -> Cameras:
        """Return cameras of training frames, where they were tracked, as they are refined; others as they are.

        Args:
            cameras: One or several; which training frames they are stands in `keys.FRAME_INDEX` of their metadata.
        """
        index = (cameras.metadata or {}).get(keys.FRAME_INDEX)
        if index is None:
            return cameras
        flat = cameras.reshape((cameras.size,))
        frames, poses = index.reshape(-1).to(self.device), flat.camera_to_worlds.to(self.device)
        known = frames >= 0
        # A camera that was moved, or refined before, stands where somebody wants it.
        known = known & ((poses - self.tracked[frames.clamp(min=0)]).abs().amax(dim=(1, 2)) < SAME_POSE)
        if not bool(known.any()):
            return cameras
        with torch.no_grad():
            refined = torch.where(known[:, None, None], self.poses(frames.clamp(min=0)), poses)
            lens = self.refined_lens(flat)
        chosen = known[:, None].to(flat.fx.device)
        lens = {name: torch.where(chosen, value, getattr(flat, name)) for name, value in lens.items()}
        changed = dataclasses.replace(flat, camera_to_worlds=refined.to(flat.camera_to_worlds), **lens)
        if self.config.refine_distortion:
            changed.distortion_params = chosen * self.distortion_params(flat)
        return changed.reshape(cameras.shape)

    def refined_lens(self, cameras: Cameras) -> dict[str, Tensor]:
        """Return fx, fy, cx, cy of cameras whose lens is the recording's."""
        factor, shift = (value.detach().to(cameras.fx) for value in (self.focal_factor(), self.principal_point))
        lens = {"fx": cameras.fx * factor, "fy": cameras.fy * factor}
        # Slopes count upwards, rows downwards.
        return {**lens, "cx": cameras.cx + shift[0] * cameras.fx, "cy": cameras.cy - shift[1] * cameras.fy}

    def distortion_params(self, cameras: Cameras) -> Float[Tensor, "*batch 6"]:
        """Return the radial term as nerfstudio writes lenses."""
        radial = self.distortion.detach().to(cameras.fx)
        return torch.cat([radial, radial.new_zeros(5)]).expand(*cameras.shape, 6)

    def penalty(self, frames: Int[Tensor, "n"]) -> Float[Tensor, ""]:
        """Return the weighted loss of a step that drew these frames."""
        factor = self.focal_factor().detach()  # the lens is none of the motion's
        poses = partial(self._head_poses, focal_factor=factor)
        return self.config.smoothness_weight * self.smoothness(frames, poses, self.unit)

    def forward(self, indices: Int[Tensor, "n"]) -> Float[Tensor, "n 3 4"]:
        """Return what takes each refined camera's axes to its tracked camera's, as nerfstudio's viewer asks for."""
        tracked, refined = self.tracked[indices], self.poses(indices)
        turn = tracked[:, :, :3].transpose(1, 2)
        return turn @ torch.cat([refined[:, :, :3], refined[:, :, 3:] - tracked[:, :, 3:]], dim=-1)

    def apply_to_raybundle(self, raybundle: RayBundle) -> None:
        """Refine rays in place, as nerfstudio's optimizer does."""
        refined = self.refine_rays(raybundle)
        raybundle.origins, raybundle.directions = refined.origins, refined.directions
        raybundle.metadata = refined.metadata

    def apply_to_camera(self, camera: Cameras) -> torch.Tensor:
        """Return refined poses, as nerfstudio's exporter asks for."""
        return self.refine_cameras(camera).camera_to_worlds


def start_poses(
    config: CameraRefinementConfig,
    camera_to_world: Float[Tensor, "num_frames 3 4"],
    times: Float[Tensor, "num_frames 1"],
) -> Float[Tensor, "num_frames 3 4"]:
    """Return the poses that refinement starts from."""
    if not config.enabled:
        return camera_to_world
    if config.initialisation == "tracked":
        return steady_poses(camera_to_world, times.flatten()) if config.steady_start else camera_to_world
    distance = camera_to_world[:, :, 3].norm(dim=-1).mean()
    frontal = torch.eye(4)[:3].to(camera_to_world)
    frontal[2, 3] = distance
    return frontal.repeat(len(camera_to_world), 1, 1)


def turn_in_place(
    turn: Float[Tensor, "n 3 3"], rotation: Float[Tensor, "n 3 3"], head: Float[Tensor, "n 3"], unit: float
) -> tuple[Float[Tensor, "n 3 3"], Float[Tensor, "n 3"]]:
    """Turn heads about the middle of the surface that their cameras see, which stays where it was.

    About the head's centre, a turn would move the face in the image as a shift does, and what tells the two apart,
    the outline, weighs little: learned together they would make up for each other's errors, slowly.

    Args:
        turn: Turns in the cameras' axes.
        rotation, head: Where the heads are (world to camera).
        unit: Radius of a head.

    Returns:
        Rotation and position of the turned heads.
    """
    towards_camera = turn.new_tensor([0.0, 0.0, 1.0])
    return turn @ rotation, head + SURFACE_DEPTH * unit * (towards_camera - turn[:, :, 2])
