"""Cameras and expressions that learn with a model."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from blob_model import (
    HEIGHT,
    NUM_FRAMES,
    WIDTH,
    BlobField,
    BlobFieldConfig,
    head_poses,
    make_cameras,
    make_metadata,
    make_model,
    pixel_rays,
    train_rays,
)
from nerfstudio.cameras.camera_optimizers import CameraOptimizer
from nerfstudio.engine.callbacks import TrainingCallbackAttributes
from nerfstudio.engine.optimizers import Optimizers
from scipy.spatial.transform import Rotation

from nerface_ns.configs.method_configs import nerface
from nerface_ns.field_components.deformation import BilinearDeformationConfig
from nerface_ns.field_components.feature_grid import FeatureGridConfig
from nerface_ns.fields.warped_grid_field import WarpedGridFieldConfig
from nerface_ns.model_components.adam import FaceAdamConfig
from nerface_ns.model_components.camera_refinement import CameraRefinementConfig
from nerface_ns.model_components.expression_corrections import ExpressionCorrectionsConfig
from nerface_ns.model_components.refine_schedule import RefineScheduleConfig


def metadata(poses: torch.Tensor | None = None) -> dict:
    poses = head_poses() if poses is None else poses
    lens = torch.tensor([20.0, 20.0, WIDTH / 2, HEIGHT / 2]).repeat(len(poses), 1)
    return {**make_metadata(len(poses)), "train_camera_to_world": poses, "train_intrinsics": lens}


def refining_model(poses: torch.Tensor | None = None, **settings):
    cameras = settings.pop("cameras", {})
    return make_model(
        metadata(poses),
        camera_refinement=CameraRefinementConfig(enabled=True, **cameras),
        expression_corrections=ExpressionCorrectionsConfig(enabled=True),
        **settings,
    )


def all_pixels(frame: int) -> torch.Tensor:
    return torch.cartesian_prod(torch.tensor([frame]), torch.arange(HEIGHT), torch.arange(WIDTH))


def training_cameras():
    return make_cameras(
        times=torch.linspace(0, 0.8, NUM_FRAMES)[:, None],
        metadata={"frame_index": torch.arange(NUM_FRAMES)[:, None]},
    )


def test_off_by_default_and_then_unseen():
    model = make_model()
    assert not hasattr(model, "camera_optimizer")
    assert not any("refine" in name or "correction" in name for name in model.state_dict())
    assert not {"cameras", "expression_corrections"} & set(model.get_param_groups())
    assert model.refined_cameras(training_cameras()) is None


def test_runs_of_before_there_was_refinement_have_it_off():
    """Their config.yml restores configs without these fields."""
    model = make_model()
    for name in ("camera_refinement", "expression_corrections", "refine_schedule"):
        delattr(model.config, name)
    rebuilt = type(model)(model.config, model.scene_box, model.num_train_data, **model.kwargs)
    assert not rebuilt.refines_cameras


def test_enabling_changes_no_picture_at_the_start():
    plain, refining = make_model(), refining_model()
    camera = training_cameras()[2:3]
    for name, image in plain.get_outputs_for_camera(camera).items():
        torch.testing.assert_close(refining.get_outputs_for_camera(camera)[name], image, atol=1e-4, rtol=1e-4)


def test_learning_rates_of_zero_change_nothing():
    model = refining_model().train()
    groups = {"cameras", "expression_corrections"}
    config = {name: {"optimizer": FaceAdamConfig(lr=0.0), "scheduler": None} for name in groups}
    optimizers = Optimizers(config, {name: model.get_param_groups()[name] for name in groups})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    outputs = model(train_rays([1, 3]))
    outputs["rgb"].square().sum().backward()
    optimizers.optimizer_step_all()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_whole_images_of_training_frames_equal_their_training_rays():
    model = refining_model(cameras={"refine_principal_point": True, "refine_distortion": True})
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.camera_optimizer.parameters():
            parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
        model.expression_corrections.offsets.copy_(torch.randn(NUM_FRAMES, 3, generator=generator))
        rays = model(pixel_rays(all_pixels(4)))
    image = model.get_outputs_for_camera(training_cameras()[4:5])
    unmoved = make_model().get_outputs_for_camera(training_cameras()[4:5])
    assert (image["rgb"] - unmoved["rgb"]).abs().max() > 0.1
    for name in ("rgb", "accumulation", "depth", "background"):
        found, expected = image[name], rays[name].reshape(HEIGHT, WIDTH, -1)
        # A ray that grazes the ball may fall on either side.
        assert ((found - expected).abs() > 1e-3).float().mean() < 0.01, name


def test_conditions_follow_the_refined_pose():
    """Light stands beside the camera, and neck and torso follow it."""
    model = refining_model()
    with torch.no_grad():
        model.camera_optimizer.turn[3] = torch.tensor([0.02, -0.01, 0.03])
    rays = model.refine_rays(train_rays([3, 1]))
    condition, _ = model.get_ray_conditions(rays)
    pose = model.frame_poses(torch.tensor([3, 1]))
    torch.testing.assert_close(condition.camera_rotation, pose[:, :, :3])
    torch.testing.assert_close(condition.head_pose, model.head_pose_encoding(pose[:, :, :3], pose[:, :, 3]))
    condition.head_pose.sum().backward()
    assert model.camera_optimizer.turn.grad[1].abs().sum() > 0


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


def test_evaluation_has_no_regularisers():
    model = refining_model()
    model.train()
    model(train_rays([0]))
    assert model.refinement_losses()
    model.eval()
    model(train_rays([0]))
    assert model.refinement_losses() == {}


def test_viewer_and_exporter_know_the_cameras():
    model = refining_model()
    assert isinstance(model.camera_optimizer, CameraOptimizer)
    with torch.no_grad():
        model.camera_optimizer.turn += 0.02
    one = training_cameras()[1:2]
    one.metadata["cam_idx"] = 1
    exported = model.camera_optimizer.apply_to_camera(one)
    torch.testing.assert_close(exported, model.frame_poses(torch.tensor([1])))


def test_viewer_moves_the_frusta_of_training_cameras():
    """nerfstudio's own function, on stand-ins for its frusta."""
    from nerfstudio.viewer.viewer import VISER_NERFSTUDIO_SCALE_RATIO, Viewer

    model = refining_model()
    with torch.no_grad():
        model.camera_optimizer.turn += torch.tensor([0.05, -0.1, 0.0])
    viewer = SimpleNamespace(
        pipeline=SimpleNamespace(model=model, datamanager=SimpleNamespace()),
        camera_handles={1: SimpleNamespace(), 4: SimpleNamespace()},
        original_c2w={index: head_poses()[index].numpy() for index in (1, 4)},
    )
    Viewer.update_camera_poses(viewer)
    for index, handle in viewer.camera_handles.items():
        pose = model.frame_poses(torch.tensor([index]))[0].detach()
        position = torch.from_numpy(handle.position).float() / VISER_NERFSTUDIO_SCALE_RATIO
        torch.testing.assert_close(position, pose[:, 3])
        axes = Rotation.from_quat(handle.wxyz[[1, 2, 3, 0]]).as_matrix() @ np.diag([1.0, -1.0, -1.0])
        torch.testing.assert_close(torch.from_numpy(axes).float(), pose[:, :3], atol=1e-5, rtol=0)


def test_groups_have_optimizers_in_every_method():
    groups = refining_model().get_param_groups()
    assert {"cameras", "expression_corrections"} <= groups.keys() <= nerface.config.optimizers.keys()


def test_checkpoint_of_another_frame_count():
    other = refining_model(head_poses(9)).state_dict()
    with pytest.raises(ValueError, match="expected 6 training frames as in the data, got 9"):
        refining_model().load_state_dict(other)


def test_one_frame():
    with pytest.raises(ValueError, match="expected at least 2 training frames, got 1"):
        refining_model(head_poses(3)[:1])


def test_frames_without_overlap():
    poses = head_poses()
    poses[2, :, 3] += torch.tensor([7.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="got frame 2, which shares none with the first"):
        refining_model(poses)


def test_identity_needs_no_poses():
    poses = head_poses()
    poses[2, :, 3] += torch.tensor([7.0, 0.0, 0.0])
    model = refining_model(poses, cameras={"initialisation": "identity"})
    assert not model.has_tracked_poses
    start = model.train_camera_to_world
    torch.testing.assert_close(start, start[:1].expand_as(start))
    assert (model.head_pose_encoding.high > model.head_pose_encoding.low).all()


def attributes(optimizers) -> TrainingCallbackAttributes:
    return TrainingCallbackAttributes(optimizers=optimizers, grad_scaler=None, pipeline=None, trainer=None)


def scheduled_model(rest_steps: int = 0, **settings):
    torch.manual_seed(1)
    schedule = RefineScheduleConfig(pretrain_share=0.5, rest_steps=rest_steps)
    grid = FeatureGridConfig(resolutions=(4, 8))
    small = WarpedGridFieldConfig(canonical_grid=grid, deformation=BilinearDeformationConfig(grid=grid, width=8))
    model = refining_model(radiance_field=small, refine_schedule=schedule, **settings)
    model.training_progress.max_steps = 100
    config = {name: nerface.config.optimizers[name] for name in model.get_param_groups()}
    optimizers = Optimizers(config, model.get_param_groups())
    for scheduler in optimizers.schedulers.values():
        scheduler.training_progress.max_steps = 100
    return model.train(), optimizers


def run_steps(model, optimizers, steps: range) -> None:
    callbacks = model.refinement_callbacks(attributes(optimizers))
    for step in steps:
        for callback in callbacks:
            callback.run_callback(step)
        optimizers.zero_grad_all()
        outputs = model(train_rays([1, 4], rays_per_frame=4))
        sum(model.get_loss_dict(outputs, {"image": torch.full((8, 3), 0.3)}).values()).backward()
        optimizers.optimizer_step_all()
        optimizers.scheduler_step_all(step)


@pytest.fixture(autouse=True)
def no_event_log(monkeypatch):
    monkeypatch.setattr("nerfstudio.engine.optimizers.writer.put_scalar", lambda **_: None)


def test_the_field_is_dropped_and_the_cameras_are_kept():
    model, optimizers = scheduled_model()
    run_steps(model, optimizers, range(0, 50))
    cameras = {name: value.clone() for name, value in model.camera_optimizer.state_dict().items()}
    weight = next(model.field.parameters())
    trained, codes = weight.clone(), model.latent_codes.codes
    assert cameras["turn"].abs().max() > 0 and codes.abs().max() > 0
    networks = optimizers.schedulers["networks"]
    assert networks.get_last_lr()[0] < 0.1 * networks.base_lrs[0]
    run_steps(model, optimizers, range(50, 51))
    assert int(model.refine_schedule.dropped_at) == 50 and model.field_age(53) == 3
    assert next(model.field.parameters()) is weight
    assert (weight - trained).abs().mean() > 1e-3
    moments = optimizers.optimizers["networks"].state[optimizers.parameters["networks"][0]]
    assert int(moments["step"]) == 1
    kept = optimizers.optimizers["cameras"].state[model.camera_optimizer.turn]
    assert int(kept["step"]) == 51
    assert networks.last_epoch == 1 and networks.get_last_lr()[0] < 0.1 * networks.base_lrs[0]
    assert (model.camera_optimizer.turn - cameras["turn"]).abs().max() < 0.01


def test_cameras_rest_while_the_field_is_new():
    """Frozen at first as the settings say, and again after the drop at step 50."""
    model, optimizers = scheduled_model(rest_steps=4, cameras={"freeze_steps": 3})
    resting = []
    for step in range(56):
        for callback in model.refinement_callbacks(attributes(optimizers)):
            callback.run_callback(step)
        resting.append((model.camera_optimizer.is_frozen, model.expression_corrections.is_frozen))
    assert [step for step, (cameras, _) in enumerate(resting) if cameras] == [0, 1, 2, 50, 51, 52, 53]
    assert [step for step, (_, expressions) in enumerate(resting) if expressions] == [50, 51, 52, 53]


@pytest.mark.parametrize("interruption", [30, 60])
def test_an_interrupted_schedule_goes_on_where_it_was(interruption):
    """The same learning rates as in one go, and dropped once."""
    whole_model, whole = scheduled_model()
    run_steps(whole_model, whole, range(0, 70))
    model, optimizers = scheduled_model()
    run_steps(model, optimizers, range(0, interruption))
    saved = model.state_dict()
    states = {name: scheduler.state_dict() for name, scheduler in optimizers.schedulers.items()}
    resumed, others = scheduled_model()
    resumed.load_state_dict(saved)
    others.load_schedulers(states)
    run_steps(resumed, others, range(interruption, 70))
    assert int(resumed.refine_schedule.dropped_at) == 50
    for name, scheduler in whole.schedulers.items():
        assert others.schedulers[name].get_last_lr() == pytest.approx(scheduler.get_last_lr()), name


def test_share_outside_zero_to_one():
    with pytest.raises(ValueError, match=r"refine_schedule.pretrain_share: expected a share in \[0, 1\), got 1.5"):
        make_model(metadata(), refine_schedule=RefineScheduleConfig(pretrain_share=1.5))
