"""Builds a run's configuration from a registered method and command-line overrides."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nerface_ns.data.dataparsers.demo_dataparser import embedded_settings
from nerface_ns.data.merged_identities import split_folders


def method_names() -> list[str]:
    """Return the names of the methods that are installed."""
    from nerfstudio.configs.external_methods import ExternalMethodDummyTrainerConfig
    from nerfstudio.configs.method_configs import all_methods

    return [name for name, config in all_methods.items() if not isinstance(config, ExternalMethodDummyTrainerConfig)]


def parse_method_config(method: str, dataparser: str | None = None, overrides: Sequence[str] = ()) -> Any:
    """Parse a method's options as `ns-train METHOD` does.

    Args:
        method: Name of a registered method.
        dataparser: Name of a registered dataparser; the method's own without it.
        overrides: Options as `ns-train` takes them: the method's, then a dataparser's name and its own.

    Raises:
        ValueError: No such method or dataparser is registered, or two dataparsers are named.
    """
    import tyro
    from nerfstudio.configs.dataparser_configs import all_dataparsers
    from nerfstudio.configs.method_configs import all_methods

    if method not in method_names():
        raise ValueError(f"method {method!r} is not installed; expected one of {', '.join(method_names())}")
    default = copy.deepcopy(all_methods[method])
    named = [token for token in overrides if token in all_dataparsers]
    if dataparser is not None:
        if dataparser not in all_dataparsers:
            known = ", ".join(sorted(all_dataparsers))
            raise ValueError(f"--dataparser {dataparser!r} is not registered; expected one of {known}")
        if named and named != [dataparser]:
            raise ValueError(f"--dataparser {dataparser!r}, but the overrides name {named[0]!r}; expected one of them")
        default.pipeline.datamanager.dataparser = copy.deepcopy(all_dataparsers[dataparser])
    config_type: Any = tyro.conf.SuppressFixed[tyro.conf.FlagConversionOff[type(default)]]
    return tyro.cli(config_type, default=default, args=list(overrides), prog=f"(overrides of {method})")


def training_config(
    method: str,
    output_dir: Path,
    data: Path | None = None,
    dataparser: str | None = None,
    resolution: int | None = None,
    seed: int = 42,
    overrides: Sequence[str] = (),
) -> Any:
    """Build the configuration of a run that trains without viewer, console log or evaluation.

    Args:
        method: Name of a registered method.
        output_dir: Folder below which the run's own folder is made.
        data: The dataset; the dataparser's own default without it.
        dataparser: Name of a registered dataparser; the method's own without it.
        resolution: Image height in pixels after downsampling; as stored without it.
        seed: Seed of every random number.
        overrides: Options as `ns-train` takes them.

    Raises:
        FileNotFoundError: There is no such dataset.
        ValueError: Unknown method or dataparser, or a dataparser without the option that is asked for.
    """
    # The folders of several persons are looked for by the dataparser, and it knows the embedded heads' names.
    if data is not None and not data.exists() and len(split_folders(data)) < 2 and embedded_settings(data) is None:
        raise FileNotFoundError(f"--data {data}: no such file or folder")
    config = parse_method_config(method, dataparser, overrides)
    config.output_dir = output_dir
    config.data = data
    config.machine.seed = seed
    config.vis = "tensorboard"
    config.logging.local_writer.enable = False
    # Step counts of 0 mean never (nerfstudio's `step_check`): the checkpoint is written once, at the end.
    config.steps_per_save = config.steps_per_eval_batch = config.steps_per_eval_image = 0
    config.steps_per_eval_all_images = 0
    if not any(option.replace("_", "-").startswith("--max-num-iterations") for option in overrides):
        config.max_num_iterations = 1_000_000
    if resolution is not None:
        parser_config = config.pipeline.datamanager.dataparser
        if not hasattr(parser_config, "resolution"):
            raise ValueError(f"--resolution {resolution}: {type(parser_config).__name__} has no such option")
        parser_config.resolution = resolution
    return config
