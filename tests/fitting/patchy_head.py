"""A head for fits: an egg with a nose, patches of colour all round and a mouth that the expression moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Type

import torch
from blob_model import NUM_FRAMES, BlobField, BlobFieldConfig, look_at_origin, make_metadata, make_model
from nerfstudio.cameras.cameras import Cameras
from torch import Tensor

from nerface_ns.rendering.render_subject import RenderSubject

SIZE = 24
NAMES = ("jawOpen", "browInnerUp", "cheekPuff")


@dataclass
class PatchyFieldConfig(BlobFieldConfig):
    _target: Type = field(default_factory=lambda: PatchyField)


class PatchyField(BlobField):
    def get_density(self, positions: Tensor, frame_rows: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        egg = (positions / torch.tensor([0.08, 0.11, 0.09])).norm(dim=-1) - 1
        nose = (positions - torch.tensor([0.0, -0.01, 0.095])).norm(dim=-1) / 0.03 - 1
        inside = torch.sigmoid(-40 * torch.minimum(egg, nose))
        return inside * self.config.density * self.gain, positions

    def get_rgb(self, directions: Tensor, frame_rows: Tensor, prepared: Any, embedding: Tensor) -> Tensor:
        x, y, z = embedding.unbind(dim=-1)
        expression = prepared.expression[frame_rows]
        mouth = torch.exp(-((x / 0.04) ** 2 + ((y + 0.05) / 0.025) ** 2)) * (z > 0)
        brow = torch.exp(-((x / 0.05) ** 2 + ((y - 0.05) / 0.02) ** 2)) * (z > 0)
        red = torch.sin(45 * x + 1) + torch.sin(38 * y) - 3 * mouth * expression[:, 0]
        green = torch.sin(41 * y + 20 * z) + 4 * brow * expression[:, 1]
        blue = torch.sin(50 * x - 30 * y) + prepared.latent_code[frame_rows, 0]
        return torch.sigmoid(torch.stack([red, green, blue], dim=-1))


def camera_at(yaw: float, pitch: float = 0.0, distance: float = 0.5) -> Tensor:
    yaw, pitch = torch.tensor(yaw), torch.tensor(pitch)
    place = torch.stack([yaw.sin() * pitch.cos(), pitch.sin() + 1e-3, yaw.cos() * pitch.cos()])
    return look_at_origin(place * distance)


def train_poses() -> Tensor:
    yaws = torch.linspace(-0.5, 0.5, NUM_FRAMES).tolist()
    return torch.stack([camera_at(yaw, 0.15 * (-1) ** index) for index, yaw in enumerate(yaws)])


def cameras_at(poses: Tensor, **metadata: Tensor) -> Cameras:
    lens = {"fx": 36.0, "fy": 36.0, "cx": SIZE / 2, "cy": SIZE / 2, "width": SIZE, "height": SIZE}
    return Cameras(camera_to_worlds=poses, **lens, metadata=metadata or None)


class PatchyDataset:
    """Training images of the head, rendered by the model itself."""

    def __init__(self, model: Any, cameras: Cameras) -> None:
        self.metadata: dict[str, Any] = {}
        self.cameras, self.scene_box = cameras, model.scene_box
        self._images = [model.get_outputs_for_camera(cameras[i : i + 1])["rgb"] for i in range(len(cameras))]

    def get_data(self, index: int) -> dict[str, Tensor]:
        return {"image": self._images[index]}


def make_subject() -> RenderSubject:
    """A head whose codes differ, before a grey background."""
    torch.manual_seed(0)
    poses = train_poses()
    metadata = {**make_metadata(), "train_camera_to_world": poses, "image_size": (SIZE, SIZE)}
    metadata["expression_names"] = NAMES
    model = make_model(metadata, radiance_field=PatchyFieldConfig(), intervals_across_box=28)
    index = torch.arange(NUM_FRAMES)[:, None]
    cameras = cameras_at(poses, frame_index=index, expression=metadata["train_expression"])
    datamanager = SimpleNamespace(train_dataset=PatchyDataset(model, cameras))
    pipeline = SimpleNamespace(model=model, datamanager=datamanager, device="cpu")
    return RenderSubject(pipeline, Path("config.yml"))
