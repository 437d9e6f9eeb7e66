"""The registered methods: one factory, a line of difference for each."""

from __future__ import annotations

from typing import Any, Dict, Literal, Optional

import torch
from nerfstudio.configs.base_config import MachineConfig, ViewerConfig
from nerfstudio.pipelines.base_pipeline import VanillaPipelineConfig
from nerfstudio.plugins.types import MethodSpecification

from nerface_ns.conditioning.expression import ExpressionEncodingConfig
from nerface_ns.configs.dataparser_configs import nerface_demo
from nerface_ns.data.face_datamanager import FaceDataManagerConfig
from nerface_ns.data.face_pixel_sampler import FacePixelSamplerConfig
from nerface_ns.data.patch_pixel_sampler import PatchPixelSamplerConfig
from nerface_ns.engine.face_trainer import FaceTrainerConfig
from nerface_ns.field_components.blended_tables import BlendedTablesConfig
from nerface_ns.fields.blendshape_field import BlendshapeFieldConfig
from nerface_ns.fields.gaze_field import GazeFieldConfig
from nerface_ns.fields.nerface_field import NeRFaceFieldConfig
from nerface_ns.fields.siren_field import SirenFieldConfig
from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig
from nerface_ns.model_components.adam import FaceAdamConfig
from nerface_ns.model_components.frame_adam import FrameAdamConfig
from nerface_ns.model_components.schedules import WarmupDecaySchedulerConfig
from nerface_ns.model_components.staged_losses import StagedLossesConfig
from nerface_ns.model_components.step_decay import StepDecaySchedulerConfig
from nerface_ns.models.base_face_model import FaceModelConfig
from nerface_ns.models.blendshape_face_model import BlendshapeFaceModelConfig
from nerface_ns.models.gaze_face_model import GazeFaceModelConfig
from nerface_ns.models.occ_face_model import OccFaceModelConfig
from nerface_ns.models.paper_face_model import PaperFaceModelConfig

LEARNING_RATES = {
    **{"grids": 1e-2, "tables": 1e-2, "networks": 4e-3, "latent_codes": 1e-3, "background": 5e-3},
    "identity_codes": 1e-3,
}
"""Initial learning rate of each parameter group; a method without such parameters has no use for the entry."""

REFINEMENT_RATES = {"cameras": 1e-2, "expression_corrections": 1e-2}
"""The same of what refines the training frames, in radians, head radii and standard deviations; without use where a
model does not refine them."""


def _default_device() -> Literal["cpu", "cuda", "mps"]:
    """Return where trainings run unless told otherwise."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _optimizers(num_steps: int, **rates: float) -> Dict[str, Any]:
    """Return every group's optimizer and schedule; rates given here go before `LEARNING_RATES`."""
    return {
        name: {
            "optimizer": FaceAdamConfig(lr=rate),
            "scheduler": WarmupDecaySchedulerConfig(max_steps=num_steps, warmup_steps=25),
        }
        for name, rate in {**LEARNING_RATES, **rates}.items()
    }


def _refinement_optimizers(num_steps: int) -> Dict[str, Any]:
    """Return optimizers and schedules of what `camera_refinement` and `expression_corrections` may enable."""
    return {
        name: {
            "optimizer": FrameAdamConfig(lr=rate),
            "scheduler": WarmupDecaySchedulerConfig(max_steps=num_steps),
        }
        for name, rate in REFINEMENT_RATES.items()
    }


def _paper_optimizers() -> Dict[str, Any]:
    """Return Adam as NerFace's code sets it up: torch's defaults, one rate for everything."""
    return {
        name: {
            "optimizer": FaceAdamConfig(lr=5e-4, eps=1e-8, betas=(0.9, 0.999)),
            "scheduler": StepDecaySchedulerConfig(),
        }
        for name in ("networks", "latent_codes", "background", "identity_codes")
    }


def _face_trainer(
    method_name: str,
    model: FaceModelConfig,
    num_steps: int = 10_000,
    optimizers: Optional[Dict[str, Any]] = None,
    **datamanager: Any,
) -> FaceTrainerConfig:
    """Return the trainer's configuration of a method; only what is passed here differs between methods.

    Args:
        method_name: As `ns-train` knows it.
        model: The method's model.
        num_steps: Steps of a whole training.
        optimizers: By parameter group; None takes `LEARNING_RATES`.
        datamanager: Settings of the data manager.
    """
    model.max_num_steps = num_steps
    return FaceTrainerConfig(
        method_name=method_name,
        max_num_iterations=num_steps,
        steps_per_save=2000,
        steps_per_eval_batch=500,
        steps_per_eval_image=1000,
        steps_per_eval_all_images=100_000,
        mixed_precision=False,
        machine=MachineConfig(device_type=_default_device()),
        pipeline=VanillaPipelineConfig(
            datamanager=FaceDataManagerConfig(dataparser=nerface_demo.config, **datamanager),
            model=model,
        ),
        optimizers={
            **(_optimizers(num_steps) if optimizers is None else optimizers),
            **_refinement_optimizers(num_steps),
        },
        viewer=ViewerConfig(num_rays_per_chunk=1 << 15, max_num_display_images=8, websocket_host="127.0.0.1"),
        vis="viewer",
    )


nerface = MethodSpecification(
    config=_face_trainer("nerface", OccFaceModelConfig(radiance_field=WarpedGridFieldConfig())),
    description="NerFace's avatar from a tracked face video, in a fast warped grid behind an occupancy grid.",
)

nerface_blendshape = MethodSpecification(
    config=_face_trainer(
        "nerface-blendshape",
        BlendshapeFaceModelConfig(
            # A table for each coefficient (rank 0) and no warp by the expression fit as well, but carry over less well,
            # and so do finer levels that follow the expression, and a finest level that is hashed.
            radiance_field=BlendshapeFieldConfig(
                tables=BlendedTablesConfig(
                    num_levels=4, base_resolution=16, num_basis_levels=1, log2_mean_table_size=21, rank=16
                ),
                warp="expression",
                num_ambient=4,
                direction_degree=0,
            ),
            expression=ExpressionEncodingConfig(clamp_margin=0.0),
            # NeRFBlendShape's losses suit its 200,000 steps; these are the default method's.
            huber_delta=0.1,
            matte_weight=0.05,
            staged_losses=StagedLossesConfig(mask_weight=0.0, table_weight=0.0),
        ),
        pixel_sampler=PatchPixelSamplerConfig(patches_from_step=-1),
    ),
    description="NeRFBlendShape's avatar: feature tables blended by the expression before one lookup.",
)

nerface_gaze = MethodSpecification(
    config=_face_trainer("nerface-gaze", GazeFaceModelConfig(radiance_field=GazeFieldConfig()), gaze_control=True),
    description="The default avatar with eyes of their own, which follow a gaze (GazeNeRF); data need gaze.",
)

nerface_paper = MethodSpecification(
    config=_face_trainer(
        "nerface-paper",
        PaperFaceModelConfig(coarse_field=NeRFaceFieldConfig(), fine_field=NeRFaceFieldConfig()),
        num_steps=400_000,
        optimizers=_paper_optimizers(),
        images_per_batch=1,
        pixel_sampler=FacePixelSamplerConfig(region_share=0.0, replacement=False, growth_steps=0),
    ),
    description="NerFace's own recipe: coarse and fine networks, 64 + 64 samples a ray; slow, for comparison.",
)

nerface_siren = MethodSpecification(
    config=_face_trainer(
        "nerface-siren",
        OccFaceModelConfig(radiance_field=SirenFieldConfig()),
        num_steps=100_000,
        # The grids' rate is too high for sines. A sample costs about 20 times a grid's, so a step has fewer rays.
        optimizers=_optimizers(100_000, networks=5e-4),
        train_num_rays_per_batch=512,
    ),
    description="The avatar in a network of sines (SIREN), behind an occupancy grid; small and smooth.",
)
