"""Makes a run folder of an avatar file, for nerfstudio's viewer and renderer."""

from __future__ import annotations

import copy
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml

from nerface_ns.avatar.avatar_dataparser import PICTURE, AvatarDataParserConfig
from nerface_ns.avatar.avatar_file import read_avatar
from nerface_ns.avatar.avatar_model import build_avatar

AVATAR = "avatar.nerface"
"""Name of the file's copy in the run's folder."""


def import_avatar(path: Path, output_dir: Path) -> Path:
    """Write a run of an avatar; returns its config.yml.

    Everything in the folder is written by this program from checked values: names of classes come from this package's
    own methods, not from the file.

    Raises:
        FileNotFoundError: There is no such avatar.
        ValueError: It is no avatar, or nothing can be written there.
    """
    from PIL import Image

    from nerface_ns.evaluation.run_record import require_writable_folder

    avatar = read_avatar(path)
    pipeline = build_avatar(str(path), avatar)
    require_writable_folder(output_dir, "--output-dir")
    config = _run_config(avatar, output_dir)
    folder = config.get_base_dir()
    if folder.exists():
        raise ValueError(f"{folder}: expected no such folder yet, found one; wait a second")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
        inner = Path(partial) / "run"
        (inner / config.relative_model_dir).mkdir(parents=True)
        shutil.copyfile(path, inner / AVATAR)
        Image.fromarray(avatar.thumbnail.numpy()).save(inner / PICTURE)
        state = {f"_model.{name}": tensor for name, tensor in pipeline.model.state_dict().items()}
        checkpoint = inner / config.relative_model_dir / f"step-{avatar.step:09d}.ckpt"
        torch.save({"step": avatar.step, "pipeline": state, "optimizers": {}, "scalers": {}}, checkpoint)
        (inner / "config.yml").write_text(yaml.dump(config), encoding="utf-8")
        inner.rename(folder)
    return folder / "config.yml"


def _run_config(avatar: Any, output_dir: Path) -> Any:
    """Return a run's configuration: that of the method, with the avatar's model and in the place of data its file."""
    from nerface_ns.configs import method_configs as methods

    known = [
        *(methods.nerface, methods.nerface_blendshape, methods.nerface_gaze),
        *(methods.nerface_paper, methods.nerface_siren),
    ]
    by_name = {method.config.method_name: method.config for method in known}
    config: Any = copy.deepcopy(by_name.get(avatar.method, methods.nerface.config))
    config.output_dir, config.experiment_name = output_dir, "avatar"
    config.set_timestamp()
    data = (config.get_base_dir() / AVATAR).absolute()
    config.data = data
    config.pipeline.datamanager.data = data
    config.pipeline.datamanager.dataparser = AvatarDataParserConfig(data=data)
    config.pipeline.model = avatar.model_config
    return config
