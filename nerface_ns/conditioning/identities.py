"""The persons of a model that was trained on several: a learned code each, and each one's own range of expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Tuple, Type

import torch
from jaxtyping import Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor, nn

from nerface_ns.conditioning import keys
from nerface_ns.conditioning.expression import ExpressionEncodingConfig

SUM_TOLERANCE = 1e-4
"""How far the shares of persons may be from 1 together, by rounding."""


@dataclass
class IdentitiesConfig(InstantiateConfig):
    """Codes of the persons; without use where the data show one."""

    _target: Type = field(default_factory=lambda: Identities)
    """Target class to instantiate."""
    length: int = 8
    """Numbers in a person's code."""


class Identities(nn.Module):
    """Codes and expression ranges of persons, which mix linearly.

    A frame's identity is given as the persons' shares in it, which add up to 1: a recorded frame is all of one person.

    Args:
        config: Length of a code.
        names: The persons.
        frame_identity: Whose each training frame is.
        train_expression: Coefficients of the training frames.
        encoding: How expressions become conditions.

    Raises:
        ValueError: Codes without numbers, or a person without a training frame.
    """

    frame_identity: Tensor

    def __init__(
        self,
        config: IdentitiesConfig,
        names: Tuple[str, ...],
        frame_identity: Int[Tensor, "num_frames"],
        train_expression: Float[Tensor, "num_frames num_coefficients"],
        encoding: ExpressionEncodingConfig,
    ) -> None:
        super().__init__()
        if config.length < 1:
            raise ValueError(f"identities.length: expected at least 1 to tell {len(names)} persons by, got 0")
        counts = torch.bincount(frame_identity, minlength=len(names)).tolist()
        if 0 in counts:
            raise ValueError(f"{names[counts.index(0)]}: expected at least one training frame, got none")
        self.names = names
        self.register_buffer("frame_identity", frame_identity.clone(), persistent=False)
        # Persons start as far from each other as they can, so that their differences need not break a symmetry first.
        self.codes = nn.Parameter(nn.init.orthogonal_(torch.empty(len(names), config.length)))
        ranges = [encoding.setup(train_expression=train_expression[frame_identity == row]) for row in range(len(names))]
        self.encodings = nn.ModuleList(ranges)
        self.shown = 0
        """Person of frames that say nothing of their identity."""

    def of_frames(self, frame_index: Int[Tensor, "num_frames"]) -> Float[Tensor, "num_frames num_identities"]:
        """Return the shares of persons in training frames; other frames (-1) are the person that is shown."""
        rows = torch.where(frame_index < 0, self.shown, self.frame_identity[frame_index])
        return nn.functional.one_hot(rows, len(self.names)).to(self.codes.dtype)

    def forward(self, shares: Float[Tensor, "num_frames num_identities"]) -> Float[Tensor, "num_frames length"]:
        """Return codes."""
        return shares @ self.codes

    def encode(
        self,
        expression: Float[Tensor, "num_frames num_coefficients"],
        shares: Float[Tensor, "num_frames num_identities"],
    ) -> Float[Tensor, "num_frames num_coefficients"]:
        """Return the condition of raw coefficients: what each person makes of them, in their shares."""
        encoded = torch.stack([encoding(expression) for encoding in self.encodings], dim=1)
        return torch.einsum("fi,fik->fk", shares, encoded)

    def frames_like(
        self, shares: Float[Tensor, "num_frames num_identities"]
    ) -> Float[Tensor, "num_frames num_train_frames"]:
        """Return the share of each training frame's person in some frames."""
        return shares[:, self.frame_identity]


def make_identities(
    config: IdentitiesConfig, metadata: Mapping[str, Any], encoding: ExpressionEncodingConfig
) -> Optional[Identities]:
    """Return the persons that a dataset's metadata name; None where it shows one."""
    names = metadata.get(keys.IDENTITY_NAMES)
    if names is None:
        return None
    return config.setup(
        names=tuple(names),
        frame_identity=metadata[keys.TRAIN_IDENTITY],
        train_expression=metadata[keys.TRAIN_EXPRESSION].float(),
        encoding=encoding,
    )


def parse_shares(text: str, names: Sequence[str]) -> Float[Tensor, " num_identities"]:
    """Read "NAME", or a mixture "NAME:SHARE,NAME:SHARE", whose shares are scaled to add up to 1.

    Raises:
        ValueError: A name is unknown or comes twice, or a share is no positive number.
    """
    shares = torch.zeros(len(names))
    for part in text.split(","):
        # A name may hold colons; what follows the last one is a share where it is a number.
        name, _, share = (part, "", "1") if part in names else part.rpartition(":")
        if name not in names:
            raise ValueError(f"--identity {text}: expected persons among {', '.join(names)}, got '{name or part}'")
        value = _positive(share)
        if value is None or shares[names.index(name)] > 0:
            fault = f"'{share}'" if value is None else f"{name} twice"
            raise ValueError(f"--identity {text}: expected a positive number once for each person, got {fault}")
        shares[names.index(name)] = value
    return shares / shares.sum()


def _positive(text: str) -> Optional[float]:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None
