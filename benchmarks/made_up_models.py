"""Untrained models of the smallest sizes, for readers of avatars to begin from."""

from __future__ import annotations

from typing import Any

import torch

MODEL_SEED = 1
"""First weights of made-up models: with these none is empty."""


def made_up_pipeline(kind: str = "grid", num_frames: int = 4, num_coefficients: int = 3) -> Any:
    """Return a model of the smallest sizes as a pipeline of a run holds it."""
    from types import SimpleNamespace

    from nerfstudio.data.scene_box import SceneBox

    from nerface_ns.avatar.avatar_model import AvatarDataset
    from nerface_ns.conditioning import keys

    config = smallest_config(kind)
    chance = torch.Generator().manual_seed(0)
    angle = torch.linspace(-0.4, 0.4, num_frames)
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    rows = [torch.stack(row, -1) for row in ((angle.cos(), zero, angle.sin()), (zero, one, zero))]
    rotation = torch.stack([*rows, torch.stack((-angle.sin(), zero, angle.cos()), -1)], dim=1)
    poses = torch.cat([rotation, 0.5 * rotation[:, :, 2:]], dim=2)
    expression = torch.rand(num_frames, num_coefficients, generator=chance)
    times, intrinsics = torch.linspace(0, 1, num_frames)[:, None], torch.tensor([[12.0, 12.0, 5.0, 4.0]])
    intrinsics = intrinsics.repeat(num_frames, 1)
    box = SceneBox(aabb=torch.tensor([[-0.2, -0.2, -0.2], [0.2, 0.2, 0.2]]))
    metadata = {
        "expression_names": tuple(f"name{index}" for index in range(num_coefficients)),
        "image_size": (8, 10),
        "near_far": (0.2, 0.9),
        "train_intrinsics": intrinsics,
        keys.TRAIN_EXPRESSION: expression,
        keys.TRAIN_TIMES: times,
        keys.TRAIN_CAMERA_TO_WORLD: poses,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(MODEL_SEED)
        model = config.setup(scene_box=box, num_train_data=num_frames, metadata=metadata)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.rand(parameter.shape, generator=chance))
    from nerfstudio.cameras.cameras import Cameras

    fx, fy, cx, cy = intrinsics.split(1, dim=1)
    conditions = {keys.FRAME_INDEX: torch.arange(num_frames)[:, None], keys.EXPRESSION: expression}
    cameras = Cameras(poses, fx, fy, cx, cy, width=10, height=8, times=times, metadata=conditions)
    return SimpleNamespace(model=model.eval(), datamanager=SimpleNamespace(train_dataset=AvatarDataset(cameras, box)))


def smallest_config(kind: str) -> Any:
    """Return settings of a model: "grid", "refined" (its cameras learn), "tables", "siren" or "paper"."""
    from nerface_ns.conditioning.latent_codes import LatentCodesConfig
    from nerface_ns.field_components.blended_tables import BlendedTablesConfig
    from nerface_ns.field_components.deformation import BilinearDeformationConfig
    from nerface_ns.field_components.feature_grid import FeatureGridConfig
    from nerface_ns.fields.blendshape_field import BlendshapeFieldConfig
    from nerface_ns.fields.nerface_field import NeRFaceFieldConfig
    from nerface_ns.fields.siren_field import SirenFieldConfig
    from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig
    from nerface_ns.model_components.camera_refinement import CameraRefinementConfig
    from nerface_ns.model_components.expression_corrections import ExpressionCorrectionsConfig
    from nerface_ns.model_components.occupancy import FaceOccupancyGridConfig
    from nerface_ns.models.occ_face_model import OccFaceModelConfig
    from nerface_ns.models.paper_face_model import PaperFaceModelConfig

    codes = LatentCodesConfig(length=2)
    if kind == "paper":
        network = NeRFaceFieldConfig(position_octaves=2, trunk_width=4, colour_width=4)
        return PaperFaceModelConfig(coarse_field=network, fine_field=network, latent_codes=codes)
    grid = FeatureGridConfig(resolutions=(2, 3))
    deformation = BilinearDeformationConfig(grid=grid, width=4)
    fields = {
        "siren": SirenFieldConfig(trunk_layers=2, trunk_width=4, colour_width=4),
        "tables": BlendshapeFieldConfig(
            tables=BlendedTablesConfig(num_levels=2, base_resolution=2, finest_resolution=3, num_basis_levels=1),
            deformation=deformation,
            width=4,
        ),
    }
    field = fields.get(kind, WarpedGridFieldConfig(canonical_grid=grid, deformation=deformation))
    return OccFaceModelConfig(
        radiance_field=field,
        latent_codes=codes,
        occupancy=FaceOccupancyGridConfig(resolution=4),
        camera_refinement=CameraRefinementConfig(enabled=kind == "refined"),
        expression_corrections=ExpressionCorrectionsConfig(enabled=kind == "refined"),
    )
