"""The registered methods: one factory, a line of difference for each."""

from __future__ import annotations

from typing import Any, Dict

import torch
from nerfstudio.configs.base_config import MachineConfig, ViewerConfig
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.pipelines.base_pipeline import VanillaPipelineConfig
from nerfstudio.plugins.types import MethodSpecification

from nerface_ns.configs.dataparser_configs import nerface_demo
from nerface_ns.data.face_datamanager import FaceDataManagerConfig
from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig
from nerface_ns.model_components.adam import FaceAdamConfig
from nerface_ns.model_components.schedules import WarmupDecaySchedulerConfig
from nerface_ns.models.base_face_model import FaceModelConfig
from nerface_ns.models.occ_face_model import OccFaceModelConfig

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


def _face_trainer(method_name: str, model: FaceModelConfig, num_steps: int = 10_000) -> TrainerConfig:
    """Return the trainer's configuration of a method; only the model differs between methods.

    Args:
        method_name: As `ns-train` knows it.
        model: The method's model.
        num_steps: Steps of a whole training.
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
            datamanager=FaceDataManagerConfig(dataparser=nerface_demo.config),
            model=model,
        ),
        optimizers=_optimizers(num_steps),
        viewer=ViewerConfig(num_rays_per_chunk=1 << 15, max_num_display_images=8, websocket_host="127.0.0.1"),
        vis="viewer",
    )


nerface = MethodSpecification(
    config=_face_trainer("nerface", OccFaceModelConfig(radiance_field=WarpedGridFieldConfig())),
    description="NerFace's avatar from a tracked face video, in a fast warped grid behind an occupancy grid.",
)
