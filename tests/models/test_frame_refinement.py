"""Cameras and expressions that learn with a model: switched on and off, rendered, refused."""

from types import SimpleNamespace

import pytest
import torch
from blob_model import HEIGHT, NUM_FRAMES, WIDTH, head_poses, make_model, pixel_rays, train_rays
from nerfstudio.engine.callbacks import TrainingCallbackAttributes
from refining_model import all_pixels, refining_model, training_cameras


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


def test_more_frames_share_a_step_while_cameras_learn():
    datamanager = SimpleNamespace(least_images_per_batch=1)
    pipeline = SimpleNamespace(datamanager=datamanager)
    attributes = TrainingCallbackAttributes(optimizers=None, grad_scaler=None, pipeline=pipeline, trainer=None)
    make_model().refinement_callbacks(attributes)
    assert datamanager.least_images_per_batch == 1
    refining_model(cameras={"frames_per_step": 5}).refinement_callbacks(attributes)
    assert datamanager.least_images_per_batch == 5
