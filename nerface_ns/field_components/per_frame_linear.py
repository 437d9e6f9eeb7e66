"""Linear layers whose weights or biases belong to a frame instead of a sample."""

from __future__ import annotations

from typing import Any, List

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def frame_counts(frame_rows: Int[Tensor, "num_samples"], num_frames: int) -> List[int]:
    """Return how many samples each frame has; samples must be ordered by frame."""
    return torch.bincount(frame_rows, minlength=num_frames).tolist()


def per_frame_matmul(
    features: Float[Tensor, "num_samples num_in"],
    matrices: Float[Tensor, "num_frames num_in num_out"],
    counts: List[int],
) -> Float[Tensor, "num_samples num_out"]:
    """Multiply each sample with its frame's matrix.

    Args:
        features: Samples ordered by frame.
        matrices: One for each frame.
        counts: Samples of each frame, as `frame_counts` gives them.
    """
    return _PerFrameMatmul.apply(features, matrices, counts)


class _PerFrameMatmul(torch.autograd.Function):
    """One matrix product per frame, without a gather of matrices per sample."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, matrices: Tensor, counts: List[int]) -> Tensor:
        """Multiply each frame's rows by its matrix."""
        ctx.save_for_backward(features, matrices)
        ctx.counts = counts
        products = features.new_empty(len(features), matrices.shape[2])
        for part, matrix, product in zip(features.split(counts), matrices, products.split(counts)):
            torch.mm(part, matrix, out=product)
        return products

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Return the derivatives by features and matrices."""
        features, matrices = ctx.saved_tensors
        parts = gradients[0].split(ctx.counts)
        feature_grad = torch.cat([part @ matrix.T for part, matrix in zip(parts, matrices)])
        pairs = zip(features.split(ctx.counts), parts)
        return feature_grad, torch.stack([feature.T @ part for feature, part in pairs]), None


def add_per_frame(
    outputs: Float[Tensor, "num_samples num_out"],
    shifts: Float[Tensor, "num_frames num_out"],
    frame_rows: Int[Tensor, "num_samples"],
) -> Float[Tensor, "num_samples num_out"]:
    """Add each frame's shift to its samples, which are ordered by frame; on the CPU `outputs` itself is changed."""
    if outputs.device.type != "cpu":
        return outputs + shifts[frame_rows]
    return _PerFrameSum.apply(outputs, shifts, frame_counts(frame_rows, len(shifts)))


class _PerFrameSum(torch.autograd.Function):
    """A sum whose derivative is one sum per frame; torch's of a gather adds sample by sample, on one core."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, shifts: Tensor, counts: List[int]) -> Tensor:
        """Add in place."""
        ctx.mark_dirty(outputs)
        ctx.counts = counts
        for part, shift in zip(outputs.split(counts), shifts):
            part.add_(shift)
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Return the derivatives by outputs and shifts."""
        return gradients[0], torch.stack([part.sum(dim=0) for part in gradients[0].split(ctx.counts)]), None


class FrameBiasLinear(nn.Module):
    """Linear layer on [features, condition] with one condition per frame.

    The product with the condition is made once per frame and added as a bias, which is the same number.

    Args:
        num_features: Length of a sample's features.
        num_condition: Length of a frame's condition; 0 for none.
        num_out: Outputs.
    """

    def __init__(self, num_features: int, num_condition: int, num_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, num_out)
        self.condition = nn.Linear(num_condition, num_out, bias=False) if num_condition else None

    def forward(
        self,
        features: Float[Tensor, "num_samples num_features"],
        condition: Float[Tensor, "num_frames num_condition"],
        frame_rows: Int[Tensor, "num_samples"],
    ) -> Float[Tensor, "num_samples num_out"]:
        """Return the layer's output; `frame_rows` says which condition holds for a sample."""
        if self.condition is None:
            return self.linear(features)
        shifts = self.condition(condition)
        if len(shifts) == 1:
            return nn.functional.linear(features, self.linear.weight, self.linear.bias + shifts[0])
        return add_per_frame(self.linear(features), shifts, frame_rows)
