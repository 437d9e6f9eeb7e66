"""The configuration of a run that a checkpoint of NerFace becomes."""

from __future__ import annotations

import copy
from typing import Any

from nerface_ns.configs.dataparser_configs import nerface_data
from nerface_ns.configs.method_configs import nerface_paper
from nerface_ns.fields.nerface_field import NeRFaceFieldConfig
from nerface_ns.model_components.adam import FaceAdamConfig
from nerface_ns.model_components.step_decay import StepDecaySchedulerConfig
from nerface_ns.original.adam_state import SplitAdam
from nerface_ns.original.import_settings import ImportSettings
from nerface_ns.original.network_layout import COLOUR_LAYERS, NetworkSizes
from nerface_ns.original.original_checkpoint import OriginalCheckpoint


def run_config(
    checkpoint: OriginalCheckpoint, coarse: NetworkSizes, fine: NetworkSizes, settings: ImportSettings
) -> Any:
    """Return the configuration of `nerface-paper` with a checkpoint's sizes and the release's constants.

    Args:
        checkpoint: Its background decides what ends a ray.
        coarse, fine: Sizes of its networks.
        settings: The rest.
    """
    config: Any = copy.deepcopy(nerface_paper.config)
    config.output_dir, config.experiment_name = settings.output_dir, settings.experiment_name
    config.timestamp = settings.timestamp or config.timestamp
    config.set_timestamp()
    config.data = settings.data
    datamanager, model = config.pipeline.datamanager, config.pipeline.model
    datamanager.data = settings.data
    dataparser: Any = copy.deepcopy(nerface_data.config)
    dataparser.data, dataparser.resolution = settings.data, settings.resolution
    datamanager.dataparser = dataparser
    model.fidelity, model.near, model.far = settings.fidelity, settings.near, settings.far
    model.coarse_field, model.fine_field = (_field_config(sizes) for sizes in (coarse, fine))
    model.latent_codes.length = coarse.code_length
    model.background_at_end = checkpoint.background is not None
    if checkpoint.background is not None:
        model.background.mode = "learned" if _trains_background(checkpoint) else "photograph"
    # `ns-train --load-config` goes on from here; the other commands look beside config.yml.
    config.load_dir = config.get_checkpoint_dir().absolute()
    return config


def set_optimizers(config: Any, adam: SplitAdam | None, iteration: int) -> None:
    """Let a run learn by NerFace's law and with its Adam's settings.

    Args:
        config: The run's; changed in place.
        adam: NerFace's optimizer; None keeps the method's settings.
        iteration: Where the learning rate's law stands.
    """
    law = StepDecaySchedulerConfig(lag_steps=1)  # NerFace sets an iteration's rate after its step
    for group in config.optimizers.values():
        group["scheduler"] = law
        if adam is not None:
            # Six digits: the stored rate is the first one times a power, rounded.
            first_rate = float(f"{adam.rate / law.factor ** (iteration / law.decay_steps):.6g}")
            group["optimizer"] = FaceAdamConfig(lr=first_rate, **adam.settings)


def _field_config(sizes: NetworkSizes) -> NeRFaceFieldConfig:
    return NeRFaceFieldConfig(
        position_octaves=sizes.position_octaves,
        direction_octaves=sizes.direction_octaves,
        trunk_layers=sizes.trunk_layers,
        trunk_width=sizes.trunk_width,
        skip_layer=sizes.skip_layer,
        colour_layers=COLOUR_LAYERS,
        colour_width=sizes.colour_width,
        unused_colour_layer=True,
    )


def _trains_background(checkpoint: OriginalCheckpoint) -> bool:
    """Whether Adam has moments for the second group's parameter, which in NerFace's script is the background."""
    adam = checkpoint.optimizer or {}
    groups = adam.get("param_groups") or []
    return len(groups) == 2 and any(index in adam.get("state", {}) for index in groups[1].get("params", ()))
