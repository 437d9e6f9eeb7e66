"""Which latent code rendered frames ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, get_args

from jaxtyping import Float
from torch import Tensor

from nerface_ns.conditioning.face_condition import CodeProtocol


@dataclass(frozen=True)
class LatentCodeChoice:
    """A rule for the code of every frame."""

    protocol: CodeProtocol
    """Rule by which the code is found."""
    frame: int = 0
    """Training frame of protocol "frame"."""

    @classmethod
    def parse(cls, text: str) -> LatentCodeChoice:
        """Read "zero", "mean", "nearest" or "frame:N".

        Raises:
            ValueError: It is none of these.
        """
        protocol, _, frame = text.partition(":")
        if protocol == "frame" and frame.isdigit():
            return cls("frame", int(frame))
        if protocol not in get_args(CodeProtocol) or protocol == "frame" or ":" in text:
            raise ValueError(f"--code {text}: expected zero, mean, nearest or frame:N, N a training frame from 0")
        return cls(protocol)  # type: ignore[arg-type]

    def codes(
        self,
        model: Any,
        expression: Float[Tensor, "num_frames num_coefficients"],
        shares: Optional[Float[Tensor, " num_identities"]] = None,
    ) -> Optional[Float[Tensor, "num_frames code_length"]]:
        """Return the frames' codes; None for a model trained without.

        Args:
            model: Whose codes.
            expression: What the frames show.
            shares: Of the persons, where the model knows several: frames of others lend no codes.

        Raises:
            ValueError: There is no such training frame.
        """
        if model.latent_codes.codes.shape[1] == 0:
            return None
        try:
            like = None if shares is None else model.identities.frames_like(shares.expand(len(expression), -1))
            codes = model.latent_codes.unseen(expression.to(model.device), self.protocol, self.frame, like)
        except ValueError as error:
            raise ValueError(f"--code {self.protocol}:{self.frame}: {error}") from error
        return codes.detach().cpu()
