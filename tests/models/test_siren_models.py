"""The field of sines behind both kinds of sampler."""

import pytest
import torch
from blob_model import make_cameras, make_metadata, make_model, train_rays
from nerfstudio.data.scene_box import SceneBox

from nerface_ns.configs.method_configs import nerface_siren
from nerface_ns.fields.siren_field import SirenField, SirenFieldConfig
from nerface_ns.models.paper_face_model import PaperFaceModelConfig

SMALL = dict(trunk_layers=3, trunk_width=32, colour_width=16)
BOX = SceneBox(aabb=torch.tensor([[-0.2, -0.15, -0.2], [0.2, 0.15, 0.2]]))


def occupancy_model():
    torch.manual_seed(0)
    return make_model(radiance_field=SirenFieldConfig(**SMALL))


def paper_model(**settings):
    torch.manual_seed(0)
    fields = {name: SirenFieldConfig(**SMALL) for name in ("coarse_field", "fine_field")}
    config = PaperFaceModelConfig(**fields, num_coarse_samples=12, num_importance_samples=8, **settings)
    metadata = make_metadata()
    model = config.setup(scene_box=BOX, num_train_data=len(metadata["train_expression"]), metadata=metadata)
    return model.eval()


@pytest.mark.parametrize("make", [occupancy_model, paper_model])
def test_trains_behind_either_sampler(make):
    """Every network parameter gets a gradient, and a stripe that only some frames have is learned."""
    model = make().train()
    groups = model.get_param_groups()
    assert {"networks", "latent_codes"} <= set(groups) and "grids" not in groups
    optimizer = torch.optim.Adam([p for group in groups.values() for p in group], lr=2e-3)
    errors = []
    for step in range(60):
        rays = train_rays([0, 5], seed=step)
        is_left = (rays.metadata["pixel_position"][:, :1] < 0.5) & (rays.metadata["frame_index"] == 0)
        image = torch.where(is_left, torch.tensor([0.9, 0.1, 0.1]), torch.tensor([0.1, 0.2, 0.8]))
        outputs = model(rays)
        loss = sum(model.get_loss_dict(outputs, {"image": image}).values())
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            assert all(p.grad is not None and p.grad.abs().max() > 0 for p in groups["networks"])
        optimizer.step()
        errors.append((outputs["rgb"].detach() - image).square().mean().item())
    assert sum(errors[-5:]) < 0.3 * sum(errors[:5])


@pytest.mark.parametrize("skipping", ["none", "occupied"])
def test_whole_images_of_the_papers_sampler(skipping):
    """Also where only occupied samples are asked for, with colours of some of them."""
    outputs = paper_model(eval_skipping=skipping).get_outputs_for_camera(make_cameras()[1:2])
    assert outputs["rgb"].shape == (12, 16, 3) and torch.isfinite(outputs["rgb"]).all()


def test_method_is_made_of_the_defaults():
    """A network of sines alone, so its one rate is the networks'."""
    config = nerface_siren.config
    assert config.pipeline.model.radiance_field == SirenFieldConfig()
    assert config.optimizers["networks"]["optimizer"].lr < 1e-3
    assert config.pipeline.model.max_num_steps == config.max_num_iterations
    field = config.pipeline.model.radiance_field.setup(scene_box=BOX, num_coefficients=3, code_length=2)
    assert isinstance(field, SirenField)
