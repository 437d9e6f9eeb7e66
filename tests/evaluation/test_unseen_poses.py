"""Poses of unseen frames: what is looked at, what is scored, and that nothing is learned from them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from blob_model import HEIGHT, NUM_FRAMES, WIDTH, head_poses, make_cameras, make_metadata, make_model, train_expression

from nerface_ns.evaluation import unseen_poses
from nerface_ns.evaluation.pose_fit import PoseFit, moved_pose
from nerface_ns.evaluation.split_scores import RenderedFrame, score_split
from nerface_ns.evaluation.trajectory_alignment import pose_errors
from nerface_ns.evaluation.unseen_poses import UnseenPoses, right_half
from nerface_ns.fields.base_face_field import FaceField, FaceFieldConfig
from nerface_ns.model_components.camera_refinement import HEAD_RADIUS, SURFACE_DEPTH, CameraRefinementConfig

SCALE = 3


class TexturedBall(FaceField):
    """A soft ball whose colours tell its parts apart, so that every part of a pose shows."""

    def __init__(self, config, scene_box, num_coefficients, code_length) -> None:
        super().__init__(config, scene_box, num_coefficients, code_length)
        self.gain = torch.nn.Parameter(torch.ones(3))

    def get_density(self, positions, frame_rows, prepared):
        return 300 * torch.sigmoid((0.1 - positions.norm(dim=-1)) / 0.01), positions

    def get_rgb(self, directions, frame_rows, prepared, embedding):
        return 0.5 + 0.5 * torch.sin(self.gain * embedding * 30)


def ball_model(refines: bool = True):
    lens = torch.tensor([20.0, 20.0, WIDTH / 2, HEIGHT / 2]).repeat(NUM_FRAMES, 1)
    return make_model(
        {**make_metadata(), "train_intrinsics": lens},
        radiance_field=FaceFieldConfig(_target=TexturedBall),
        camera_refinement=CameraRefinementConfig(enabled=refines),
        intervals_across_box=40,
    )


def cameras(poses: torch.Tensor, is_train: bool):
    index = torch.arange(len(poses)) if is_train else torch.full((len(poses),), -1)
    expression = train_expression()[: len(poses)]
    made = make_cameras(len(poses), SCALE, metadata={"frame_index": index[:, None], "expression": expression})
    made.camera_to_worlds = poses
    return made


def turned(pose: torch.Tensor, turn: list[float], shift: list[float]) -> torch.Tensor:
    return moved_pose(pose, torch.tensor([turn]), torch.tensor([shift]))


class BallDataset:
    """The ball as true cameras see it; the split's own cameras are off."""

    def __init__(self, dataparser_outputs, scale_factor):
        self.metadata, self.cameras = dataparser_outputs.metadata, dataparser_outputs.tracked
        self.images = dataparser_outputs.images

    def __len__(self):
        return 2

    def get_data(self, index):
        return {"image": self.images[index]}


class BallPipeline(torch.nn.Module):
    """A trained model, and two unseen frames whose tracked poses are 2 degrees off."""

    device = torch.device("cpu")

    def __init__(self, refines: bool = True):
        super().__init__()
        self.model = ball_model(refines)
        self.true = head_poses()[[1, 4]]
        off = torch.stack([turned(pose, [0.03, -0.02, 0.03], [0.03, -0.02, 0.02]) for pose in self.true])
        true_cameras = cameras(self.true, is_train=False)
        images = [self.model.get_outputs_for_camera(true_cameras[k : k + 1])["rgb"] for k in range(2)]
        outputs = SimpleNamespace(
            metadata={"frame_names": ["f_0", "f_1"]}, images=images, tracked=cameras(off, False), image_filenames=[]
        )
        self.datamanager = SimpleNamespace(
            dataparser=SimpleNamespace(get_dataparser_outputs=lambda split: outputs),
            dataset_type=BallDataset,
            config=SimpleNamespace(),
            train_dataset=SimpleNamespace(cameras=cameras(head_poses(), is_train=True)),
        )


def frame_of(width: int = 10) -> RenderedFrame:
    image = torch.arange(width).float().expand(4, width)[:, :, None].expand(4, width, 3)
    boxes = {
        "face": torch.tensor([0.0, 1.0, 0.3, 0.7]),
        "mouth": torch.tensor([0.2, 0.4, 0.1, 0.5]),
        "eyes": torch.tensor([0.2, 0.4, 0.6, 0.8]),
    }
    return RenderedFrame("f", image, {"rgb": image, "depth": image[..., :1]}, boxes, image[..., :1], 0.1)


def test_scored_half_is_the_right_one():
    half = right_half(frame_of())
    assert half.truth.shape == (4, 5, 3) and float(half.truth.min()) == 5
    assert half.outputs["depth"].shape == (4, 5, 1) and half.alpha.shape == (4, 5, 1)
    assert "mouth" not in half.boxes
    torch.testing.assert_close(half.boxes["face"], torch.tensor([0.0, 1.0, 0.0, 0.4]))
    torch.testing.assert_close(half.boxes["eyes"], torch.tensor([0.2, 0.4, 0.2, 0.6]))


def test_moved_pose_turns_the_head_in_its_place():
    pose = head_poses()[0]
    moved = turned(pose, [0.1, 0.2, -0.1], [0.0, 0.0, 0.0])
    front = SURFACE_DEPTH * HEAD_RADIUS * pose[:, 3].norm() * pose[:, 2]
    places = [camera[:, :3].T @ (point - camera[:, 3]) for camera, point in ((pose, front), (moved, front))]
    torch.testing.assert_close(*places)
    torch.testing.assert_close(moved[:, :3].T @ moved[:, :3], torch.eye(3), atol=1e-6, rtol=0)


def test_pose_is_found_from_the_left_half():
    pipeline = BallPipeline()
    renderer = UnseenPoses(pipeline, "aligned")
    dataset = BallDataset(pipeline.datamanager.dataparser.get_dataparser_outputs("test"), 1.0)
    for index in range(2):
        found = renderer.place(dataset.cameras[index : index + 1], dataset.images[index])
        before = pose_error(dataset.cameras.camera_to_worlds[index], pipeline.true[index])
        after = pose_error(found.camera_to_worlds[0], pipeline.true[index])
        assert before > 0.04 and after < 0.01


def pose_error(pose: torch.Tensor, truth: torch.Tensor) -> float:
    return float((pose[:, :3] - truth[:, :3]).norm() / 2**0.5)


def test_the_right_half_is_not_looked_at():
    """Whatever it shows, the same pose is found."""
    pipeline = BallPipeline()
    renderer = UnseenPoses(pipeline, "aligned")
    dataset = BallDataset(pipeline.datamanager.dataparser.get_dataparser_outputs("test"), 1.0)
    renderer.fit = PoseFit(steps=5)
    other = dataset.images[0].clone()
    other[:, WIDTH * SCALE // 2 :] = torch.rand_like(other[:, WIDTH * SCALE // 2 :])
    found = [renderer.place(dataset.cameras[0:1], image).camera_to_worlds for image in (dataset.images[0], other)]
    assert torch.equal(*found)


@pytest.mark.parametrize("poses", ["aligned", "trajectory"])
def test_evaluation_leaves_training_as_it_was(poses, monkeypatch):
    """A leak of unseen frames into what frames share is a failure."""
    monkeypatch.setattr(unseen_poses, "PoseFit", lambda: PoseFit(steps=5))
    pipeline = BallPipeline()
    pipeline.train()
    model = pipeline.model
    next(iter(model.parameters())).grad = torch.ones_like(next(iter(model.parameters())))
    state = {name: value.clone() for name, value in pipeline.state_dict().items()}
    gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    learning = [p.requires_grad for p in model.parameters()]
    random_state, poses_before = torch.get_rng_state(), model.frame_poses(torch.arange(NUM_FRAMES)).clone()
    score_split(pipeline, "test", poses=poses)
    assert all(torch.equal(value, state[name]) for name, value in pipeline.state_dict().items())
    for parameter, gradient in zip(model.parameters(), gradients):
        assert (parameter.grad is None) if gradient is None else torch.equal(parameter.grad, gradient)
    assert [p.requires_grad for p in model.parameters()] == learning
    assert torch.equal(torch.get_rng_state(), random_state) and pipeline.training and model.training
    assert torch.equal(model.frame_poses(torch.arange(NUM_FRAMES)), poses_before)


def test_aligned_scores_rise_above_those_as_tracked():
    pipeline = BallPipeline()
    scores = {rule: score_split(pipeline, "test", poses=rule)["run"].mean() for rule in ("as_tracked", "aligned")}
    assert scores["aligned"]["full"]["psnr"] > scores["as_tracked"]["full"]["psnr"] + 6


def test_training_frames_are_not_fitted():
    pipeline = BallPipeline()
    camera = cameras(head_poses(), is_train=True)[0:1]
    assert UnseenPoses(pipeline, "aligned").place(camera, torch.zeros(HEIGHT, WIDTH, 3)) is camera


def test_trajectory_follows_the_training_cameras():
    """All training cameras turned alike about the origin, and a lens 10 % longer, which takes the front further."""
    pipeline = BallPipeline()
    refinement = pipeline.model.camera_optimizer
    tracked = cameras(head_poses(), is_train=True)
    move = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    refinement.start_rotation.copy_(move @ refinement.start_rotation)
    with torch.no_grad():
        refinement.focal.fill_(float(np.log(1.1)))
    unseen = cameras(head_poses()[[2, 3]], is_train=False)[0:1]
    placed = UnseenPoses(pipeline, "trajectory").place(unseen, torch.zeros(1, 1, 3))
    further = 1.1 - 0.1 * SURFACE_DEPTH * HEAD_RADIUS
    expected = move @ unseen.camera_to_worlds[0] * torch.tensor([1.0, 1.0, 1.0, further])
    torch.testing.assert_close(placed.camera_to_worlds[0], expected, atol=1e-4, rtol=0)
    assert float(placed.fx[0]) == pytest.approx(1.1 * float(tracked.fx[0]))


def test_trajectory_needs_refinement():
    with pytest.raises(ValueError, match="--poses trajectory: expected a run that refines cameras"):
        UnseenPoses(BallPipeline(refines=False), "trajectory")


def test_aligned_needs_none():
    pipeline = BallPipeline(refines=False)
    truth = pipeline.true.double().numpy()
    renderer = UnseenPoses(pipeline, "aligned")
    dataset = BallDataset(pipeline.datamanager.dataparser.get_dataparser_outputs("test"), 1.0)
    found = [renderer.place(dataset.cameras[k : k + 1], dataset.images[k]) for k in range(2)]
    poses = torch.cat([camera.camera_to_worlds for camera in found]).double().numpy()
    assert pose_errors(poses, truth).rotation_deg < 1.0


def test_other_methods_have_poses_as_tracked_only():
    pipeline = SimpleNamespace(model=torch.nn.Linear(1, 1))
    UnseenPoses(pipeline, "as_tracked")
    with pytest.raises(ValueError, match="--poses aligned: Linear has no poses that could be moved"):
        UnseenPoses(pipeline, "aligned")
