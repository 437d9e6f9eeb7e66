"""Makes an avatar file from a trained run."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from nerface_ns.avatar.avatar_file import AvatarFile, write_avatar
from nerface_ns.avatar.avatar_model import AvatarPipeline, build_avatar, portable_config

THUMBNAIL_PX = 128
"""Height of the thumbnail."""
NO_LICENCE = "not stated: ask whoever gave you this file"
NO_NOTE = "not stated: nothing is known about the consent of the person shown"


def export_run(config_path: Path, output: Path, licence: str = NO_LICENCE, note: str = NO_NOTE) -> AvatarFile:
    """Write the avatar of a run.

    Args:
        config_path: The run's config.yml; loading it executes code from it, so it has to be one's own.
        output: NAME.nerface.
        licence: What may be done with the avatar.
        note: Whether the person agreed, and to what.

    Raises:
        FileNotFoundError: There is no such run.
        ValueError: The run is of no method of this package, or nothing can be written there.
    """
    from nerface_ns.evaluation.run_loader import load_run

    config, pipeline, _, step = load_run(config_path)
    avatar = avatar_of(str(config_path), pipeline, config.method_name, step, licence, note)
    write_avatar(output, avatar)
    return avatar


def avatar_of(where: str, pipeline: Any, method: str, step: int, licence: str, note: str) -> AvatarFile:
    """Gather what an avatar file holds of a loaded run, and draw its thumbnail.

    Raises:
        ValueError: The run is of no method of this package, or of several persons.
    """
    from nerface_ns.models.base_face_model import FaceModel

    model = pipeline.model
    if not isinstance(model, FaceModel):
        raise ValueError(f"{where}: expected a run of a nerface method, got {type(model).__name__}")
    if model.identities is not None:
        raise ValueError(f"{where}: expected a run of one person, got one of {', '.join(model.identities.names)}")
    dataset = pipeline.datamanager.train_dataset
    cameras = dataset.cameras.to("cpu")
    gaze = (cameras.metadata or {}).get("gaze")
    avatar = AvatarFile(
        method=method,
        step=step,
        package_version=metadata.version("nerface-ns"),
        licence=licence,
        note=note,
        image_size=(int(model.image_size[0]), int(model.image_size[1])),
        near_far=_near_far(model),
        expression_names=tuple(model.expression_names),
        model_config=portable_config(model),
        scene_box=dataset.scene_box.aabb.detach().cpu().float(),
        thumbnail=torch.zeros(1, 1, 3, dtype=torch.uint8),
        expression=model.track.expression.detach().cpu(),
        times=cameras.times.float(),
        camera_to_world=cameras.camera_to_worlds.float(),
        intrinsics=torch.cat([cameras.fx, cameras.fy, cameras.cx, cameras.cy], dim=1).float(),
        gaze=None if gaze is None else gaze.float(),
        state={name: tensor.detach().cpu() for name, tensor in model.state_dict().items()},
    )
    # Built anew, so that what is written is known to load.
    avatar.thumbnail = thumbnail_of(build_avatar(where, avatar))
    return avatar


def _near_far(model: Any) -> tuple[float, float]:
    """The data's depths; a model may have others of its own settings."""
    near, far = model.kwargs["metadata"]["near_far"]
    return float(near), float(far)


def thumbnail_of(pipeline: AvatarPipeline) -> UInt8[Tensor, "height width 3"]:
    """Draw the neutral face from the person's own camera."""
    from nerface_ns.rendering.backdrop import Backdrop
    from nerface_ns.rendering.render_subject import RenderSubject

    subject = RenderSubject(pipeline, Path("avatar"), height_px=min(THUMBNAIL_PX, pipeline.file.image_size[0]))
    (shot,) = subject.shots([subject.own_camera.camera_to_worlds[0]], subject.neutral[None])
    outputs = subject.model.get_outputs_for_camera(shot.camera)
    return torch.from_numpy(Backdrop().picture(subject.model, outputs).copy())
