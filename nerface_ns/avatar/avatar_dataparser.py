"""Stands where a run has its data: cameras and expressions of an avatar file, and its thumbnail for every picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Type

import torch
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from nerfstudio.data.scene_box import SceneBox

from nerface_ns.avatar.avatar_file import AvatarFile, read_avatar
from nerface_ns.avatar.avatar_model import metadata, training_cameras
from nerface_ns.data.dataparsers.face_dataparser import FaceDataParser, FaceDataParserConfig

PICTURE = "thumbnail.png"
"""The picture, beside the avatar."""


@dataclass
class AvatarDataParserConfig(FaceDataParserConfig):
    """An avatar file in the place of data; a run of it can be looked at, not trained or scored."""

    _target: Type = field(default_factory=lambda: AvatarDataParser)
    """Target class to instantiate."""


class AvatarDataParser(FaceDataParser):
    """Gives the recording's cameras and expressions as the avatar file has them; no picture of it is left."""

    config: AvatarDataParserConfig

    @cached_property
    def avatar(self) -> AvatarFile:
        """The file, read and checked once."""
        return read_avatar(self.config.data)

    @property
    def sequence(self) -> Any:  # type: ignore[override]
        """Only the folder, which the viewer asks for."""
        return SimpleNamespace(root=self.config.data.parent)

    def _read_sequence(self) -> Any:
        raise ValueError(f"{self.config.data}: an avatar holds no pictures, so it can be neither trained nor checked")

    def _generate_dataparser_outputs(self, split: str = "train", **kwargs: Any) -> DataparserOutputs:
        picture, avatar = self.config.data.parent / PICTURE, self.avatar
        if not picture.is_file():
            raise FileNotFoundError(f"{picture}: expected the picture that nerface-avatar import wrote, found none")
        cameras = training_cameras(avatar)
        count = len(avatar.expression)
        if split != "train":
            cameras, count = cameras[:1], 1
        names = [f"frame {index}" for index in range(count)]
        return DataparserOutputs(
            image_filenames=[Path(picture)] * count,
            cameras=cameras,
            scene_box=SceneBox(aabb=avatar.scene_box),
            metadata={**metadata(avatar), "dataset_name": "avatar", "region_boxes": {}, "frame_names": names},
            dataparser_transform=torch.eye(4)[:3],
            dataparser_scale=1.0,
        )
