import math

import pytest
import torch
from blob_model import (
    HEIGHT,
    NEAR_FAR,
    NUM_FRAMES,
    RADIUS,
    WIDTH,
    head_poses,
    make_cameras,
    make_metadata,
    make_model,
    pixel_rays,
    train_expression,
    train_rays,
)
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.data.scene_box import OrientedBox

from nerface_ns.conditioning.latent_codes import LatentCodesConfig
from nerface_ns.model_components.background import BackgroundConfig


def asked_expression(model, camera: Cameras) -> torch.Tensor:
    """Raw coefficients behind the condition that a camera gets (1, K)."""
    return model.get_camera_condition(camera).expression + model.expression_encoding.mean


def frame_metadata(index: int, expression: torch.Tensor | None = None) -> dict:
    metadata = {"frame_index": torch.full((NUM_FRAMES, 1), index)}
    return metadata if expression is None else {**metadata, "expression": expression}


TIMES = torch.full((NUM_FRAMES, 1), 0.16)
"""The second of six frames between 0 and 0.8."""


def test_a_cameras_own_expression_comes_first():
    own = torch.full((NUM_FRAMES, 3), 0.5)
    camera = make_cameras(times=TIMES, metadata=frame_metadata(3, own))[0:1]
    torch.testing.assert_close(asked_expression(make_model(), camera), own[:1])


def test_then_that_of_its_training_frame():
    camera = make_cameras(times=TIMES, metadata=frame_metadata(3))[0:1]
    torch.testing.assert_close(asked_expression(make_model(), camera), train_expression()[3:4])


@pytest.mark.parametrize("metadata", [None, {"cam_idx": 4}, frame_metadata(-1)], ids=["none", "viewer", "unseen"])
def test_then_the_tracks_at_its_time(metadata):
    camera = make_cameras(times=TIMES, metadata=metadata)[0:1]
    torch.testing.assert_close(asked_expression(make_model(), camera), train_expression()[1:2])


@pytest.mark.parametrize("metadata", [None, {"cam_idx": 4}])
def test_then_what_was_recorded_from_there(metadata):
    camera = make_cameras(metadata=metadata)[2:3]
    torch.testing.assert_close(asked_expression(make_model(), camera), train_expression()[2:3])


@pytest.mark.parametrize("index", [0, 0.5, 1])
def test_time_moves_the_expression_along_the_track(index):
    """Half way between the first two frames, their middle; whole numbers, as a camera path may hold, count too."""
    camera = make_cameras(times=torch.full((NUM_FRAMES, 1), index * 0.16 if index != 1 else 1))[0:1]
    track = train_expression()
    expected = {0: track[0], 0.5: (track[0] + track[1]) / 2, 1: track[-1]}[index]
    torch.testing.assert_close(asked_expression(make_model(), camera)[0], expected)


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [("zero", 0.0), ("mean", 0.35), ("nearest", 0.5), ("frame", 0.2)],
)
def test_unseen_frames_get_the_protocols_code(protocol, expected):
    """Frame k's code is 0.1 (k + 1); the expression asked for is nearest to frame 4's."""
    model = make_model(code_protocol=protocol, code_frame=1)
    near_4 = train_expression()[4].repeat(NUM_FRAMES, 1) + 1e-3
    condition = model.get_camera_condition(make_cameras(metadata=frame_metadata(-1, near_4))[0:1])
    torch.testing.assert_close(condition.latent_code, torch.full_like(condition.latent_code, expected))


@pytest.mark.parametrize("protocol", ["zero", "mean"])
def test_training_frames_keep_their_own_code(protocol):
    condition = make_model(code_protocol=protocol).get_camera_condition(
        make_cameras(metadata=frame_metadata(2, train_expression()))[0:1]
    )
    torch.testing.assert_close(condition.latent_code, torch.full_like(condition.latent_code, 0.3))


def test_the_cameras_rotation_is_a_condition():
    condition = make_model().get_camera_condition(make_cameras()[3:4])
    torch.testing.assert_close(condition.camera_rotation, head_poses()[3:4, :, :3])


def test_wrong_number_of_coefficients():
    camera = make_cameras(metadata=frame_metadata(-1, torch.zeros(NUM_FRAMES, 5)))[0:1]
    with pytest.raises(ValueError, match="expected 3 expression coefficients as in training, got 5"):
        make_model().get_outputs_for_camera(camera)


def test_rays_take_conditions_by_frame_index():
    """Not by camera index, which counts the cameras of a split: here both disagree."""
    model, rays = make_model(), train_rays([4, 1, 5], rays_per_frame=10)
    rays.camera_indices = torch.tensor([0, 1, 2]).repeat_interleave(10)[:, None]
    condition, rows = model.get_ray_conditions(rays)
    assert rows.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    torch.testing.assert_close(condition.expression + model.expression_encoding.mean, train_expression()[[4, 1, 5]])
    torch.testing.assert_close(condition.latent_code[:, 0], torch.tensor([0.5, 0.2, 0.6]))
    torch.testing.assert_close(condition.camera_rotation, head_poses()[[4, 1, 5], :, :3])


def test_rays_of_one_camera_index_are_told_apart_by_frame_index():
    model, rays = make_model(), train_rays([4, 1], rays_per_frame=10)
    rays.camera_indices = torch.zeros_like(rays.camera_indices)
    condition, rows = model.get_ray_conditions(rays)
    assert rows.tolist() == [0] * 10 + [1] * 10
    torch.testing.assert_close(condition.latent_code[:, 0], torch.tensor([0.5, 0.2]))


def test_unseen_frames_rays_are_told_apart_by_camera_index():
    model, rays = make_model(code_protocol="mean"), train_rays([4, 1], rays_per_frame=10, frame_index=False)
    condition, rows = model.get_ray_conditions(rays)
    assert rows.tolist() == [0] * 10 + [1] * 10
    torch.testing.assert_close(condition.expression + model.expression_encoding.mean, train_expression()[[4, 1]])
    torch.testing.assert_close(condition.latent_code, torch.full_like(condition.latent_code, 0.35))


def test_whole_images_equal_the_same_pixels_as_training_rays():
    """Full-image rays all have camera index 0, whatever the frame."""
    model = make_model()
    camera = make_cameras(metadata={"frame_index": torch.arange(NUM_FRAMES)[:, None]})[4:5]
    image = model.get_outputs_for_camera(camera)
    rays = pixel_rays(torch.cartesian_prod(torch.tensor([4]), torch.arange(HEIGHT), torch.arange(WIDTH)))
    with torch.no_grad():
        outputs = model(rays)
    for name in ("rgb", "accumulation", "depth", "background"):
        torch.testing.assert_close(image[name], outputs[name].reshape(HEIGHT, WIDTH, -1), atol=1e-4, rtol=1e-4)


def test_chunks_do_not_show():
    whole = make_model().get_outputs_for_camera(make_cameras()[2:3])
    pieces = make_model(eval_num_rays_per_chunk=37).get_outputs_for_camera(make_cameras()[2:3])
    for name, image in whole.items():
        torch.testing.assert_close(pieces[name], image)


def test_a_single_camera_keeps_its_metadata():
    """`cameras[i]` has no batch dimension; rendering must not take its conditions away."""
    camera = make_cameras(metadata={"frame_index": torch.arange(NUM_FRAMES)[:, None]})[2]
    model = make_model()
    first, second = model.get_outputs_for_camera(camera), model.get_outputs_for_camera(camera)
    assert int(camera.metadata["frame_index"]) == 2
    torch.testing.assert_close(first["rgb"], second["rgb"])
    colour = torch.sigmoid(torch.tensor([(train_expression()[2] - train_expression().mean(dim=0))[0], 0.3]))
    torch.testing.assert_close(first["rgb"][HEIGHT // 2, WIDTH // 2, :2], colour, atol=1e-4, rtol=0)


def test_every_output_is_an_image_of_floats():
    """nerfstudio's viewer and `ns-render dataset` colour whatever output there is, and take no integers."""
    for name, image in make_model().get_outputs_for_camera(make_cameras()[0:1]).items():
        assert image.shape[:2] == (HEIGHT, WIDTH) and image.is_floating_point(), name


def test_ball_is_where_geometry_says():
    """Depth of the middle pixels is the distance to the ball, that of the corners the far plane."""
    outputs = make_model(intervals_across_box=400).get_outputs_for_camera(make_cameras(scale=3)[0:1])
    position = head_poses()[0, :, 3]
    middle = outputs["depth"][HEIGHT * 3 // 2, WIDTH * 3 // 2, 0]
    torch.testing.assert_close(middle, position.norm() - RADIUS, atol=3e-3, rtol=0)
    torch.testing.assert_close(outputs["depth"][0, 0, 0], torch.tensor(NEAR_FAR[1]))
    sine = RADIUS / float(position.norm())
    area = math.pi * (60 * sine / math.sqrt(1 - sine**2)) ** 2
    assert float(outputs["accumulation"].sum()) == pytest.approx(area, rel=0.03)


def test_rgba_is_straight_colour_over_opacity():
    model = make_model()
    model.config.radiance_field.density = 10.0
    outputs = model.get_outputs_for_camera(make_cameras()[0:1])
    rgba = model.get_rgba_image(outputs)
    alpha = outputs["accumulation"]
    seen = alpha[..., 0] > 0.05
    assert 0.05 < alpha.max() < 0.95
    colour = torch.sigmoid(make_model().get_camera_condition(make_cameras()[0:1]).expression[0, 0])
    torch.testing.assert_close(rgba[seen][:, 0], colour.expand(int(seen.sum())), atol=1e-4, rtol=0)
    torch.testing.assert_close(rgba[..., 3:], alpha)
    composed = rgba[..., :3] * alpha + (1 - alpha) * outputs["background"]
    torch.testing.assert_close(outputs["rgb"], composed, atol=1e-5, rtol=0)


def test_a_crop_removes_what_lies_outside_it():
    """The left half of the ball, seen from the front."""
    crop = OrientedBox.from_params((-0.5, 0.0, 0.0), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    camera = Cameras(camera_to_worlds=look_from_front(), fx=20.0, fy=20.0, cx=8.0, cy=6.0, width=16, height=12)
    outputs = make_model(intervals_across_box=400).get_outputs_for_camera(camera, obb_box=crop)
    middle_row = outputs["accumulation"][HEIGHT // 2, :, 0]
    assert middle_row[5] > 0.99 and middle_row[10] < 0.01


def look_from_front() -> torch.Tensor:
    return torch.cat([torch.eye(3), torch.tensor([[0.0], [0.0], [0.5]])], dim=1)[None]


def test_rays_that_name_no_frame_show_the_average_face():
    """As nerfstudio's exporters and `--render-nearest-camera` make them."""
    origin = torch.tensor([[0.0, 0.0, 0.5]])
    rays = RayBundle(
        origins=origin,
        directions=torch.tensor([[0.0, 0.0, -1.0]]),
        pixel_area=torch.ones(1, 1),
        camera_indices=torch.zeros(1, 1),
        metadata={},
    )
    outputs = make_model()(rays)
    torch.testing.assert_close(outputs["rgb"][0, :2], torch.tensor([0.5, 0.5]), atol=1e-4, rtol=0)
    torch.testing.assert_close(outputs["depth"], torch.tensor([[0.4]]), atol=0.01, rtol=0)


def test_scores_of_a_picture_of_itself():
    model = make_model()
    outputs = model.get_outputs_for_camera(make_cameras(scale=2)[0:1])
    scores, images = model.get_image_metrics_and_images(outputs, {"image": outputs["rgb"] * 0.5})
    error = outputs["rgb"] * 0.5
    assert scores["psnr"] == pytest.approx(float(-10 * torch.log10(error.square().mean())), rel=1e-4)
    assert scores["l1"] == pytest.approx(float(error.mean()), rel=1e-4)
    assert images["img"].shape == (HEIGHT * 2, WIDTH * 2 * 3, 3)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make_metadata(num_frames=9), "expected 6 training frames as in the data, got 9"),
        (make_metadata(num_coefficients=4), "expected 3 expression coefficients as in the data, got 4"),
    ],
    ids=["frames", "coefficients"],
)
def test_checkpoint_of_other_data(other, message):
    with pytest.raises(ValueError, match=f"checkpoint: {message}"):
        make_model().load_state_dict(make_model(other).state_dict())


def test_checkpoint_of_other_code_length():
    other = make_model(latent_codes=LatentCodesConfig(length=3)).state_dict()
    with pytest.raises(ValueError, match="expected 8 numbers per latent code as in the data, got 3"):
        make_model(latent_codes=LatentCodesConfig(length=8)).load_state_dict(other)


def test_checkpoint_brings_every_number_back():
    model = make_model()
    other = make_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.rand_like(parameter) * 0.1)
    other.load_state_dict(model.state_dict())
    camera = make_cameras(metadata={"frame_index": torch.arange(NUM_FRAMES)[:, None]})[1:2]
    torch.testing.assert_close(other.get_outputs_for_camera(camera)["rgb"], model.get_outputs_for_camera(camera)["rgb"])


def test_learned_background_is_seen_at_any_size():
    model = make_model(background=BackgroundConfig(mode="learned"))
    with torch.no_grad():
        model.background.image.copy_(torch.linspace(0, 1, WIDTH).expand(1, 3, HEIGHT, WIDTH))
    outputs = model.get_outputs_for_camera(make_cameras(scale=2)[0:1])
    torch.testing.assert_close(outputs["background"][0, :: WIDTH * 2 - 1, 0], torch.tensor([0.0, 1.0]))


def test_collider_is_refused():
    with pytest.raises(ValueError, match=r"model.enable_collider: expected False"):
        make_model(enable_collider=True)
