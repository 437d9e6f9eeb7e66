"""Opens a finished run from its `config.yml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nerface_ns.evaluation.quiet_output import quiet_nerfstudio


def load_run(
    config_path: Path,
    code_protocol: str | None = None,
    code_frame: int | None = None,
    quiet: bool = True,
    model_settings: Mapping[str, Any] | None = None,
) -> tuple[Any, Any, Path, int]:
    """Load a run's latest checkpoint through nerfstudio.

    The checkpoint is looked for beside `config.yml`, so a run folder that was moved still loads.

    Args:
        config_path: The `config.yml` of a run.
        code_protocol: Replaces the model's own rule for the latent codes of frames never trained on.
        code_frame: Replaces the training frame whose code protocol "frame" lends.
        quiet: Whether to keep nerfstudio's messages off the terminal.
        model_settings: Replaces further settings of the model by name; the checkpoint must fit them.

    Returns:
        The run's config, its pipeline, the checkpoint's path and the step it was saved at.

    Raises:
        FileNotFoundError: There is no such config, or no checkpoint beside it.
        ValueError: The checkpoint does not fit the data (another number of frames or of expression coefficients), the
            method has no latent codes, or the model has no setting of a name.
    """
    config_path = Path(config_path)
    if not config_path.is_file():
        raise FileNotFoundError(f"{config_path}: no such file; expected the config.yml of a training run")
    from nerfstudio.utils.eval_utils import eval_setup

    def prepare(config: Any) -> Any:
        """Point the run at its folder, and put in what is asked for."""
        model_dir = config_path.parent / config.relative_model_dir
        if not any(model_dir.glob("step-*.ckpt")):
            raise FileNotFoundError(f"{model_dir}: expected a checkpoint (step-*.ckpt) of {config_path}, found none")
        config.relative_model_dir = model_dir.resolve()
        for name, value in (("code_protocol", code_protocol), ("code_frame", code_frame)):
            if value is not None and not hasattr(config.pipeline.model, name):
                option = f"--{name.replace('_', '-')}"
                raise ValueError(f"{option} {value}: method {config.method_name} has no latent codes")
            if value is not None:
                setattr(config.pipeline.model, name, value)
        for name, value in (model_settings or {}).items():
            if not hasattr(config.pipeline.model, name):
                raise ValueError(f"model setting {name}: method {config.method_name} has none of this name")
            setattr(config.pipeline.model, name, value)
        return config

    with quiet_nerfstudio(quiet):
        try:
            return eval_setup(config_path, test_mode="test", update_config_callback=prepare)
        except RuntimeError as error:
            if "size mismatch" not in str(error):
                raise
            raise ValueError(
                f"{config_path}: the checkpoint does not fit its data, which must be what it was trained on "
                f"(the same number of frames and of expression coefficients): {error}"
            ) from error
