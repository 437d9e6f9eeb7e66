"""Says in the data's words why a checkpoint does not fit a model."""

from __future__ import annotations

from typing import Any, Dict

from torch import nn


def check_sizes(module: nn.Module, state_dict: Dict[str, Any], prefix: str, *_: Any) -> None:
    """Name the sizes that differ before torch lists every tensor that does not fit; a hook of `load_state_dict`."""
    identities = getattr(module, "identities", None)
    stored_codes, known = (
        state_dict.get(f"{prefix}identities.codes"),
        1 if identities is None else len(identities.names),
    )
    stored_persons = 1 if stored_codes is None else len(stored_codes)
    if f"{prefix}latent_codes.codes" in state_dict and stored_persons != known:
        raise ValueError(
            f"checkpoint: expected {known} person{'s' * (known != 1)} as in the data, got {stored_persons}; "
            "was it trained on other data? The data's folders are given with commas between, in the training's order"
        )
    for name, axis, what in (
        ("latent_codes.codes", 0, "training frames"),
        ("latent_codes.codes", 1, "numbers per latent code"),
        ("expression_encoding.mean", 0, "expression coefficients"),
    ):
        stored = state_dict.get(prefix + name)
        expected = module.get_parameter(name) if name.endswith("codes") else module.get_buffer(name)
        if stored is not None and stored.shape[axis] != expected.shape[axis]:
            raise ValueError(
                f"checkpoint: expected {expected.shape[axis]} {what} as in the data, got {stored.shape[axis]}; "
                "was it trained on other data or with other settings?"
            )
