"""One learned code per training frame, and what a frame without one gets instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Type, get_args

import torch
from jaxtyping import Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor, nn

from nerface_ns.conditioning.face_condition import CodeProtocol


@dataclass
class LatentCodesConfig(InstantiateConfig):
    """Per-frame codes take up what the expression leaves out (NerFace, section 3.2)."""

    _target: Type = field(default_factory=lambda: LatentCodes)
    """Target class to instantiate."""
    length: int = 8
    """Numbers in a code; 0 trains without codes (NerFace: 32)."""


class LatentCodes(nn.Module):
    """Learned codes of the training frames, zero at the start.

    Args:
        config: Length of a code.
        train_expression: Coefficients of the training frames, to find the nearest frame.
    """

    train_expression: Tensor

    def __init__(
        self, config: LatentCodesConfig, train_expression: Float[Tensor, "num_frames num_coefficients"]
    ) -> None:
        super().__init__()
        self.codes = nn.Parameter(torch.zeros(len(train_expression), config.length))
        self.register_buffer("train_expression", train_expression.clone(), persistent=False)

    def forward(self, frame_index: Int[Tensor, "num_frames"]) -> Float[Tensor, "num_frames code_length"]:
        """Return the codes of training frames."""
        return self.codes[frame_index]

    def unseen(
        self,
        expression: Float[Tensor, "num_frames num_coefficients"],
        protocol: CodeProtocol,
        frame: int = 0,
        likeness: Optional[Float[Tensor, "num_frames num_train_frames"]] = None,
    ) -> Float[Tensor, "num_frames code_length"]:
        """Return codes for frames that were not trained on.

        Args:
            expression: Raw coefficients of these frames.
            protocol: "zero"; "mean" of all codes; "nearest": the training frame with the closest coefficients
                (Euclidean); "frame": one given training frame's (NerFace's evaluation).
            frame: The frame of protocol "frame".
            likeness: Share of each training frame's person, where there are several; frames of others lend nothing.

        Raises:
            ValueError: The protocol has no such name, or there is no such frame.
        """
        num_frames = expression.shape[0]
        if protocol == "zero":
            return torch.zeros_like(self.codes[:1]).expand(num_frames, -1)
        if protocol == "mean":
            if likeness is None:
                return self.codes.mean(dim=0, keepdim=True).expand(num_frames, -1)
            return likeness @ self.codes / likeness.sum(dim=1, keepdim=True)
        if protocol == "nearest":
            distance = torch.cdist(expression, self.train_expression)
            if likeness is not None:
                distance = distance.masked_fill(likeness <= 0, torch.inf)
            return self.codes[distance.argmin(dim=1)]
        if protocol == "frame":
            if not 0 <= frame < len(self.codes):
                raise ValueError(f"code_frame: expected a training frame in 0..{len(self.codes) - 1}, got {frame}")
            return self.codes[frame : frame + 1].expand(num_frames, -1)
        raise ValueError(f"code_protocol: expected one of {get_args(CodeProtocol)}, got {protocol!r}")
