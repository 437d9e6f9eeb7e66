"""Static methods whose training step `nerface` is compared with, on the same rays and the same machine."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Type
from unittest import mock

import torch
from nerfstudio.configs.base_config import InstantiateConfig
from stepped_training import SteppedTraining, stepped_config
from torch import Tensor, nn

from nerface_ns.model_components.nerfacc_cuda import cuda_kernels_error

STAND_IN = "static stand-in (nerface without deformation, expression and codes)"
NERFACTO, INSTANT_NGP = "nerfacto", "instant-ngp-bounded"
LPIPS = "torchmetrics.image.lpip.LearnedPerceptualImagePatchSimilarity"
"""nerfstudio's models build it, and it would fetch weights; no step uses it."""


@dataclass
class NoDeformationConfig(InstantiateConfig):
    """Leaves points where they are."""

    _target: Type = field(default_factory=lambda: NoDeformation)
    """Target class to instantiate."""


class NoDeformation(nn.Module):
    """The interface of a deformation.

    Args:
        config: Nothing.
        num_coefficients: Without use.
        num_out: Numbers per point.
    """

    def __init__(self, config: NoDeformationConfig, num_coefficients: int, num_out: int) -> None:
        super().__init__()
        self.num_out = num_out

    def prepare(self, expression: Tensor) -> None:
        """Do nothing."""

    def forward(self, points: Tensor, frame_rows: Tensor, prepared: None) -> Tensor:
        """Return a row of zeros for every point, all the same row."""
        return points.new_zeros(1, self.num_out).expand(len(points), -1)


def static_config(work: Path, data: Path | None, resolution: int | None, seed: int) -> Any:
    """Return `nerface` for something that does not move: grids, occupancy march and networks are its own."""
    config = stepped_config("nerface", work, data, resolution, seed)
    radiance_field = config.pipeline.model.radiance_field
    radiance_field.deformation = NoDeformationConfig()
    radiance_field.num_ambient, radiance_field.deform_with_pose = 0, False
    config.pipeline.model.latent_codes.length = 0
    return config


def stock_config(method: str, work: Path, data: Path | None, resolution: int | None, seed: int) -> Any:
    """Return a stock method's model and optimizers behind this package's data manager and trainer."""
    from nerfstudio.configs.method_configs import all_methods

    config = stepped_config("nerface", work, data, resolution, seed)
    stock = copy.deepcopy(all_methods[method])
    config.pipeline.model, config.optimizers = stock.pipeline.model, stock.optimizers
    config.mixed_precision = stock.mixed_precision and torch.cuda.is_available()
    if hasattr(config.pipeline.model, "camera_optimizer"):
        config.pipeline.model.camera_optimizer.mode = "off"
    return config


def build_yardsticks(
    wanted: tuple[str, ...], work: Path, data: Path | None, resolution: int | None, seed: int
) -> tuple[dict[str, SteppedTraining], dict[str, str]]:
    """Set yardsticks up.

    Returns:
        The trainings that can run here by name, and why the others cannot.
    """
    trainings: dict[str, SteppedTraining] = {}
    reasons: dict[str, str] = {}
    for name in wanted:
        if name == STAND_IN:
            trainings[name] = SteppedTraining(static_config(work, data, resolution, seed))
            continue
        if name == INSTANT_NGP and cuda_kernels_error() is not None:
            reasons[name] = f"nerfacc samples and renders packed rays with CUDA kernels only: {cuda_kernels_error()}"
            continue
        with mock.patch(LPIPS, return_value=nn.Identity()):
            trainings[name] = SteppedTraining(stock_config(name, work, data, resolution, seed))
    return trainings, reasons


def implementation(training: SteppedTraining) -> str:
    """Say what computes a stock method's networks and encodings."""
    from nerfstudio.utils.external import TCNN_EXISTS

    if hasattr(training.model, "occupancy"):
        return "nerface_ns"
    return "tiny-cuda-nn" if TCNN_EXISTS else "torch (tiny-cuda-nn is not installed)"


def fixed_samples_per_ray(training: SteppedTraining) -> int | None:
    """Return the samples per ray of the main field of a method that has a fixed number; None for others."""
    return getattr(training.model.config, "num_nerf_samples_per_ray", None)
