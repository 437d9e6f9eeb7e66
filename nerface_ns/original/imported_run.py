"""Makes an ordinary run of this package from a checkpoint of NerFace's own code."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nerface_ns.data.frame_json import is_mirrored
from nerface_ns.evaluation.paper_protocol import paper_code_frame
from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
from nerface_ns.evaluation.run_record import require_writable_folder
from nerface_ns.original.adam_state import SplitAdam, split_adam, why_not_split
from nerface_ns.original.checkpoint_layout import CheckpointLayout, checkpoint_layout
from nerface_ns.original.import_settings import ImportSettings
from nerface_ns.original.network_layout import NetworkSizes, read_sizes
from nerface_ns.original.original_checkpoint import (
    COARSE,
    FINE,
    OriginalCheckpoint,
    read_original_checkpoint,
    save_aside,
)
from nerface_ns.original.run_config import run_config, set_optimizers
from nerface_ns.original.run_optimizers import group_names, started_optimizers

KEPT = "nerface_original"
"""Entry of a run's checkpoint that holds what of NerFace's has no place elsewhere. nerfstudio neither reads nor writes
it, so it is gone once training goes on, as it should: the last loss and the like are no longer true."""


@dataclass
class ImportedRun:
    """A run folder that was made."""

    config_path: Path
    """Its config.yml."""
    iteration: int
    """The iteration after which it stands."""
    notes: tuple[str, ...]
    """What could not be taken over."""


def import_checkpoint(path: Path, settings: ImportSettings) -> ImportedRun:
    """Turn NerFace's checkpoint into a run folder of method `nerface-paper`.

    Raises:
        FileNotFoundError: The checkpoint or the data are not there.
        ValueError: The file is no such checkpoint, it does not fit the data, or the run's folder is there already.
    """
    checkpoint = read_original_checkpoint(path)
    code_length = checkpoint.latent_codes.shape[1]
    coarse, fine = (
        read_sizes(f"{path}: {name}", network, settings.position_octaves, code_length)
        for name, network in ((COARSE, checkpoint.coarse), (FINE, checkpoint.fine))
    )
    require_writable_folder(settings.output_dir, "--output-dir")
    config = run_config(checkpoint, coarse, fine, settings)
    with quiet_nerfstudio():
        pipeline = config.pipeline.setup(device="cpu", test_mode="inference")
    dataparser, model = pipeline.datamanager.dataparser, pipeline.model
    train = dataparser.sequence.splits["train"]
    for name, sizes in ((COARSE, coarse), (FINE, fine)):
        _check_expression(f"{path}: {name}", sizes, train.expression.shape[1], train.source)
    _check_images_and_codes(path, checkpoint, train, model.image_size)
    config.pipeline.model.code_frame = _code_frame(dataparser, settings.code_frame)
    mirrored = is_mirrored(train.source)
    layout = checkpoint_layout(
        coarse,
        fine,
        num_frames=len(train),
        image_size=model.image_size,
        position_is_mirrored=mirrored,
        direction_is_mirrored=mirrored and settings.fidelity == "published",
    )
    model.load_state_dict({**model.state_dict(), **layout.split(checkpoint)}, strict=True)
    adam, fault = _split_optimizer(pipeline, checkpoint, layout)
    set_optimizers(config, adam, checkpoint.iteration)
    _write_run(config, pipeline, checkpoint, adam)
    notes = () if adam is not None else (f"training goes on with empty moments, because of the optimizer: {fault}",)
    return ImportedRun(config.get_base_dir() / "config.yml", checkpoint.iteration, notes)


def _check_expression(where: str, sizes: NetworkSizes, num_coefficients: int, source: Path) -> None:
    if sizes.num_coefficients != num_coefficients:
        raise ValueError(
            f"{where}: expected {num_coefficients} expression coefficients as in {source}, got "
            f"{sizes.num_coefficients}: layers_xyz.0 has {sizes.num_inputs} columns, {sizes.num_position} of them for "
            f"the position in {sizes.position_octaves} octaves (--position-octaves), {sizes.code_length} for the code"
        )


def _check_images_and_codes(
    path: Path, checkpoint: OriginalCheckpoint, train: Any, image_size: tuple[int, int]
) -> None:
    """Refuse codes of other frames, and a background that is no image of the data's size."""
    if len(checkpoint.latent_codes) != len(train):
        raise ValueError(
            f"{path}: latent_codes: expected {len(train)}, one for each training frame of {train.source}, "
            f"got {len(checkpoint.latent_codes)}"
        )
    if checkpoint.background is not None and tuple(checkpoint.background.shape[:2]) != image_size:
        (height, width), got = image_size, checkpoint.background.shape
        raise ValueError(
            f"{path}: background: expected {width}x{height} pixels as the images of {train.source}, got "
            f"{got[1]}x{got[0]}; a network that was trained on smaller images needs --resolution {got[0]}"
        )


def _code_frame(dataparser: Any, asked: int | None) -> int:
    """The training frame that lends its code to frames never trained on."""
    num_frames = len(dataparser.sequence.splits["train"])
    if asked is None:
        return paper_code_frame(dataparser)[0]
    if not 0 <= asked < num_frames:
        raise ValueError(f"--code-frame: expected a training frame in 0..{num_frames - 1}, got {asked}")
    return asked


def _split_optimizer(
    pipeline: Any, checkpoint: OriginalCheckpoint, layout: CheckpointLayout
) -> tuple[SplitAdam | None, str | None]:
    """Split NerFace's Adam into the run's, or say why that cannot be."""
    if checkpoint.optimizer is None:
        return None, "the checkpoint has none"
    fault = why_not_split(checkpoint.optimizer, layout.optimised)
    if fault is not None:
        return None, fault
    trained = [name for names in group_names(pipeline).values() for name in names]
    return split_adam(checkpoint.optimizer, layout.optimised, trained), None


def _write_run(config: Any, pipeline: Any, checkpoint: OriginalCheckpoint, adam: SplitAdam | None) -> None:
    """Write the run's folder, whole or not at all."""
    folder = config.get_base_dir()
    if folder.exists():
        raise ValueError(f"{folder}: expected no such folder yet, found one; choose another --timestamp")
    optimizers, schedulers = started_optimizers(config, pipeline, adam, checkpoint.iteration)
    state = {
        "step": checkpoint.iteration,
        "pipeline": pipeline.state_dict(),
        "optimizers": optimizers,
        "schedulers": schedulers,
        "scalers": {},
        KEPT: {
            "order": list(checkpoint.order),
            "others": checkpoint.others,
            "adam_is_split": adam is not None,
            "adam": checkpoint.optimizer if adam is None else adam.frame,
        },
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
        inner = Path(partial) / "run"
        save_aside(inner / config.relative_model_dir / f"step-{checkpoint.iteration:09d}.ckpt", state)
        (inner / "config.yml").write_text(yaml.dump(config), encoding="utf-8")
        pipeline.datamanager.train_dataparser_outputs.save_dataparser_transform(inner / "dataparser_transforms.json")
        inner.rename(folder)
