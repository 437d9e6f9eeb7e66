"""The registered methods: one factory, a line of difference for each."""

from __future__ import annotations

from typing import Any, Dict, Optional

import torch
from nerfstudio.configs.base_config import MachineConfig, ViewerConfig
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.pipelines.base_pipeline import VanillaPipelineConfig
from nerfstudio.plugins.types import MethodSpecification

from nerface_ns.configs.dataparser_configs import nerface_demo
from nerface_ns.data.face_datamanager import FaceDataManagerConfig
from nerface_ns.data.face_pixel_sampler import FacePixelSamplerConfig
from nerface_ns.fields.nerface_field import NeRFaceFieldConfig
from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig
from nerface_ns.model_components.adam import FaceAdamConfig
from nerface_ns.model_components.schedules import WarmupDecaySchedulerConfig
from nerface_ns.model_components.step_decay import StepDecaySchedulerConfig
from nerface_ns.models.base_face_model import FaceModelConfig
from nerface_ns.models.occ_face_model import OccFaceModelConfig
from nerface_ns.models.paper_face_model import PaperFaceModelConfig

LEARNING_RATES = {"grids": 1e-2, "networks": 4e-3, "latent_codes": 1e-3, "background": 5e-3}
"""Initial learning rate of each parameter group."""


def _default_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _optimizers(num_steps: int) -> Dict[str, Any]:
    return {
        name: {
            "optimizer": FaceAdamConfig(lr=rate),
            "scheduler": WarmupDecaySchedulerConfig(max_steps=num_steps),
        }
        for name, rate in LEARNING_RATES.items()
    }


def _paper_optimizers() -> Dict[str, Any]:
    """Return Adam as NerFace's code sets it up: torch's defaults, one rate for everything."""
    return {
        name: {
            "optimizer": FaceAdamConfig(lr=5e-4, eps=1e-8, betas=(0.9, 0.999)),
            "scheduler": StepDecaySchedulerConfig(),
        }
        for name in ("networks", "latent_codes", "background")
    }


def _face_trainer(
    method_name: str,
    model: FaceModelConfig,
    num_steps: int = 10_000,
    optimizers: Optional[Dict[str, Any]] = None,
    **datamanager: Any,
) -> TrainerConfig:
    """Return the trainer's configuration of a method; only what is passed here differs between methods.

    Args:
        method_name: As `ns-train` knows it.
        model: The method's model.
        num_steps: Steps of a whole training.
        optimizers: By parameter group; None takes `LEARNING_RATES`.
        datamanager: Settings of the data manager.
    """
    model.max_num_steps = num_steps
    return TrainerConfig(
        method_name=method_name,
        max_num_iterations=num_steps,
        steps_per_save=2000,
        steps_per_eval_batch=500,
        steps_per_eval_image=1000,
        steps_per_eval_all_images=100_000,
        mixed_precision=False,
        machine=MachineConfig(device_type=_default_device()),  # type: ignore[arg-type]
        pipeline=VanillaPipelineConfig(
            datamanager=FaceDataManagerConfig(dataparser=nerface_demo.config, **datamanager),
            model=model,
        ),
        optimizers=_optimizers(num_steps) if optimizers is None else optimizers,
        viewer=ViewerConfig(num_rays_per_chunk=1 << 15, max_num_display_images=8, websocket_host="127.0.0.1"),
        vis="viewer",
    )


nerface = MethodSpecification(
    config=_face_trainer("nerface", OccFaceModelConfig(radiance_field=WarpedGridFieldConfig())),
    description="NerFace's avatar from a tracked face video, in a fast warped grid behind an occupancy grid.",
)

nerface_paper = MethodSpecification(
    config=_face_trainer(
        "nerface-paper",
        PaperFaceModelConfig(coarse_field=NeRFaceFieldConfig(), fine_field=NeRFaceFieldConfig()),
        num_steps=400_000,
        optimizers=_paper_optimizers(),
        images_per_batch=1,
        pixel_sampler=FacePixelSamplerConfig(region_share=0.0, replacement=False),
    ),
    description="NerFace's own recipe: coarse and fine networks, 64 + 64 samples a ray; slow, for comparison.",
)
