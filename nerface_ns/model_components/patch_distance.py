"""What a loss on whole patches compares besides colours: LPIPS, a substitute that needs no weights, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.model_components.patch_similarity import structural_difference

PerceptualLoss = Literal["lpips", "ms-ssim", "none"]
"""How patches are compared."""
PatchDistance = Callable[[Tensor, Tensor], Tensor]
"""Mean distance of rendered patches from true ones, both (patches, size, size, 3) in [0, 1]."""


def vgg_weights() -> tuple[Path, str]:
    """Return where torch hub keeps VGG16's weights on this machine, and the address they come from."""
    from torchvision.models import VGG16_Weights

    url = VGG16_Weights.IMAGENET1K_V1.url
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1], url


def make_patch_distance(perceptual: PerceptualLoss) -> PatchDistance | None:
    """Return the distance that a training asks for; None for "none".

    Raises:
        FileNotFoundError: LPIPS is asked for, and its weights are not on this machine.
    """
    if perceptual == "none":
        return None
    return VggPatchDistance() if perceptual == "lpips" else structural_difference


class VggPatchDistance:
    """LPIPS with VGG16 (Zhang et al., CVPR 2018), differentiable. Nothing is downloaded.

    The network is built with the first patches and belongs to no module tree, hence to no checkpoint.

    Raises:
        FileNotFoundError: VGG16's weights are not in torch hub's cache.
    """

    def __init__(self) -> None:
        path, url = vgg_weights()
        if not path.is_file():
            raise FileNotFoundError(
                f"staged_losses.perceptual lpips: expected VGG16's weights as {path}, found none. Save {url} there, or "
                "choose ms-ssim, which needs no weights, or none"
            )
        self._network: Any = None

    def __call__(
        self, render: Float[Tensor, "patches size size 3"], truth: Float[Tensor, "patches size size 3"]
    ) -> Float[Tensor, ""]:
        """Return the mean distance of patches with colours in [0, 1]."""
        if self._network is None:
            self._network = _build_network().to(render.device)
        first, second = render.movedim(-1, 1), truth.movedim(-1, 1)
        # normalize: scales [0, 1] to the [-1, 1] that the network was trained on.
        return self._network(first, second, normalize=True).mean()


def _build_network() -> Any:
    """VGG16 with LPIPS's weights of its layers, frozen."""
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    return LearnedPerceptualImagePatchSimilarity(net_type="vgg").net
