"""Each way to write rotations and focal lengths leads to the same cameras, seen from pictures of a known ball."""

from functools import cache

import pytest
import torch
from blob_model import look_at_origin
from nerfstudio.cameras.cameras import Cameras
from torch import Tensor

from nerface_ns.data.face_rays import FaceRayGenerator
from nerface_ns.model_components.camera_refinement import CameraRefinementConfig, turn_in_place
from nerface_ns.model_components.rotation_forms import rotation_matrices

COUNT, SIZE, FOCAL_PX, RADIUS = 6, 20, 40.0, 0.1
FORMS = [("axis_angle", "exp"), ("quaternion", "exp"), ("rotation_6d", "exp"), ("axis_angle", "square")]
FORMS += [("axis_angle", "ratio")]


def true_poses() -> Tensor:
    yaw = torch.linspace(-0.6, 0.6, COUNT)
    return torch.stack([look_at_origin(torch.stack([a.sin(), 0.3 * a + 0.02, a.cos()]) / 2) for a in yaw])


def noisy_poses() -> Tensor:
    """Off by about two degrees and 2 % of the distance."""
    generator = torch.Generator().manual_seed(0)
    turn, shift = torch.randn(2, COUNT, 3, generator=generator)
    rotation = true_poses()[:, :, :3].transpose(1, 2)
    head = -torch.einsum("nij,nj->ni", rotation, true_poses()[:, :, 3]) + 0.005 * shift
    rotation, head = turn_in_place(rotation_matrices(0.02 * turn, "axis_angle"), rotation, head, RADIUS)
    return torch.cat([rotation.transpose(1, 2), -torch.einsum("nij,ni->nj", rotation, head)[..., None]], dim=-1)


def rays_of(poses: Tensor, focal_px: float):
    index = torch.arange(COUNT)[:, None]
    lens = {"fx": focal_px, "fy": focal_px, "cx": SIZE / 2, "cy": SIZE / 2, "width": SIZE, "height": SIZE}
    cameras = Cameras(camera_to_worlds=poses, times=index / COUNT, metadata={"frame_index": index}, **lens)
    pixels = torch.cartesian_prod(torch.arange(COUNT), torch.arange(SIZE), torch.arange(SIZE))
    return FaceRayGenerator(cameras)(pixels)


def picture(origins: Tensor, directions: Tensor) -> Tensor:
    """A ball with soft edges and a pattern, before grey."""
    along = -(origins * directions).sum(dim=-1, keepdim=True)
    beside = (origins + along * directions).norm(dim=-1, keepdim=True)
    point = origins + (along - (RADIUS**2 - beside**2).clamp(min=1e-4).sqrt()) * directions
    colour = 0.5 + 0.4 * torch.sin(40 * point + torch.tensor([0.0, 1.0, 2.0]))
    return 0.5 + torch.sigmoid((RADIUS - beside) / 0.004) * (colour - 0.5)


@cache
def found(rotation: str, focal: str) -> tuple[float, float, float]:
    """Rotation error (radians), relative focal error and loss where nothing improves any more.

    The pictures are noisy, so that the best cameras are not the true ones.
    """
    truth = rays_of(true_poses(), FOCAL_PX)
    noise = 0.03 * torch.randn(len(truth), 3, generator=torch.Generator().manual_seed(1))
    wanted = picture(truth.origins, truth.directions) + noise
    tracked = rays_of(noisy_poses(), 1.05 * FOCAL_PX)
    config = CameraRefinementConfig(enabled=True, rotation=rotation, focal=focal, refine_focal=True)
    refinement = config.setup(camera_to_world=noisy_poses(), times=torch.arange(COUNT)[:, None] / COUNT)
    learning = [parameter for parameter in refinement.parameters() if parameter.requires_grad]
    optimizer = torch.optim.LBFGS(learning, max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        refined = refinement.refine_rays(tracked)
        value = 100 * (picture(refined.origins, refined.directions) - wanted).square().mean()
        value.backward()
        return value

    optimizer.step(loss)
    turns = true_poses()[:, :, :3].transpose(1, 2) @ refinement.poses(torch.arange(COUNT)).detach()[:, :, :3]
    angles = (turns - torch.eye(3)).flatten(1).norm(dim=1) / 2**0.5
    focal_error = abs(1.05 * float(refinement.focal_factor()) - 1)
    return float(angles.square().mean().sqrt()), focal_error, float(loss())


def test_the_best_cameras_are_near_the_true_ones():
    turns = true_poses()[:, :, :3].transpose(1, 2) @ noisy_poses()[:, :, :3]
    before = float(((turns - torch.eye(3)).flatten(1).norm(dim=1) / 2**0.5).square().mean().sqrt())
    rotation, focal, _ = found(*FORMS[0])
    assert before > 0.03 and rotation < 0.2 * before and focal < 0.03


@pytest.mark.parametrize(("rotation", "focal"), FORMS[1:])
def test_every_form_finds_the_same_cameras(rotation, focal):
    reference, other = found(*FORMS[0]), found(rotation, focal)
    assert other[0] == pytest.approx(reference[0], rel=0.2)
    assert other[1] == pytest.approx(reference[1], rel=0.2, abs=2e-4)
    assert other[2] == pytest.approx(reference[2], rel=0.01)
