from types import SimpleNamespace

import numpy as np
import pytest
import torch
from patchy_head import SIZE, camera_at
from scipy.spatial.transform import Rotation

from nerface_ns.fitting.landmark_start import LandmarkStart, carried_over
from nerface_ns.fitting.photo import Photo
from nerface_ns.rendering.training_cameras import rotation_angle_deg

CANONICAL = np.random.default_rng(0).uniform(-7, 7, (478, 3))
UNIT = 0.01
"""Scene units of a cm: the average face is far from the run's, in size and place."""
OFFSET = np.array([0.3, -2.0, 1.0])
TILT = Rotation.from_rotvec([0.1, 0.2, -0.05]).as_matrix()


def average_face(pose: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and position, cm, of the average face in a camera's axes; it sits tilted in the run's head."""
    c2w = pose.double().numpy()
    rotation = c2w[:, :3].T @ TILT
    return rotation, c2w[:, :3].T @ (-c2w[:, 3]) / UNIT + rotation @ OFFSET


class PaintedFaces:
    """Knows each picture's pose by its brightness and projects the average face."""

    def __init__(self, poses: dict[int, torch.Tensor], camera) -> None:
        self.poses, self.camera = poses, camera

    def find(self, image: np.ndarray) -> SimpleNamespace:
        pose = self.poses.get(int(image[0, 0, 0]))
        if pose is None:
            return SimpleNamespace(landmarks_px=np.zeros((0, 478, 3), np.float32))
        rotation, place = average_face(pose)
        points = CANONICAL @ rotation.T + place
        scale = image.shape[0] / SIZE
        x = float(self.camera.cx[0]) + float(self.camera.fx[0]) * points[:, 0] / -points[:, 2]
        y = float(self.camera.cy[0]) - float(self.camera.fy[0]) * points[:, 1] / -points[:, 2]
        return SimpleNamespace(landmarks_px=np.stack([x, y, 0 * x], axis=-1)[None] * scale)


def painted(level: int) -> torch.Tensor:
    return torch.full((SIZE, SIZE, 3), level / 255)


@pytest.fixture
def landmarks(subject, monkeypatch):
    """Training frame 2 has brightness 20, the photograph 99."""
    poses = {20: subject.poses[2], 99: camera_at(0.4, 0.1, 0.45)}
    dataset = subject.pipeline.datamanager.train_dataset
    monkeypatch.setattr(dataset, "get_data", lambda frame: {"image": painted(10 * frame)})
    return LandmarkStart(PaintedFaces(poses, subject.own_camera), CANONICAL[:468])


def test_the_motion_between_two_pictures_is_carried_over(landmarks, subject):
    start = landmarks.find(subject, Photo("a.png", painted(99)), subject.own_camera, [4, 2])
    assert start is not None and start.frame == 2
    expected = camera_at(0.4, 0.1, 0.45)
    assert float(rotation_angle_deg(start.pose[None, :, :3], expected[None, :, :3])) < 0.1
    # The unit of length is guessed from the distance, in which the average face's offset is a fortieth.
    assert (start.pose[:, 3] - expected[:, 3]).norm() < 0.02


@pytest.mark.parametrize(("level", "frames"), [(50, [2]), (99, [1, 3])])
def test_no_face_in_one_of_them(landmarks, subject, level, frames):
    assert landmarks.find(subject, Photo("a.png", painted(level)), subject.own_camera, frames) is None


def test_no_motion_changes_nothing(subject):
    pose = subject.poses[1]
    torch.testing.assert_close(
        carried_over(pose, subject.pivot, average_face(pose), average_face(pose)), pose, atol=1e-6, rtol=0
    )
