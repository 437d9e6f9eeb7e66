import pytest
import torch
from patchy_head import SIZE

from nerface_ns.fitting.photo import Photo
from nerface_ns.fitting.photo_lens import photo_camera
from nerface_ns.fitting.start_search import find_starts, head_before
from nerface_ns.rendering.posed_camera import posed_camera


def picture(subject, pose, frame: int, height: int = SIZE, width: int = SIZE):
    """What a training frame shows, from another pose; and its camera."""
    camera = photo_camera(subject.own_camera, height, width)
    shown = posed_camera(camera, pose, subject.train_expression[frame])
    with torch.no_grad():
        return Photo("a.png", subject.model.get_outputs_for_camera(shown)["rgb"]), camera


@pytest.mark.parametrize("frame", [0, 2, 5])
def test_a_training_frame_finds_itself(subject, frame):
    pose = subject.poses[frame]
    photo, camera = picture(subject, pose, frame)
    starts = find_starts(subject, photo, camera, 3)
    assert starts[0].frame == frame and starts[0].correlation > 0.95
    torch.testing.assert_close(starts[0].pose, pose, atol=0.02, rtol=0)
    assert [start.correlation for start in starts] == sorted((s.correlation for s in starts), reverse=True)


def test_a_head_that_is_nearer_and_aside(subject):
    """A wide picture; the head stands to the left, 1.3 times as large."""
    frame = 3
    pose = subject.poses[frame].clone()
    head = head_before(pose, subject.pivot)
    wanted = torch.stack([head[2] * 0.18, head[1], head[2] / 1.3])
    pose[:, 3] = subject.pivot - pose[:, :3] @ wanted
    photo, camera = picture(subject, pose, frame, SIZE, 2 * SIZE)
    (start, *_) = find_starts(subject, photo, camera, 2)
    found = head_before(start.pose, subject.pivot)
    # Sizes are tried in steps of 15 %.
    assert (found - wanted).norm() < 0.2 * wanted.norm()


def test_nothing_that_resembles_a_face(subject):
    """Noise is far behind a picture of the person."""
    noise = torch.rand(SIZE, SIZE, 3, generator=torch.Generator().manual_seed(0))
    starts = find_starts(subject, Photo("a.png", noise), photo_camera(subject.own_camera, SIZE, SIZE), 3)
    assert all(start.correlation < 0.7 for start in starts)


def test_starts_differ(subject):
    photo, camera = picture(subject, subject.poses[1], 1)
    starts = find_starts(subject, photo, camera, 6)
    assert 2 <= len({start.frame for start in starts}) == len(starts)
