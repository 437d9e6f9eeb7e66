"""Losses that change with the step, as NeRFBlendShape's training code switches them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Type

import torch
from jaxtyping import Bool, Float, Int
from nerfstudio.configs.base_config import InstantiateConfig
from torch import Tensor

from nerface_ns.model_components.loss_weights import LossWeights
from nerface_ns.model_components.patch_distance import PatchDistance, PerceptualLoss, make_patch_distance


@dataclass
class StagedLossesConfig(InstantiateConfig):
    """Three phases: colours and the mask; colours; colours and patches. The patch sampler says when patches begin."""

    _target: Type = field(default_factory=lambda: StagedLosses)
    """Target class to instantiate."""
    mask_until_step: int = 4000
    """Training step, counted from 0, from which on the mask no longer pulls at the opacity."""
    mask_weight: float = 1.0
    """Weight of the absolute difference of opacity and matte before that step; applies where the data have mattes."""
    patch_share: float = 0.5
    """Share of the patches in the loss of a step that has some; the rest is its single pixels' (NeRFBlendShape's code
    averages a step of patches and one of pixels)."""
    patch_photometric_weight: float = 0.1
    """Weight of the patches' colours, beside that of single pixels."""
    perceptual_weight: float = 0.1
    """Weight of the patches' perceptual distance."""
    perceptual: PerceptualLoss = "ms-ssim"
    """"lpips": with VGG16, as in the release; its weights must be on this machine. "ms-ssim": 1 - SSIM, averaged over
    three scales of a patch, needs no weights. "none": colours alone."""
    table_weight: float = 1.0
    """Weight of the mean absolute entry of the expression's tables, in all phases; 0 for fields without tables."""


class StagedLosses:
    """Loss terms of one step.

    Args:
        config: Phases and weights.
        weights: Weights of the step that is made; the constants of the settings without it.

    Raises:
        ValueError: A share or a weight is out of its range.
    """

    def __init__(self, config: StagedLossesConfig, weights: Optional[LossWeights] = None) -> None:
        if not 0 <= config.patch_share <= 1:
            raise ValueError(f"staged_losses.patch_share: expected a number in [0, 1], got {config.patch_share}")
        for name in ("mask_weight", "patch_photometric_weight", "perceptual_weight", "table_weight"):
            if getattr(config, name) < 0:
                raise ValueError(f"staged_losses.{name}: expected at least 0, got {getattr(config, name)}")
        self.config = config
        self.weights = LossWeights(config) if weights is None else weights
        self._patch_distance: Optional[PatchDistance] = None

    def make_ready(self) -> None:
        """Prepare for training; patches may come at any step.

        Raises:
            FileNotFoundError: The perceptual loss asked for needs weights that are not on this machine.
        """
        self._patch_distance = make_patch_distance(self.config.perceptual)

    def photometric(
        self,
        colour_error: Float[Tensor, "rays"],
        patch_rows: Optional[Int[Tensor, "patches size size"]],
    ) -> Float[Tensor, ""]:
        """Return the mean error of colours, that of patches weighed by itself.

        Args:
            colour_error: Loss of each ray's colour.
            patch_rows: Rays of each patch's pixels; None in steps without patches.
        """
        if patch_rows is None:
            return colour_error.mean()
        share, weight = self.config.patch_share, self.weights["patch_photometric"]
        single = colour_error[_is_single(len(colour_error), patch_rows)]
        return (1 - share) * single.mean() + share * weight * colour_error[patch_rows].mean()

    def perceptual(
        self,
        render: Float[Tensor, "rays 3"],
        truth: Float[Tensor, "rays 3"],
        patch_rows: Int[Tensor, "patches size size"],
    ) -> Optional[Float[Tensor, ""]]:
        """Return the weighted perceptual distance of a step's patches; None where it is switched off."""
        weight = self.config.patch_share * self.weights["perceptual"]
        if weight == 0 or self.config.perceptual == "none":
            return None
        if self._patch_distance is None:
            self.make_ready()
        assert self._patch_distance is not None
        return weight * self._patch_distance(render[patch_rows], truth[patch_rows])

    def mask(
        self, step: int, accumulation: Float[Tensor, "rays 1"], alpha: Float[Tensor, "rays 1"]
    ) -> Optional[Float[Tensor, ""]]:
        """Return the weighted difference of opacity and matte; None after its phase."""
        if step >= self.config.mask_until_step or self.weights["mask"] == 0:
            return None
        return self.weights["mask"] * (accumulation - alpha).abs().mean()


def _is_single(num_rays: int, patch_rows: Int[Tensor, "patches size size"]) -> Bool[Tensor, "rays"]:
    """Which rays belong to no patch."""
    is_single = torch.ones(num_rays, dtype=torch.bool, device=patch_rows.device)
    is_single[patch_rows.flatten()] = False
    return is_single
