import math

import pytest
import torch
from blob_model import HEIGHT, NUM_FRAMES, WIDTH, head_poses, make_cameras, pixel_rays, train_rays
from scipy.spatial.transform import Rotation

from nerface_ns.model_components.camera_refinement import (
    HEAD_RADIUS,
    SURFACE_DEPTH,
    CameraRefinementConfig,
    start_poses,
)
from nerface_ns.model_components.rotation_forms import rotation_matrices

TIMES = torch.linspace(0, 1, NUM_FRAMES)[:, None]
FORMS = ("quaternion", "axis_angle", "rotation_6d")
LENS = {"refine_principal_point": True, "refine_distortion": True}


def make_refinement(poses: torch.Tensor | None = None, **settings):
    poses = head_poses() if poses is None else poses
    times = torch.linspace(0, 1, len(poses))[:, None]
    learns = {"refine_focal": True, **settings}
    return CameraRefinementConfig(enabled=True, **learns).setup(camera_to_world=poses, times=times)


def stir(refinement, scale: float = 0.05):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in refinement.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    return refinement


def frame_cameras():
    metadata = {"frame_index": torch.arange(NUM_FRAMES)[:, None]}
    return make_cameras(times=TIMES, metadata=metadata)


@pytest.mark.parametrize("focal", ["square", "ratio", "exp"])
@pytest.mark.parametrize("rotation", FORMS)
def test_nothing_changes_at_the_start(rotation, focal):
    refinement, rays = make_refinement(rotation=rotation, focal=focal, **LENS), train_rays([3, 0, 5])
    refined = refinement.refine_rays(rays)
    torch.testing.assert_close(refined.origins, rays.origins, atol=2e-7, rtol=0)
    torch.testing.assert_close(refined.directions, rays.directions, atol=5e-7, rtol=0)
    for name in ("camera_rotation", "directions_norm", "pixel_position"):
        torch.testing.assert_close(refined.metadata[name], rays.metadata[name], atol=5e-7, rtol=0)
    torch.testing.assert_close(refinement.refine_cameras(frame_cameras()).camera_to_worlds, head_poses())


def test_the_head_turns_in_place_and_shifts_in_the_cameras_axes():
    """The place that stays is on the head's front, SURFACE_DEPTH of its radius nearer to the camera than its centre."""
    refinement = make_refinement()
    with torch.no_grad():
        refinement.turn[2] = torch.tensor([0.1, -0.2, 0.05])
        refinement.shift[2] = torch.tensor([0.3, 0.0, -0.1])
    rotation, position = refinement.head_poses(torch.tensor([2]))
    tracked = head_poses()[2]
    unit = HEAD_RADIUS * float(head_poses()[:, :, 3].norm(dim=-1).mean())
    turn = torch.from_numpy(Rotation.from_rotvec([0.1, -0.2, 0.05]).as_matrix()).float()
    torch.testing.assert_close(rotation[0], turn @ tracked[:, :3].T)
    centre = -tracked[:, :3].T @ tracked[:, 3]
    front = torch.tensor([0.0, 0.0, SURFACE_DEPTH * unit])
    shifted = centre + unit * torch.tensor([0.3, 0.0, -0.1])
    torch.testing.assert_close(position[0] + turn @ front, shifted + front)
    pose = refinement.poses(torch.tensor([2]))[0]
    torch.testing.assert_close(pose[:, :3].T @ (torch.zeros(3) - pose[:, 3]), position[0])


def test_training_starts_from_steadied_poses():
    """Two degrees of noise on slow turns, of which more than half goes; the corrections themselves start at zero."""
    clean = head_poses(60)
    turns = 0.035 * torch.randn(60, 3, generator=torch.Generator().manual_seed(2))
    noisy = torch.cat([rotation_matrices(turns, "axis_angle") @ clean[:, :, :3], clean[:, :, 3:]], dim=-1)
    indices = torch.arange(60)
    for is_steady, share in ((True, 0.5), (False, 1.0)):
        refinement = make_refinement(noisy, steady_start=is_steady)
        assert refinement.turn.abs().max() == 0
        left = (refinement.poses(indices) - clean)[:, :, :3].norm() / (noisy - clean)[:, :, :3].norm()
        assert left < share or float(left) == pytest.approx(share, abs=1e-4)
    assert torch.equal(refinement.tracked, noisy)


def test_a_frozen_lens_lets_the_poses_learn():
    refinement = stir(make_refinement(**LENS))
    refinement.is_lens_frozen = True
    rays = refinement.refine_rays(train_rays([1, 4]))
    (rays.directions.sum() + rays.origins.square().sum()).backward()
    assert refinement.turn.grad[[1, 4]].abs().min() > 0
    assert all(lens.grad is None for lens in (refinement.focal, refinement.principal_point, refinement.distortion))


@pytest.mark.parametrize("settings", [{}, {"refine_principal_point": True}, LENS], ids=["pinhole", "point", "radial"])
def test_rays_are_those_of_the_refined_cameras(settings):
    """nerfstudio's own rays, distortion included, as oracle."""
    refinement = stir(make_refinement(**settings))
    frame = 4
    indices = torch.cartesian_prod(torch.tensor([frame]), torch.arange(HEIGHT), torch.arange(WIDTH))
    refined = refinement.refine_rays(pixel_rays(indices))
    camera = refinement.refine_cameras(frame_cameras()[frame : frame + 1])
    camera.metadata = None
    expected = camera.generate_rays(camera_indices=0, keep_shape=True).flatten()
    torch.testing.assert_close(refined.origins, expected.origins)
    torch.testing.assert_close(refined.directions, expected.directions, atol=2e-5, rtol=0)
    torch.testing.assert_close(refined.metadata["directions_norm"], expected.metadata["directions_norm"])
    rotation = camera.camera_to_worlds[0, :, :3].flatten().expand(len(indices), 9)
    torch.testing.assert_close(refined.metadata["camera_rotation"], rotation)


@pytest.mark.parametrize(("form", "expected"), [("square", 1.1025), ("ratio", 1.1), ("exp", math.exp(0.1))])
def test_focal_forms(form, expected):
    refinement = make_refinement(focal=form)
    refinement.focal.data.fill_(0.1)
    assert float(refinement.focal_factor()) == pytest.approx(expected)
    assert float(refinement.refine_cameras(frame_cameras()).fx[0]) == pytest.approx(20 * expected)


def test_a_longer_lens_leaves_the_head_as_large_as_it_was():
    """Its front is twice as far away through a lens twice as long; only perspective changes."""
    refinement = make_refinement(focal="ratio")
    refinement.focal.data.fill_(1.0)
    _, position = refinement.head_poses(torch.arange(NUM_FRAMES))
    tracked = -torch.einsum("nij,ni->nj", head_poses()[:, :, :3], head_poses()[:, :, 3])
    front = torch.tensor([0.0, 0.0, SURFACE_DEPTH * refinement.unit])
    torch.testing.assert_close(position + front, (tracked + front) * torch.tensor([1.0, 1.0, 2.0]))


def test_smoothness_does_not_pull_at_the_lens():
    refinement = stir(make_refinement())
    refinement.penalty(torch.tensor([2, 3])).backward()
    assert refinement.focal.grad is None and refinement.turn.grad[[2, 3]].abs().min() > 0


@pytest.mark.parametrize("rotation", FORMS)
def test_gradients_reach_every_parameter_of_the_drawn_frames(rotation):
    refinement = stir(make_refinement(rotation=rotation, **LENS))
    rays = refinement.refine_rays(train_rays([1, 4]))
    (rays.directions * torch.tensor([1.0, 2.0, 3.0])).square().sum().backward()
    assert refinement.turn.grad[[1, 4]].abs().amin(dim=1).min() > 0
    assert refinement.turn.grad[[0, 2, 3, 5]].abs().max() == 0
    for lens in (refinement.focal, refinement.principal_point, refinement.distortion):
        assert (lens.grad != 0).all()
    refinement.shift.grad = None
    refinement.refine_rays(train_rays([1, 4])).origins.square().sum().backward()
    assert (refinement.shift.grad[[1, 4]] != 0).all()


def test_rays_of_unseen_frames_stay():
    refinement, rays = stir(make_refinement()), train_rays([2, 3], frame_index=False)
    assert refinement.refine_rays(rays) is rays


def test_only_cameras_where_their_frames_were_tracked_are_moved():
    """So that refined ones are not refined twice, and moved ones stand where they were put."""
    refinement = stir(make_refinement())
    once = refinement.refine_cameras(frame_cameras())
    assert (once.camera_to_worlds - head_poses()).abs().amax(dim=(1, 2)).min() > 1e-4
    twice = refinement.refine_cameras(once)
    torch.testing.assert_close(twice.camera_to_worlds, once.camera_to_worlds)
    torch.testing.assert_close(twice.fx, once.fx)
    unseen = make_cameras(metadata={"frame_index": torch.full((NUM_FRAMES, 1), -1)})
    assert refinement.refine_cameras(unseen) is unseen


def test_frozen_cameras_get_no_gradient():
    refinement = make_refinement()
    for learns in (True, False):
        refinement.is_frozen = not learns
        assert refinement.refine_rays(train_rays([1])).origins.requires_grad is learns


def test_viewer_moves_frusta_by_the_correction():
    """nerfstudio multiplies the tracked pose by what the optimizer returns."""
    refinement = stir(make_refinement())
    indices = torch.tensor([1, 4])
    bottom = torch.tensor([[0.0, 0.0, 0.0, 1.0]])
    for correction, index in zip(refinement(indices), indices.tolist()):
        moved = head_poses()[index] @ torch.cat([correction, bottom])
        torch.testing.assert_close(moved, refinement.poses(torch.tensor([index]))[0])


def test_identity_starts_before_the_face_at_the_tracked_distance():
    config = CameraRefinementConfig(enabled=True, initialisation="identity")
    poses = start_poses(config, head_poses(), TIMES)
    distance = float(head_poses()[:, :, 3].norm(dim=-1).mean())
    torch.testing.assert_close(poses[3], torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, distance]]))
    refinement = make_refinement(initialisation="identity")
    refined = refinement.refine_rays(train_rays([0, 5]))
    torch.testing.assert_close(refined.origins, poses[:1, :, 3].expand(len(refined), 3))
    torch.testing.assert_close(refinement.refine_cameras(frame_cameras()).camera_to_worlds, poses)


def test_one_frame():
    with pytest.raises(ValueError, match="expected at least 2 training frames, got 1"):
        make_refinement(head_poses()[:1])
