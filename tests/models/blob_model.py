"""A model whose field is a plain ball, coloured by what it is told of a frame, and cameras that look at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Type

import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor

from nerface_ns.data.face_rays import FaceRayGenerator
from nerface_ns.fields.base_face_field import FaceField, FaceFieldConfig
from nerface_ns.models.occ_face_model import OccFaceModel, OccFaceModelConfig

NUM_FRAMES, NUM_COEFFICIENTS = 6, 3
HEIGHT, WIDTH = 12, 16
RADIUS = 0.1
NEAR_FAR = (0.2, 0.9)


@dataclass
class BlobFieldConfig(FaceFieldConfig):
    """A ball."""

    _target: Type = field(default_factory=lambda: BlobField)
    density: float = 2000.0


class BlobField(FaceField):
    """Red tells the first coefficient, green the first number of the code, blue how far the camera is turned."""

    config: BlobFieldConfig

    def __init__(self, config, scene_box, num_coefficients, code_length) -> None:
        super().__init__(config, scene_box, num_coefficients, code_length)
        self.gain = torch.nn.Parameter(torch.ones(()))

    def get_density(self, positions: Tensor, frame_rows: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        inside = (positions.norm(dim=-1) < RADIUS).float()
        return inside * self.config.density * self.gain, positions

    def get_rgb(self, directions: Tensor, frame_rows: Tensor, prepared: Any, embedding: Tensor) -> Tensor:
        told = [prepared.expression[:, 0], prepared.latent_code[:, 0], prepared.camera_rotation[:, 0, 2]]
        return torch.sigmoid(torch.stack(told, dim=-1))[frame_rows]


def look_at_origin(position: Tensor) -> Tensor:
    """(3, 4) OpenGL camera-to-world at `position`, y up."""
    back = torch.nn.functional.normalize(position, dim=0)
    right = torch.nn.functional.normalize(torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]), back), dim=0)
    return torch.stack([right, torch.linalg.cross(back, right), back, position], dim=1)


def head_poses(count: int = NUM_FRAMES) -> Tensor:
    """Cameras half a unit away, turned from side to side."""
    yaw = torch.linspace(-0.5, 0.5, count)
    return torch.stack([look_at_origin(torch.stack([a.sin() * 0.5, a * 0.02 + 0.01, a.cos() * 0.5])) for a in yaw])


def train_expression(num_frames: int = NUM_FRAMES, num_coefficients: int = NUM_COEFFICIENTS) -> Tensor:
    return torch.rand(num_frames, num_coefficients, generator=torch.Generator().manual_seed(0))


def make_metadata(
    num_frames: int = NUM_FRAMES, num_coefficients: int = NUM_COEFFICIENTS, background: Path | None = None
) -> dict[str, Any]:
    """What a face dataset tells the model; the frames fill the first four fifths of the track."""
    return {
        "expression_names": tuple(f"expression_{k}" for k in range(num_coefficients)),
        "train_expression": train_expression(num_frames, num_coefficients),
        "train_times": torch.linspace(0, 0.8, num_frames)[:, None],
        "train_camera_to_world": head_poses(num_frames),
        "image_size": (HEIGHT, WIDTH),
        "near_far": NEAR_FAR,
        "background_filename": background,
    }


def make_model(metadata: dict[str, Any] | None = None, **settings: Any) -> OccFaceModel:
    """A model of a ball in a box of half a unit, with codes that tell their frame, in evaluation mode."""
    metadata = metadata or make_metadata()
    settings = {"radiance_field": BlobFieldConfig(), **settings}
    box = SceneBox(aabb=torch.tensor([[-0.2, -0.15, -0.2], [0.2, 0.15, 0.2]]))
    config = OccFaceModelConfig(**settings)
    model = config.setup(scene_box=box, num_train_data=len(metadata["train_expression"]), metadata=metadata)
    with torch.no_grad():
        model.latent_codes.codes.copy_(0.1 * (torch.arange(len(model.latent_codes.codes))[:, None] + 1))
    return model.eval()


def make_cameras(count: int = NUM_FRAMES, scale: float = 1.0, **conditions: Any) -> Cameras:
    """Cameras of the training frames, `scale` times as many pixels; conditions are `times` and `metadata`."""
    return Cameras(
        camera_to_worlds=head_poses(count),
        fx=20.0 * scale,
        fy=20.0 * scale,
        cx=WIDTH * scale / 2,
        cy=HEIGHT * scale / 2,
        width=int(WIDTH * scale),
        height=int(HEIGHT * scale),
        **conditions,
    )


def pixel_rays(indices: Tensor, frame_index: bool = True) -> RayBundle:
    """Rays of pixels given by camera, row, column, as the data manager makes them.

    Args:
        indices: (rays, 3), grouped by camera.
        frame_index: Whether the frames were trained on; else the rays carry their expressions.
    """
    index = torch.arange(NUM_FRAMES)[:, None]
    metadata = {"frame_index": index if frame_index else torch.full_like(index, -1), "expression": train_expression()}
    cameras = make_cameras(times=torch.linspace(0, 0.8, NUM_FRAMES)[:, None], metadata=metadata)
    keys = ("frame_index",) if frame_index else ("frame_index", "expression")
    return FaceRayGenerator(cameras, condition_keys=keys)(indices)


def train_rays(frames: list[int], rays_per_frame: int = 40, seed: int = 0, frame_index: bool = True) -> RayBundle:
    """Rays of random pixels of some frames."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(HEIGHT, (len(frames) * rays_per_frame,), generator=generator)
    columns = torch.randint(WIDTH, (len(frames) * rays_per_frame,), generator=generator)
    indices = torch.stack([torch.tensor(frames).repeat_interleave(rays_per_frame), rows, columns], dim=-1)
    return pixel_rays(indices, frame_index)
