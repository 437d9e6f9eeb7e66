"""A small model of the published recipe, and rays and a camera that look at it."""

import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.data.scene_box import SceneBox

from nerface_ns.fields.nerface_field import NeRFaceFieldConfig
from nerface_ns.models.paper_face_model import PaperFaceModel, PaperFaceModelConfig

NUM_FRAMES, NUM_COEFFICIENTS, NUM_RAYS = 3, 5, 6
HEIGHT, WIDTH, NEAR, FAR = 6, 8, 0.25, 0.75


def tiny_config(**settings) -> PaperFaceModelConfig:
    """Small networks and few samples; everything else as published."""
    sizes = dict(position_octaves=3, direction_octaves=2, trunk_width=16, colour_width=8)
    fields = {name: NeRFaceFieldConfig(**sizes) for name in ("coarse_field", "fine_field")}
    return PaperFaceModelConfig(**{**fields, "num_coarse_samples": 8, "num_importance_samples": 5, **settings})


def tiny_model(**settings) -> PaperFaceModel:
    """A model whose rays are neither empty nor opaque, with random codes and background."""
    torch.manual_seed(0)
    poses = torch.eye(4)[:3].repeat(NUM_FRAMES, 1, 1)
    poses[:, 2, 3] = 0.5
    metadata = {
        "expression_names": tuple(f"e{k}" for k in range(NUM_COEFFICIENTS)),
        "near_far": (NEAR, FAR),
        "image_size": (HEIGHT, WIDTH),
        "train_expression": torch.randn(NUM_FRAMES, NUM_COEFFICIENTS),
        "train_times": torch.linspace(0, 1, NUM_FRAMES)[:, None],
        "train_camera_to_world": poses,
    }
    box = SceneBox(torch.tensor([[-0.15] * 3, [0.15] * 3]))
    model = tiny_config(**settings).setup(scene_box=box, num_train_data=NUM_FRAMES, metadata=metadata)
    model.latent_codes.codes.data.normal_()
    expression = model.track.expression[:1] / 3
    told = expression if model.config.use_expression else expression[:, :0]
    condition = torch.cat([told, model.latent_codes.codes[:1]], dim=-1)
    for radiance_field in (model.coarse_field, model.fine_field):
        points, rows = torch.rand(100, 3) * 0.3 - 0.15, torch.zeros(100, dtype=torch.long)
        raw = radiance_field.get_raw_density(points, rows, condition)[0].detach()
        radiance_field.density.weight.data *= 5 / raw.std()
        radiance_field.density.bias.data = (radiance_field.density.bias.data - raw.mean()) * (5 / raw.std()) + 2
        radiance_field.rgb.weight.data *= 20
    model.background.image.data.uniform_()
    return model.eval()


def some_rays(dtype=torch.float32) -> RayBundle:
    """Rays of frames 0 and 2 with directions that are not the cameras' axis."""
    torch.manual_seed(1)
    slopes = torch.rand(NUM_RAYS, 2, dtype=dtype) * 0.6 - 0.3
    directions = torch.cat([slopes, -torch.ones_like(slopes[:, :1])], dim=-1)
    norms = directions.norm(dim=-1, keepdim=True)
    frames = torch.tensor([0, 0, 0, 2, 2, 2])
    return RayBundle(
        origins=torch.tensor([0, 0, 0.5], dtype=dtype).expand(NUM_RAYS, 3),
        directions=directions / norms,
        pixel_area=torch.ones(NUM_RAYS, 1, dtype=dtype),
        camera_indices=frames[:, None],
        metadata={
            "frame_index": frames[:, None],
            "camera_rotation": torch.eye(3, dtype=dtype).flatten().expand(NUM_RAYS, 9),
            "pixel_position": torch.rand(NUM_RAYS, 2, dtype=dtype),
            "directions_norm": norms,
        },
    )


def a_camera(**conditions) -> Cameras:
    pose = torch.tensor([[[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.5]]])
    return Cameras(pose, fx=20.0, fy=20.0, cx=4.0, cy=3.0, width=WIDTH, height=HEIGHT, **conditions)
