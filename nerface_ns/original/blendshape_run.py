"""Makes an ordinary run of this package from a checkpoint of NeRFBlendShape's own code."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Optional

import yaml
from torch import Tensor

from nerface_ns.conditioning.expression import ExpressionEncodingConfig
from nerface_ns.configs.dataparser_configs import nerfblendshape_data
from nerface_ns.configs.method_configs import nerface_blendshape
from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
from nerface_ns.evaluation.run_record import require_writable_folder
from nerface_ns.original.blendshape_network import (
    HALF_BOX,
    WORLD_SCALE,
    ReleasedSizes,
    released_field_config,
    released_field_state,
)
from nerface_ns.original.original_checkpoint import load_tensors, save_aside
from nerface_ns.original.run_optimizers import started_optimizers

INTERVALS_ACROSS_BOX = 127
"""Its longest step is so much of the box, and at its cameras' distance all steps are that long."""
OCCUPANCY_REFRESHES = 8
"""Rounds in which each cell of the occupancy grid is asked at a random place under a random training expression."""


@dataclass(kw_only=True)
class BlendshapeImportSettings:
    """What NeRFBlendShape's checkpoint does not say about itself."""

    data: Path
    """Folder of the data it was trained on, in its own layout."""
    output_dir: Path = Path("outputs")
    """Folder below which the run's own folder is made, as `ns-train` does."""
    experiment_name: Optional[str] = None
    """Folder of the experiment; the data's name without it."""
    timestamp: Optional[str] = None
    """Folder of the run; date and time without it."""
    resolution: Optional[int] = None
    """Image height to render at; as stored without it."""
    sizes: ReleasedSizes = field(default_factory=ReleasedSizes)
    """Options of its script."""


def import_blendshape(path: Path, settings: BlendshapeImportSettings) -> Path:
    """Turn NeRFBlendShape's checkpoint into a run folder of method `nerface-blendshape`; returns its config.yml.

    Pictures are those of its field. Its density grid is not taken over: the occupancy grid is filled anew. Its
    optimizer is not either: training goes on with empty moments.

    Raises:
        FileNotFoundError: The checkpoint or the data are not there.
        ValueError: The file is no such checkpoint, it does not fit the data, or the run's folder is there already.
    """
    state, step = _read(path)
    try:
        field_config = released_field_config(state, settings.sizes)
        parameters = released_field_state(state, settings.sizes)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    require_writable_folder(settings.output_dir, "--output-dir")
    config = _run_config(field_config, settings)
    if config.get_base_dir().exists():
        raise ValueError(f"{config.get_base_dir()}: expected no such folder yet, found one; choose another --timestamp")
    with quiet_nerfstudio():
        pipeline = config.pipeline.setup(device="cpu", test_mode="inference")
    model, num_bases = pipeline.model, len(parameters["tables.bases"])
    if num_bases != len(model.expression_names):
        raise ValueError(
            f"{path}: encoder.embeddings: expected {len(model.expression_names)} tables, one for each coefficient of "
            f"{settings.data}, got {num_bases}"
        )
    model.field.load_state_dict({**parameters, "aabb": model.field.aabb}, strict=True)
    model.eval()
    for _ in range(OCCUPANCY_REFRESHES):
        model.occupancy.refresh(0, model.step_size, model._density_of_any_expression)
    return _write_run(config, pipeline, step)


def _read(path: Path) -> tuple[Dict[str, Tensor], int]:
    """Return the model's state dict and the step after which it was saved."""
    content = load_tensors(path)
    state = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or "encoder.embeddings" not in state:
        got = sorted(map(str, content))[:6] if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"{path}: expected NeRFBlendShape's checkpoint with a model's encoder.embeddings, got {got}")
    step = content.get("global_step", 0)
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        raise ValueError(f"{path}: global_step: expected a whole number of at least 0, got {step!r}")
    return state, step


def _run_config(field_config: Any, settings: BlendshapeImportSettings) -> Any:
    """Return the configuration of `nerface-blendshape` with the release's sizes, box and conditions."""
    config: Any = copy.deepcopy(nerface_blendshape.config)
    config.output_dir, config.experiment_name = settings.output_dir, settings.experiment_name
    config.timestamp = settings.timestamp or config.timestamp
    config.set_timestamp()
    config.data = settings.data
    dataparser: Any = copy.deepcopy(nerfblendshape_data.config)
    dataparser.data, dataparser.resolution = settings.data, settings.resolution
    side = HALF_BOX / WORLD_SCALE
    dataparser.camera_distance, dataparser.scene_box = None, (-side, -side, -side, side, side, side)
    config.pipeline.datamanager.data, config.pipeline.datamanager.dataparser = settings.data, dataparser
    model = config.pipeline.model
    model.radiance_field = field_config
    model.expression = ExpressionEncodingConfig(clamp_margin=0.0, centre=False, scale=1.0)
    model.latent_codes.length = 0
    model.intervals_across_box = INTERVALS_ACROSS_BOX
    # `ns-train --load-config` goes on from here; the other commands look beside config.yml.
    config.load_dir = config.get_checkpoint_dir().absolute()
    return config


def _write_run(config: Any, pipeline: Any, step: int) -> Path:
    """Write the run's folder, whole or not at all."""
    folder = config.get_base_dir()
    optimizers, schedulers = started_optimizers(config, pipeline, None, step)
    state = {
        "step": step,
        "pipeline": pipeline.state_dict(),
        "optimizers": optimizers,
        "schedulers": schedulers,
        "scalers": {},
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
        inner = Path(partial) / "run"
        save_aside(inner / config.relative_model_dir / f"step-{step:09d}.ckpt", state)
        (inner / "config.yml").write_text(yaml.dump(config), encoding="utf-8")
        pipeline.datamanager.train_dataparser_outputs.save_dataparser_transform(inner / "dataparser_transforms.json")
        inner.rename(folder)
    return folder / "config.yml"
