"""Builds the model of an avatar file, without nerfstudio's loaders and without the data it was trained on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor, nn

from nerface_ns.avatar.avatar_file import AvatarFile, read_avatar
from nerface_ns.avatar.config_json import config_from_json, config_to_json
from nerface_ns.conditioning import keys
from nerface_ns.fields.base_face_field import FaceFieldConfig
from nerface_ns.models.base_face_model import FaceModel

FIELDS = {"radiance_field": "field", "coarse_field": "coarse_field", "fine_field": "fine_field"}
"""Modules of a model that hold a field, by the setting that describes it."""
FOLLOWS = ("aabb", "occupancy.aabbs", "occupancy.resolution")
"""Ends of the names of what settings and scene box decide: compiled loops trust it, so it may not be anything else."""


@dataclass
class AvatarDataset:
    """The part of a training dataset that rendering asks for."""

    cameras: Cameras
    """Of the training frames, as they were tracked."""
    scene_box: SceneBox
    """Box that holds the head."""


@dataclass
class AvatarData:
    """Stands where a pipeline has its data manager."""

    train_dataset: AvatarDataset
    """Without pictures."""


@dataclass
class AvatarPipeline:
    """A loaded avatar, in the shape in which rendering takes a run's pipeline."""

    model: FaceModel
    """In evaluation mode."""
    datamanager: AvatarData
    """Cameras of the recording."""
    file: AvatarFile
    """What the file says."""


def load_avatar(path: Path, device: str = "cpu") -> AvatarPipeline:
    """Read an avatar and build its model.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no avatar, or its tensors do not fit its settings.
    """
    return build_avatar(str(path), read_avatar(path), device)


def build_avatar(where: str, avatar: AvatarFile, device: str = "cpu") -> AvatarPipeline:
    """Build the model of a file that was read; its tensors' sizes are compared with the settings first.

    Raises:
        ValueError: They do not fit.
    """
    box = SceneBox(aabb=avatar.scene_box)
    try:
        _check_sizes(avatar, box)
        model = avatar.model_config.setup(
            scene_box=box, num_train_data=len(avatar.expression), metadata=metadata(avatar)
        )
        _check_state(model, avatar.state)
        model.load_state_dict(avatar.state, strict=True)
    # Settings from a stranger may be at odds with each other in ways that only show while layers are built.
    except (ValueError, RuntimeError, TypeError, ArithmeticError, LookupError, AssertionError) as error:
        raise ValueError(f"{where}: settings and tensors do not make a model: {error}") from error
    dataset = AvatarDataset(training_cameras(avatar), box)
    return AvatarPipeline(model.to(device).eval(), AvatarData(dataset), avatar)


def metadata(avatar: AvatarFile) -> dict[str, Any]:
    """Return what a face dataset tells a model."""
    gaze = {} if avatar.gaze is None else {keys.TRAIN_GAZE: avatar.gaze}
    return {
        **gaze,
        "expression_names": avatar.expression_names,
        "image_size": avatar.image_size,
        "near_far": avatar.near_far,
        "train_intrinsics": avatar.intrinsics,
        keys.TRAIN_EXPRESSION: avatar.expression,
        keys.TRAIN_TIMES: avatar.times,
        keys.TRAIN_CAMERA_TO_WORLD: avatar.camera_to_world,
    }


def training_cameras(avatar: AvatarFile) -> Cameras:
    """Return the cameras of the training frames."""
    height, width = avatar.image_size
    conditions = {keys.FRAME_INDEX: torch.arange(len(avatar.expression))[:, None], keys.EXPRESSION: avatar.expression}
    if avatar.gaze is not None:
        conditions[keys.GAZE] = avatar.gaze
    fx, fy, cx, cy = avatar.intrinsics.split(1, dim=1)
    return Cameras(
        camera_to_worlds=avatar.camera_to_world,
        **{"fx": fx, "fy": fy, "cx": cx, "cy": cy},
        width=width,
        height=height,
        camera_type=CameraType.PERSPECTIVE,
        times=avatar.times,
        metadata=conditions,
    )


def _check_sizes(avatar: AvatarFile, box: SceneBox) -> None:
    """Compare what takes memory with the file's tensors, before any of it is allocated."""
    config, state = avatar.model_config, avatar.state
    expected: dict[str, tuple[int, ...]] = {
        "latent_codes.codes": (len(avatar.expression), config.latent_codes.length),
        "background.image": (1, 3, 1, 1) if config.background.mode == "colour" else (1, 3, *avatar.image_size),
    }
    if config.background.mode not in ("colour", "learned"):
        raise ValueError(f"background.mode: expected colour or learned, got {config.background.mode}")
    if hasattr(config, "occupancy"):
        expected["occupancy.binaries"] = (1, *[config.occupancy.resolution] * 3)
    for setting, module in FIELDS.items():
        if hasattr(config, setting):
            with_expression = getattr(config, "use_expression", True)
            names = avatar.expression_names if with_expression else ()
            field = _unallocated(getattr(config, setting), box, len(names), config.latent_codes.length)
            expected |= {f"{module}.{name}": tuple(tensor.shape) for name, tensor in field.state_dict().items()}
    for name, shape in expected.items():
        got = tuple(state[name].shape) if name in state else "nothing"
        if got != shape:
            raise ValueError(f"{name}: expected {shape}, got {got}")


def _unallocated(config: FaceFieldConfig, box: SceneBox, num_coefficients: int, code_length: int) -> nn.Module:
    """Build a field whose tensors have sizes but no memory."""
    with torch.device("meta"):
        return config.setup(scene_box=box, num_coefficients=num_coefficients, code_length=code_length)


def _check_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Refuse names, sizes and types that are not the model's, and other values of what is not learned."""
    own = model.state_dict()
    odd = sorted(own.keys() ^ state.keys())
    if odd:
        raise ValueError(f"expected the tensors of {type(model).__name__}; odd one: {odd[0][:80]!r}")
    for name, tensor in own.items():
        got = state[name]
        if got.shape != tensor.shape or got.dtype != tensor.dtype:
            raise ValueError(
                f"{name}: expected {tensor.dtype} of {tuple(tensor.shape)}, got {got.dtype} of {tuple(got.shape)}"
            )
        if name.endswith(FOLLOWS) and not torch.equal(got, tensor):
            raise ValueError(f"{name}: expected {tensor.tolist()} as settings and scene box say, got {got.tolist()}")


def portable_config(model: FaceModel) -> Any:
    """Return a model's settings as they hold without the data: the background's photograph is part of its state."""
    mode = "colour" if model.background.mode == "colour" else "learned"
    # A run from before a setting existed gets its default here, as the model did.
    config = config_from_json("model", config_to_json(model.config))
    return dataclasses.replace(config, background=dataclasses.replace(config.background, mode=mode))
