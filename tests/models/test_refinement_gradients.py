"""What cameras and expressions learn from, and by which optimizers."""

import pytest
import torch
from blob_model import HEIGHT, WIDTH, BlobField, BlobFieldConfig, pixel_rays, train_rays
from nerfstudio.engine.optimizers import Optimizers
from refining_model import refining_model

from nerface_ns.configs.method_configs import nerface
from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig
from nerface_ns.model_components.frame_adam import FrameAdamConfig


def test_field_gives_gradients_to_cameras_and_expressions():
    """Through positions, whose gradient the grids give."""
    torch.manual_seed(0)
    settings = {"cameras": {"refine_principal_point": True, "refine_distortion": True}}
    model = refining_model(radiance_field=WarpedGridFieldConfig(), **settings).train()
    outputs = model(train_rays([1, 4]))
    batch = {"image": torch.rand(len(outputs["rgb"]), 3)}
    losses = model.get_loss_dict(outputs, batch)
    assert {"camera_loss", "expression_loss"} < losses.keys()
    sum(losses.values()).backward()
    cameras = model.camera_optimizer
    for parameter in (cameras.turn, cameras.shift, model.expression_corrections.offsets):
        assert parameter.grad[[1, 4]].abs().sum(dim=1).min() > 0
        assert parameter.grad[[0, 2, 3, 5]].abs().max() == 0
    for parameter in (cameras.focal, cameras.principal_point, cameras.distortion):
        assert parameter.grad.abs().min() > 0


def test_gradient_is_that_of_a_finite_difference():
    """Of depth, which a ball gives exactly, with respect to the head's shift away from the camera."""

    class SoftBall(BlobField):
        def get_density(self, positions, frame_rows, prepared):
            return 400 * torch.sigmoid((0.1 - positions.norm(dim=-1)) / 0.01), positions

    model = refining_model(radiance_field=BlobFieldConfig(_target=SoftBall), intervals_across_box=200)
    rays = pixel_rays(torch.tensor([[2, HEIGHT // 2, WIDTH // 2]]))

    def depth(amount: float) -> torch.Tensor:
        with torch.no_grad():
            model.camera_optimizer.shift[2, 2] = amount
        return model(rays)["depth"].sum()

    depth(0.0).backward()
    found = float(model.camera_optimizer.shift.grad[2, 2])
    with torch.no_grad():
        step = float(depth(0.02) - depth(-0.02)) / 0.04
    assert found == pytest.approx(step, rel=0.1)
    assert found == pytest.approx(-model.camera_optimizer.unit, rel=0.15)


def test_learning_rates_of_zero_change_nothing():
    model = refining_model().train()
    groups = {"cameras", "expression_corrections"}
    config = {name: {"optimizer": FrameAdamConfig(lr=0.0), "scheduler": None} for name in groups}
    optimizers = Optimizers(config, {name: model.get_param_groups()[name] for name in groups})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    outputs = model(train_rays([1, 3]))
    outputs["rgb"].square().sum().backward()
    optimizers.optimizer_step_all()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_groups_have_optimizers_in_every_method():
    groups = refining_model().get_param_groups()
    assert {"cameras", "expression_corrections"} <= groups.keys() <= nerface.config.optimizers.keys()


def test_evaluation_has_no_regularisers():
    model = refining_model()
    model.train()
    model(train_rays([0]))
    assert model.refinement_losses()
    model.eval()
    model(train_rays([0]))
    assert model.refinement_losses() == {}
