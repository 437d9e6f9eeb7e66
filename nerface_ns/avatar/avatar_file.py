"""The schema of an avatar file, version 1: what stands in it, checked as a whole before anything is built.

The container (`tensor_file`) holds a description, a JSON object with exactly these keys:

    method             name of the method it was trained with, for people
    step               training step
    package_version    version of this package that wrote the file
    licence, note      what may be done with the avatar, and whether the person agreed
    image_size         [height, width] of the training images
    near_far           [near, far], depths between which something is
    expression_names   names of the K coefficients
    model              settings, see `config_json`

and these tensors, N being the number of training frames:

    scene_box                 (2, 3)      corners of the box that holds the head
    thumbnail                 (h, w, 3)   a small picture, bytes
    frames.expression         (N, K)      what was recorded: neutral and mean expression follow from it
    frames.times              (N, 1)
    frames.camera_to_world    (N, 3, 4)
    frames.intrinsics         (N, 4)      fx, fy, cx, cy in pixels
    frames.gaze               (N, 2)      left out where the data had none
    model.NAME                            the model's state: field, grid, codes, ranges, background, cameras' mean
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nerface_ns.avatar.config_json import config_from_json, config_to_json
from nerface_ns.avatar.tensor_file import TensorFile, read_tensor_file, write_tensor_file

SUFFIX = ".nerface"
STATE = "model."
"""What the names of the model's own tensors begin with."""
MAX_TEXT, MAX_NAMES, MAX_SIDE_PX, MAX_THUMBNAIL_PX = 4000, 4096, 8192, 1024
MAX_DISTANCE = 1e6
"""Largest coordinate, in scene units, and largest focal length, in pixels."""
ROTATION_TOLERANCE = 1e-2
METHOD = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
VERSION_TEXT = re.compile(r"[0-9A-Za-z.+-]{1,64}")


@dataclass
class AvatarFile:
    """Everything that an avatar file says."""

    method: str
    """Name of the method, for people: what is built follows from `model_config`."""
    step: int
    """Training step."""
    package_version: str
    """Version of this package that wrote the file."""
    licence: str
    """What may be done with the avatar."""
    note: str
    """Whether the person shown agreed, and to what."""
    image_size: tuple[int, int]
    """Height and width of the training images."""
    near_far: tuple[float, float]
    """Depths between which something is."""
    expression_names: tuple[str, ...]
    """Names of the coefficients."""
    model_config: Any
    """Settings of the model."""
    scene_box: Float[Tensor, "2 3"]
    """Corners of the box that holds the head."""
    thumbnail: UInt8[Tensor, "height width 3"]
    """A small picture."""
    expression: Float[Tensor, "num_frames num_coefficients"]
    """Of the training frames."""
    times: Float[Tensor, "num_frames 1"]
    """Their places on the recording."""
    camera_to_world: Float[Tensor, "num_frames 3 4"]
    """Their cameras as they were tracked."""
    intrinsics: Float[Tensor, "num_frames 4"]
    """fx, fy, cx, cy in pixels."""
    gaze: Optional[Float[Tensor, "num_frames 2"]]
    """Pitch and yaw; None where the data had none."""
    state: dict[str, Tensor]
    """The model's state; whether it fits the settings shows when the model is built."""


TEXT_KEYS = ("method", "step", "package_version", "licence", "note", "image_size", "near_far", "expression_names")
TENSORS = {
    "scene_box": "scene_box",
    "thumbnail": "thumbnail",
    "frames.expression": "expression",
    "frames.times": "times",
    "frames.camera_to_world": "camera_to_world",
    "frames.intrinsics": "intrinsics",
    "frames.gaze": "gaze",
}
"""Tensors beside the model's state, and the attribute that each becomes."""


def write_avatar(path: Path, avatar: AvatarFile) -> None:
    """Write an avatar, whole or not at all.

    Raises:
        ValueError: It is none that `read_avatar` would take, or nothing can be written there.
    """
    if path.suffix != SUFFIX:
        raise ValueError(f"{path}: expected a name that ends in {SUFFIX}")
    description = {key: getattr(avatar, key) for key in TEXT_KEYS}
    description = {key: list(value) if isinstance(value, tuple) else value for key, value in description.items()}
    tensors = {name: getattr(avatar, attribute) for name, attribute in TENSORS.items()}
    tensors = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    tensors |= {STATE + name: tensor for name, tensor in avatar.state.items()}
    content = TensorFile({**description, "model": config_to_json(avatar.model_config)}, tensors)
    parse_avatar(str(path), content)
    write_tensor_file(path, content)


def read_avatar(path: Path) -> AvatarFile:
    """Read an avatar; nothing in the file is executed, and no path in it is followed, for there is none.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no avatar of this version, or something in it cannot be.
    """
    return parse_avatar(str(path), read_tensor_file(Path(path)))


def parse_avatar(where: str, content: TensorFile) -> AvatarFile:
    """Check a container against the schema.

    Raises:
        ValueError: It does not keep to it; the message names the part.
    """
    description, tensors = content.description, dict(content.tensors)
    odd = sorted(description.keys() ^ {*TEXT_KEYS, "model"})
    if odd:
        keys = ", ".join((*TEXT_KEYS, "model"))
        raise ValueError(f"{where}: description: expected the keys {keys}; odd one: {odd[0][:60]!r}")
    state = {name[len(STATE) :]: tensors.pop(name) for name in list(tensors) if name.startswith(STATE)}
    missing = TENSORS.keys() - tensors.keys() - {"frames.gaze"}
    unknown = tensors.keys() - TENSORS.keys()
    if missing or unknown:
        odd_tensor = sorted(missing or unknown)[0]
        raise ValueError(f"{where}: expected the tensors {', '.join(TENSORS)}; odd one: {odd_tensor[:60]!r}")
    names = _names(where, description["expression_names"])
    _check_tensors(where, tensors, len(names))
    texts: dict[str, Any] = {key: _text(f"{where}: {key}", description[key]) for key in ("licence", "note")}
    for key, pattern in (("method", METHOD), ("package_version", VERSION_TEXT)):
        texts[key] = _text(f"{where}: {key}", description[key])
        if not pattern.fullmatch(texts[key]):
            raise ValueError(f"{where}: {key}: expected {pattern.pattern}, got {texts[key][:60]!r}")
    (step,) = _whole(f"{where}: step", [description["step"]], 1, 0, 10**12)
    height, width = _whole(f"{where}: image_size", description["image_size"], 2, 1, MAX_SIDE_PX)
    attributes: dict[str, Any] = {attribute: tensors.get(name) for name, attribute in TENSORS.items()}
    return AvatarFile(
        **texts,
        step=step,
        image_size=(height, width),
        near_far=_near_far(where, description["near_far"]),
        expression_names=names,
        model_config=config_from_json(f"{where}: model", description["model"]),
        state=state,
        **attributes,
    )


def _check_tensors(where: str, tensors: dict[str, Tensor], num_coefficients: int) -> None:
    """Refuse shapes and values that no recording has."""
    count = len(tensors["frames.expression"]) if tensors["frames.expression"].dim() else 0
    if count < 1:
        raise ValueError(f"{where}: frames.expression: expected at least one frame")
    shapes: dict[str, tuple[int, ...]] = {
        "scene_box": (2, 3),
        "frames.expression": (count, num_coefficients),
        "frames.times": (count, 1),
        "frames.camera_to_world": (count, 3, 4),
        "frames.intrinsics": (count, 4),
        "frames.gaze": (count, 2),
    }
    for name, tensor in tensors.items():
        dtype = torch.uint8 if name == "thumbnail" else torch.float32
        shape = shapes.get(name, tuple(tensor.shape))
        if tensor.dtype != dtype or tuple(tensor.shape) != shape:
            got = f"{tensor.dtype} of {tuple(tensor.shape)}"
            raise ValueError(f"{where}: {name}: expected {dtype} of {shape}, got {got}")
        if dtype == torch.float32 and bool((tensor.abs() > MAX_DISTANCE).any()):
            raise ValueError(f"{where}: {name}: expected numbers within +-{MAX_DISTANCE:g}, got some beyond")
    picture = tensors["thumbnail"].shape
    if len(picture) != 3 or picture[2] != 3 or not all(1 <= side <= MAX_THUMBNAIL_PX for side in picture[:2]):
        raise ValueError(f"{where}: thumbnail: expected up to {MAX_THUMBNAIL_PX} pixels a side, got {tuple(picture)}")
    box, rotation = tensors["scene_box"], tensors["frames.camera_to_world"][:, :, :3]
    if not bool((box[1] - box[0] > 1e-6).all()):
        raise ValueError(f"{where}: scene_box: expected a lower and an upper corner, got {box.tolist()}")
    off = (rotation @ rotation.transpose(1, 2) - torch.eye(3)).abs().amax(dim=(1, 2)) > ROTATION_TOLERANCE
    if bool((off | (torch.linalg.det(rotation) < 0)).any()):
        raise ValueError(f"{where}: frames.camera_to_world: expected proper rotations, got something else")
    if not bool((tensors["frames.intrinsics"][:, :2] > 0).all()):
        raise ValueError(f"{where}: frames.intrinsics: expected positive focal lengths")


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(f"{where}: expected a text of up to {MAX_TEXT} characters, got {type(value).__name__}")
    if any(ord(letter) < 32 and letter != "\n" for letter in value):
        raise ValueError(f"{where}: expected a text without control characters, got {value[:60]!r}")
    return value


def _names(where: str, value: Any) -> tuple[str, ...]:
    is_list = isinstance(value, list) and 0 < len(value) <= MAX_NAMES
    if not is_list or not all(isinstance(name, str) and 0 < len(name) <= 200 for name in value):
        raise ValueError(f"{where}: expression_names: expected up to {MAX_NAMES} texts, got {str(value)[:60]!r}")
    if len(set(value)) < len(value) or any(not name.isprintable() for name in value):
        raise ValueError(f"{where}: expression_names: expected distinct printable names, got {str(value)[:60]!r}")
    return tuple(value)


def _whole(where: str, value: Any, count: int, low: int, high: int) -> tuple[int, ...]:
    if (
        not isinstance(value, list)
        or len(value) != count
        or not all(type(n) is int and low <= n <= high for n in value)
    ):
        raise ValueError(f"{where}: expected whole numbers in {low}..{high}, got {str(value)[:60]!r}")
    return tuple(value)


def _near_far(where: str, value: Any) -> tuple[float, float]:
    is_pair = isinstance(value, list) and len(value) == 2 and all(type(number) in (int, float) for number in value)
    if not is_pair or not 0 <= value[0] < value[1] <= MAX_DISTANCE:
        raise ValueError(f"{where}: near_far: expected 0 <= near < far <= {MAX_DISTANCE:g}, got {str(value)[:60]!r}")
    return float(value[0]), float(value[1])
