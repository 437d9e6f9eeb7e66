"""Makes a checkpoint for NerFace's own code from a run of `nerface-paper`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParser
from nerface_ns.data.frame_json import is_mirrored
from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.models.paper_face_model import PaperFaceModel
from nerface_ns.original.adam_state import SETTINGS, join_adam, new_frame
from nerface_ns.original.checkpoint_layout import CheckpointLayout, checkpoint_layout
from nerface_ns.original.imported_run import KEPT
from nerface_ns.original.network_layout import COLOUR_LAYERS, NetworkSizes
from nerface_ns.original.original_checkpoint import (
    ENTRIES,
    OriginalCheckpoint,
    load_tensors,
    write_original_checkpoint,
)
from nerface_ns.original.run_optimizers import states_by_parameter

RELEASED_SIZES = NetworkSizes(
    position_octaves=10,
    direction_octaves=4,
    num_coefficients=76,
    code_length=32,
    trunk_layers=6,
    trunk_width=256,
    skip_layer=3,
    colour_width=128,
)
"""Sizes in NerFace's code, which writes them out as numbers, and octaves in its configurations."""


@dataclass
class ExportedCheckpoint:
    """A checkpoint that was written."""

    path: Path
    """Its file."""
    iteration: int
    """The iteration after which it stands."""
    notes: tuple[str, ...]
    """What NerFace's code needs to be told to load it."""


def export_checkpoint(config_path: Path, output: Path) -> ExportedCheckpoint:
    """Write a run's latest checkpoint as NerFace's training script would have.

    Raises:
        FileNotFoundError: There is no such run.
        ValueError: It is none of `nerface-paper`, or computes what NerFace's code cannot.
    """
    config, pipeline, checkpoint_path, step = load_run(config_path)
    dataparser, model = pipeline.datamanager.dataparser, pipeline.model
    if not isinstance(model, PaperFaceModel) or not isinstance(dataparser, NeRFaceDataParser):
        raise ValueError(
            f"{config_path}: expected a run of nerface-paper on data in NerFace's format, got {config.method_name} on "
            f"{type(dataparser).__name__}"
        )
    for setting, expected, got in _needed_settings(model):
        if got != expected:
            raise ValueError(f"{config_path}: {setting}: NerFace's code computes with {expected} only, got {got}")
    coarse, fine = (_sizes(model, radiance_field) for radiance_field in (model.coarse_field, model.fine_field))
    mirrored = is_mirrored(dataparser.sequence.splits["train"].source)
    layout = checkpoint_layout(
        coarse,
        fine,
        num_frames=len(model.latent_codes.codes),
        image_size=tuple(model.background.image.shape[2:]),
        position_is_mirrored=mirrored,
        direction_is_mirrored=mirrored and model.choices.direction_input == "view_direction",
    )
    checkpoint = _join(pipeline, layout, load_tensors(checkpoint_path), step)
    write_original_checkpoint(output, checkpoint)
    return ExportedCheckpoint(output, step, tuple(_size_notes(coarse, fine)))


def _needed_settings(model: PaperFaceModel) -> Iterator[tuple[str, Any, Any]]:
    """Settings that NerFace's code has no choice in: name, its value, the run's."""
    config = model.config
    for name, radiance_field in (("coarse_field", model.coarse_field), ("fine_field", model.fine_field)):
        yield f"model.{name}", "NeRFaceField", type(radiance_field).__name__
        settings: Any = radiance_field.config
        yield f"model.{name}.coordinates", "world", settings.coordinates
        yield f"model.{name}.density_activation", "relu", settings.density_activation
        yield f"model.{name}.density_bias", 0.0, settings.density_bias
        yield f"model.{name}.density_scale", 1.0, settings.density_scale
        yield f"model.{name}.colour_layers", COLOUR_LAYERS, settings.colour_layers
    yield "model.use_expression", True, config.use_expression
    yield "model.expression.centre", False, config.expression.centre
    yield "model.expression.clamp_margin", "below 0", "below 0" if config.expression.clamp_margin < 0 else "a clamp"
    is_third = math.isclose(config.expression.scale, 1 / 3, rel_tol=1e-12)
    yield "model.expression.scale", "1/3", "1/3" if is_third else config.expression.scale
    if config.background_at_end:
        yield "model.background.mode", "an image", "a colour" if model.background.mode == "colour" else "an image"


def _sizes(model: PaperFaceModel, radiance_field: Any) -> NetworkSizes:
    settings = radiance_field.config
    return NetworkSizes(
        position_octaves=settings.position_octaves,
        direction_octaves=settings.direction_octaves,
        num_coefficients=radiance_field.num_coefficients,
        code_length=radiance_field.code_length,
        trunk_layers=settings.trunk_layers,
        trunk_width=settings.trunk_width,
        skip_layer=settings.skip_layer,
        colour_width=settings.colour_width,
    )


def _join(pipeline: Any, layout: CheckpointLayout, state: dict[str, Any], step: int) -> OriginalCheckpoint:
    """Put the checkpoint together; what an import kept of the original is in it only if nothing was trained since."""
    tensors = {name: tensor.detach().cpu() for name, tensor in pipeline.model.state_dict().items()}
    _add_unused_layers(tensors, layout)
    states = states_by_parameter(pipeline, state["optimizers"])
    kept = state.get(KEPT)
    if kept is None:
        group = state["optimizers"]["networks"]["param_groups"][0]
        settings = {name: group[name] for name in SETTINGS}
        frame, is_split = new_frame(states, layout.optimised, group["lr"], settings), True
        order, others = ENTRIES, {}
    else:
        frame, is_split = kept["adam"], kept["adam_is_split"]
        order, others = tuple(kept["order"]), kept["others"]
    return layout.join(
        tensors,
        iteration=step,
        has_background=pipeline.model.config.background_at_end,
        optimizer=join_adam(states, layout.optimised, frame) if is_split else frame,
        others=others,
        order=order,
    )


def _add_unused_layers(tensors: dict[str, Tensor], layout: CheckpointLayout) -> None:
    """Networks that were not imported lack the layer that NerFace's code never asks; zeros do."""
    for parameter in (*layout.coarse, *layout.fine):
        for part in parameter.parts:
            if part.name not in tensors:
                assert "unused_colour" in part.name, part.name
                tensors[part.name] = torch.zeros(parameter.shape)


def _size_notes(coarse: NetworkSizes, fine: NetworkSizes) -> Iterator[str]:
    for name, sizes in (("coarse", coarse), ("fine", fine)):
        released, got = asdict(RELEASED_SIZES), asdict(sizes)
        others = [f"{size} {got[size]} instead of {released[size]}" for size in got if got[size] != released[size]]
        if others:
            yield f"{name} network: NerFace's code needs to be told of other sizes than its own: {', '.join(others)}"
