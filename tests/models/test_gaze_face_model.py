from types import SimpleNamespace

import pytest
import torch
from blob_model import (
    HEIGHT,
    NUM_FRAMES,
    WIDTH,
    BlobFieldConfig,
    make_cameras,
    make_model,
    train_expression,
    train_rays,
)
from gaze_blob import EYES_BOX, gaze_metadata, make_gaze_model, train_gaze
from nerfstudio.engine.callbacks import TrainingCallbackAttributes
from test_gaze_region import eyes_boxes

from nerface_ns.conditioning.face_condition import DrivenFrame
from nerface_ns.model_components.camera_refinement import CameraRefinementConfig

TIMES = torch.full((NUM_FRAMES, 1), 0.16)
"""The second of six frames between 0 and 0.8."""
OWN = torch.tensor([0.05, -0.1])


def frame_metadata(index: int = -1, gaze: torch.Tensor | None = None) -> dict:
    metadata = {"frame_index": torch.full((NUM_FRAMES, 1), index)}
    return metadata if gaze is None else {**metadata, "gaze": gaze.repeat(NUM_FRAMES, 1)}


def asked_gaze(model, **conditions) -> torch.Tensor:
    return model.get_camera_condition(make_cameras(**conditions)[2:3]).gaze[0]


@pytest.fixture(scope="module")
def model():
    return make_gaze_model()


@pytest.fixture
def driven_model():
    model = make_gaze_model()
    model.frame_driver = lambda camera: DrivenFrame(train_expression()[0], gaze=torch.tensor([0.02, 0.3]))
    return model


def test_a_cameras_own_gaze_comes_first(driven_model):
    torch.testing.assert_close(asked_gaze(driven_model, times=TIMES, metadata=frame_metadata(3, OWN)), OWN)
    torch.testing.assert_close(asked_gaze(driven_model, times=TIMES, metadata=frame_metadata(-1, OWN)), OWN)


def test_then_that_of_its_training_frame(driven_model):
    torch.testing.assert_close(asked_gaze(driven_model, times=TIMES, metadata=frame_metadata(3)), train_gaze()[3])


def test_then_the_drivers(driven_model):
    torch.testing.assert_close(asked_gaze(driven_model, times=TIMES), torch.tensor([0.02, 0.3]))


def test_then_the_recordings_at_its_time(model):
    torch.testing.assert_close(asked_gaze(model, times=TIMES, metadata=frame_metadata()), train_gaze()[1])
    torch.testing.assert_close(asked_gaze(model, times=TIMES), train_gaze()[1])


def test_then_what_was_recorded_from_there(model):
    torch.testing.assert_close(asked_gaze(model), train_gaze()[2], atol=1e-4, rtol=0)


def test_an_expression_of_its_own_leaves_the_gaze_to_the_recording(driven_model):
    metadata = {**frame_metadata(), "expression": train_expression()}
    torch.testing.assert_close(asked_gaze(driven_model, times=TIMES, metadata=metadata), train_gaze()[1])


def test_gaze_is_brought_into_the_trained_range(model):
    far = asked_gaze(model, metadata=frame_metadata(-1, torch.tensor([-1.0, 1.0])))
    torch.testing.assert_close(far, torch.tensor([-0.1 - 0.025, 0.4 + 0.08]))


def test_rays_take_their_frames_gaze(model):
    condition, _ = model.get_ray_conditions(train_rays([4, 1], rays_per_frame=5))
    torch.testing.assert_close(condition.gaze, train_gaze()[[4, 1]])


def test_rays_of_unseen_frames_carry_theirs(model):
    rays = train_rays([4, 1], rays_per_frame=5, frame_index=False)
    rays.metadata["gaze"] = torch.tensor([[0.1, 0.2], [0.0, -0.3]]).repeat_interleave(5, dim=0)
    torch.testing.assert_close(model.get_ray_conditions(rays)[0].gaze, torch.tensor([[0.1, 0.2], [0.0, -0.3]]))


def test_other_models_ignore_a_gaze():
    camera = make_cameras(metadata=frame_metadata(2, torch.zeros(5)))[0:1]
    assert make_model().get_camera_condition(camera).gaze is None and not make_model().has_gaze


def test_wrong_number_of_angles(model):
    with pytest.raises(ValueError, match="expected 2 angles of gaze as in training, got 3"):
        asked_gaze(model, metadata=frame_metadata(2, torch.zeros(3)))


def test_gaze_changes_the_picture(model):
    pictures = [
        model.get_outputs_for_camera(make_cameras(scale=2.0, metadata=frame_metadata(2, gaze))[2:3])["rgb"]
        for gaze in (torch.tensor([0.0, -0.4]), torch.tensor([0.0, 0.4]))
    ]
    assert (pictures[0] - pictures[1]).abs().max() > 1e-5


def test_occupancy_holds_for_gazes_of_other_frames(model):
    torch.manual_seed(0)
    frames = torch.arange(4)
    condition = model.any_condition(frames)
    assert (condition.gaze - train_gaze()[frames]).abs().max() > 0.05
    assert (condition.gaze >= train_gaze().amin(dim=0)).all() and (condition.gaze <= train_gaze().amax(dim=0)).all()


def test_eyes_weigh_more():
    """Against a loop over rays."""
    model = make_gaze_model(eyes_weight=4.0, matte_weight=0.0, entropy_weight=0.0).train()
    generator = torch.Generator().manual_seed(0)
    indices = torch.stack(
        [torch.arange(NUM_FRAMES), *(torch.randint(n, (NUM_FRAMES,), generator=generator) for n in (HEIGHT, WIDTH))],
        dim=-1,
    )
    indices[:2, 1:] = torch.tensor([[4, 5], [5, 11]])
    truth, render = torch.rand(2, NUM_FRAMES, 3, generator=generator)
    outputs = {"rgb": render, "accumulation": torch.ones(NUM_FRAMES, 1), "code_penalty": torch.zeros(())}
    found = model.get_loss_dict(outputs, {"image": truth, "indices": indices})["rgb_loss"]
    total = 0.0
    for (_, row, column), error in zip(indices.tolist(), (render - truth).abs()):
        y0, y1, x0, x1 = EYES_BOX
        is_eyes = y0 * HEIGHT <= row < y1 * HEIGHT and x0 * WIDTH <= column < x1 * WIDTH
        huber = torch.where(error < 0.1, error.square() / 2, 0.1 * (error - 0.05)) / 0.1
        total += (4.0 if is_eyes else 1.0) * float(huber.mean()) / NUM_FRAMES
    assert found.item() == pytest.approx(total, rel=1e-5)


def run_callbacks(model, dataset) -> None:
    pipeline = SimpleNamespace(datamanager=SimpleNamespace(train_dataset=dataset))
    attributes = TrainingCallbackAttributes(optimizers=None, grad_scaler=None, pipeline=pipeline, trainer=None)
    model.get_training_callbacks(attributes)[-1].run_callback(step=0)


def test_training_finds_the_eyes_once():
    model = make_gaze_model(placed=False)
    boxes = eyes_boxes(model.train_camera_to_world)
    dataset = SimpleNamespace(cameras=make_cameras(), metadata={"region_boxes": {"eyes": boxes}})
    run_callbacks(model, dataset)
    torch.testing.assert_close(model.eyes_position, torch.tensor([0.01, 0.04, 0.09]), atol=5e-4, rtol=0)
    region = model.field.region.clone()
    dataset.metadata["region_boxes"]["eyes"] = boxes + 0.1
    run_callbacks(model, dataset)
    torch.testing.assert_close(model.field.region, region)


def test_data_without_eyes_boxes():
    dataset = SimpleNamespace(cameras=make_cameras(), metadata={"region_boxes": {}, "dataset_name": "head"})
    with pytest.raises(ValueError, match=r"head: expected a box round the eyes \(eyes_box\) in each training frame"):
        run_callbacks(make_gaze_model(placed=False), dataset)


def test_data_without_gaze():
    metadata = gaze_metadata()
    del metadata["train_gaze"]
    with pytest.raises(ValueError, match="gaze: expected one for each training frame"):
        make_gaze_model(metadata)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"radiance_field": BlobFieldConfig()}, "radiance_field: expected one with eyes, got BlobField"),
        ({"eyes_weight": -1.0}, "eyes_weight: expected at least 0, got -1.0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        make_gaze_model(placed=False, **settings)


def test_cameras_have_to_be_tracked():
    refinement = CameraRefinementConfig(enabled=True, initialisation="identity")
    with pytest.raises(ValueError, match=r"camera_refinement\.initialisation: expected tracked"):
        make_gaze_model(placed=False, camera_refinement=refinement)
