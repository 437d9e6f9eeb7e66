"""What a score depends on besides the model: latent codes of frames never trained on, and how images are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.conditioning.face_condition import CodeProtocol

PAPER = "paper"
"""Name of NerFace's own protocol in tables and JSON."""


@dataclass(frozen=True)
class EvaluationProtocol:
    """A named way to evaluate a run."""

    name: str
    """Key in tables and JSON."""
    code: CodeProtocol | None = None
    """Rule for the latent codes of frames never trained on; None leaves it to the model's settings."""
    code_frame: int = 0
    """Training frame of rule "frame"."""
    compares_as_paper: bool = False
    """Compare images as NerFace's metrics script does (`paper_metrics`), whole images only."""


RUN_PROTOCOL = EvaluationProtocol("run")
"""The model's own settings."""


def code_protocols(rules: Sequence[CodeProtocol], code_frame: int = 0) -> list[EvaluationProtocol]:
    """Return protocols that differ in the latent codes' rule and are named for it, each once.

    Args:
        rules: In the order of the table's rows.
        code_frame: Training frame of rule "frame".
    """
    return [EvaluationProtocol(rule, rule, code_frame) for rule in dict.fromkeys(rules)]


def frame_codes(
    model: Any, metadata: Mapping[str, Tensor], protocols: Sequence[EvaluationProtocol]
) -> list[tuple[Float[Tensor, "1 code_length"] | None, list[EvaluationProtocol]]]:
    """Return the different latent codes that protocols give one frame, each with the protocols that ask for it.

    A frame that was trained on has its own code, and codes without numbers are all the same, so that such frames are
    rendered once however many protocols there are.

    Args:
        model: A `FaceModel`.
        metadata: Of the frame's camera.
        protocols: At least one.

    Returns:
        A code of None is what the model takes by itself.

    Raises:
        ValueError: The model has no latent codes, or there is no such training frame.
    """
    groups: list[tuple[Tensor | None, list[EvaluationProtocol]]] = []
    for protocol in protocols:
        code = _frame_code(model, metadata, protocol)
        same = next((group for known, group in groups if _is_same(known, code)), None)
        if same is None:
            groups.append((code, [protocol]))
        else:
            same.append(protocol)
    return groups


def _frame_code(model: Any, metadata: Mapping[str, Tensor], protocol: EvaluationProtocol) -> Tensor | None:
    if protocol.code is None:
        return None
    codes = getattr(model, "latent_codes", None)
    if codes is None:
        raise ValueError(f"code protocol {protocol.code}: {type(model).__name__} has no latent codes")
    index = metadata.get(keys.FRAME_INDEX)
    was_trained_on = index is not None and int(index.flatten()[0]) >= 0
    if was_trained_on or codes.codes.shape[1] == 0:
        return None
    expression = metadata[keys.EXPRESSION].reshape(1, -1).float().to(codes.codes.device)
    return codes.unseen(expression, protocol.code, protocol.code_frame).detach()


def _is_same(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None:
        return first is second
    return torch.equal(first, second)
