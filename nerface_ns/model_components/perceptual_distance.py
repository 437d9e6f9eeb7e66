"""LPIPS that is built when first asked for, lives outside every module tree, and never downloads."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

MIN_SIDE_PX = 64
"""Images smaller than this leave nothing of AlexNet's deeper layers to compare."""


def backbone_weights() -> tuple[Path, str]:
    """Return where torch hub keeps the backbone's weights on this machine, and the address they come from."""
    from torchvision.models import AlexNet_Weights

    url = AlexNet_Weights.DEFAULT.url
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1], url


class PerceptualDistance:
    """LPIPS (Zhang et al., CVPR 2018) with AlexNet, for colours in [0, 1].

    Args:
        device: Where to compare.

    Attributes:
        message: Why there are no distances and how to get them; None where there are.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = device
        self.message: str | None = None
        self._metric = None
        path, url = backbone_weights()
        if not path.is_file():
            self.message = (
                f"LPIPS is left out: AlexNet's weights are not in torch hub's cache. "
                f"Run `nerface-doctor --fix`, or save {url} as {path}."
            )

    @property
    def available(self) -> bool:
        """Whether the weights are on this machine."""
        return self.message is None

    @torch.no_grad()
    def __call__(self, render: Float[Tensor, "height width 3"], truth: Float[Tensor, "height width 3"]) -> float | None:
        """Return the distance of two images, or None without weights or for images too small to compare."""
        if not self.available or min(truth.shape[:2]) < MIN_SIDE_PX:
            return None
        if self._metric is None:
            from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

            # normalize=True: inputs are in [0, 1] and are scaled to the [-1, 1] that the network was trained on.
            self._metric = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True).to(self.device)
        first, second = (image.permute(2, 0, 1)[None].to(self.device) for image in (render, truth))
        distance = float(self._metric(first, second))
        self._metric.reset()
        return distance
