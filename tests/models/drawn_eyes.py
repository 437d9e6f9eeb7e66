"""Two eyeballs behind lids, drawn in closed form, and a pipeline whose model draws them with any gaze."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras
from PIL import Image

from nerface_ns.data.face_frames import FaceFrames, FaceSequence
from nerface_ns.evaluation.gaze_calibration import CalibratedEyes
from nerface_ns.evaluation.gaze_geometry import Eyeballs
from nerface_ns.evaluation.gaze_pixels import SkinColor
from nerface_ns.evaluation.gaze_profile import IrisProfile

CENTERS = np.array([[-0.016, 0.012, 0.030], [0.016, 0.012, 0.030]])
"""Right and left eyeball in the head's frame."""
RADIUS, IRIS_DEG, PUPIL_DEG = 0.0068, 27.0, 11.0
FOCAL_OVER_HEIGHT = 3.7
SKIN_Z = 0.0345
"""The face is a plane."""
EYES_BOX = np.array([[-0.028, -0.004, SKIN_Z], [0.028, 0.026, SKIN_Z]])
"""Corners of the region of eyes and brows."""
SKIN, WHITE, IRIS, PUPIL, BROW = 0.75, 0.9, 0.28, 0.06, 0.2
SKIN_TINT = np.array([1.0, 0.75, 0.65])


def look_at_origin(yaw: float, pitch: float, distance: float = 0.5) -> np.ndarray:
    """(4, 4) OpenGL camera that looks at the origin from an angle (radians)."""
    back = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.cross([0.0, 1.0, 0.0], back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.stack([right, np.cross(back, right), back], axis=1), distance * back
    return pose


def lens(size: int) -> np.ndarray:
    """fx, fy, cx, cy of a square picture."""
    return np.array([FOCAL_OVER_HEIGHT * size, FOCAL_OVER_HEIGHT * size, size / 2, size / 2])


def draw_eyes(
    gaze: np.ndarray, pose: np.ndarray, size: int = 112, opening: float = 0.62, samples: int = 2
) -> np.ndarray:
    """(size, size, 3) picture, each pixel the mean of `samples` x `samples` rays.

    Args:
        gaze: Pitch and yaw of both eyes, radians.
        pose: Camera.
        size: Height and width.
        opening: Half the height between the lids in the eye's middle, in radii; 0 shuts the eyes.
        samples: Rays a pixel, per side.
    """
    fx, fy, cx, cy = lens(size)
    place = (np.arange(size * samples) + 0.5) / samples
    x, y = np.meshgrid(place, place)
    ray = np.stack([(x - cx) / fx, -(y - cy) / fy, -np.ones_like(x)], axis=-1) @ pose[:3, :3].T
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    origin = pose[:3, 3]
    skin = origin + ray * ((SKIN_Z - origin[2]) / ray[..., 2])[..., None]
    # Brows, some unevenness of the skin.
    brow = (np.abs(skin[..., 1] - 0.0225) < 0.0018) & (np.abs(np.abs(skin[..., 0]) - 0.016) < 0.010)
    color = np.where(brow, BROW, SKIN + 0.06 * np.sin(400 * skin[..., 0]) * np.sin(300 * skin[..., 1]))
    is_eye = np.zeros(color.shape, dtype=bool)
    pitch, yaw = gaze
    direction = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    for center in CENTERS:
        across = ((skin - center)[..., 0] / (1.9 * RADIUS)).clip(-1, 1)
        between = np.abs(skin[..., 1] - center[1]) < opening * RADIUS * (1 - across**2)
        to_center = center - origin
        along = ray @ to_center
        room = RADIUS**2 - (to_center @ to_center - along**2)
        hit = origin + ray * (along - np.sqrt(np.maximum(room, 0)))[..., None]
        angle = np.rad2deg(np.arccos((((hit - center) / RADIUS) @ direction).clip(-1, 1)))
        ball = np.select([room < 0, angle < PUPIL_DEG, angle < IRIS_DEG], [0.5, PUPIL, IRIS], WHITE)
        color = np.where(between, ball, color)
        is_eye |= between
    color = color[..., None] * np.where(is_eye[..., None], 1.0, SKIN_TINT)
    return color.reshape(size, samples, size, samples, 3).mean(axis=(1, 3))


def eyes_box(pose: np.ndarray, size: int) -> np.ndarray:
    """y0, y1, x0, x1 as fractions round the region of the eyes."""
    xs, ys = EYES_BOX[:, 0], EYES_BOX[:, 1]
    corners = np.array([[x, y, SKIN_Z] for x in xs for y in ys])
    view = (corners - pose[:3, 3]) @ pose[:3, :3]
    fx, fy, cx, cy = lens(size)
    column, row = fx * view[:, 0] / -view[:, 2] + cx, -fy * view[:, 1] / -view[:, 2] + cy
    return np.array([row.min(), row.max(), column.min(), column.max()]) / size


def random_gaze(count: int, seed: int) -> np.ndarray:
    """(count, 2) pitch within 12 degrees, yaw within 24, radians."""
    return np.deg2rad(np.random.default_rng(seed).uniform([-12, -24], [12, 24], (count, 2)))


def random_poses(count: int, seed: int) -> np.ndarray:
    """(count, 4, 4) cameras up to 25 degrees aside."""
    angles = np.random.default_rng([seed, 1]).uniform([-25, -8], [25, 8], (count, 2))
    return np.stack([look_at_origin(*np.deg2rad(each)) for each in angles])


def drawn_frames(
    folder: Path, split: str, count: int, seed: int, size: int = 112, shut: tuple[int, ...] = ()
) -> FaceFrames:
    """Write a split's pictures; frames in `shut` have their eyes closed."""
    gaze, poses = random_gaze(count, seed), random_poses(count, seed)
    (folder / split).mkdir(parents=True)
    names = [f"{split}/f_{number:04d}" for number in range(count)]
    for number, name in enumerate(names):
        image = draw_eyes(gaze[number], poses[number], size, 0.0 if number in shut else 0.62)
        Image.fromarray((image * 255).round().astype(np.uint8)).save(folder / f"{name}.png")
    return FaceFrames(
        source=folder / f"transforms_{split}.json",
        frame_names=names,
        image_filenames=[folder / f"{name}.png" for name in names],
        image_size=(size, size),
        camera_to_world=poses,
        intrinsics_px=np.tile(lens(size), (count, 1)),
        expression=np.zeros((count, 2), dtype=np.float32),
        region_boxes={"eyes": np.stack([eyes_box(pose, size) for pose in poses])},
        gaze=gaze,
    )


class DrawingModel(torch.nn.Module):
    """Draws what is asked for, but looks aside by `bias_deg` and lights up the lowest row by `spill` with the yaw."""

    device = torch.device("cpu")
    has_gaze = True

    def __init__(self, bias_deg: float = 0.0, spill: float = 0.0) -> None:
        super().__init__()
        self.bias_deg, self.spill = bias_deg, spill
        self.config = SimpleNamespace(code_protocol="zero")

    def get_outputs_for_camera(self, camera: Any) -> dict[str, torch.Tensor]:
        assert int(camera.metadata["frame_index"]) == -1 and camera.metadata["expression"].shape == (1, 2)
        pose = np.eye(4)
        pose[:3] = camera.camera_to_worlds[0].numpy()
        gaze = camera.metadata["gaze"][0].numpy().astype(np.float64)
        size = int(camera.height[0])
        np.testing.assert_allclose(float(camera.fx[0]), lens(size)[0], rtol=1e-5)
        image = draw_eyes(gaze + np.deg2rad([0.0, self.bias_deg]), pose, size)
        image[-1] += self.spill * gaze[1]
        distance = np.full((size, size, 1), 0.5 - SKIN_Z)
        outputs = {"rgb": image, "accumulation": np.ones((size, size, 1)), "depth": distance}
        return {name: torch.from_numpy(value).float() for name, value in outputs.items()}


def drawing_pipeline(
    folder: Path, model: Any, size: int = 112, num_train: int = 14, shut: tuple[int, ...] = (1,)
) -> Any:
    """A run over drawn frames: `num_train` for training, 4 for the test, of which those in `shut` have shut eyes."""
    splits = {
        "train": drawn_frames(folder, "train", num_train, seed=0, size=size),
        "test": drawn_frames(folder, "test", 4, seed=1, size=size, shut=shut),
    }
    sequence = FaceSequence(
        "drawn", folder, splits, {name: np.linspace(0, 1, len(part)) for name, part in splits.items()}
    )

    def outputs(split: str) -> Any:
        frames = splits[split]
        count = len(frames)
        metadata = {
            "frame_index": torch.full((count, 1), -1),
            "expression": torch.from_numpy(frames.expression),
            "gaze": torch.from_numpy(frames.gaze).float(),
        }
        fx, fy, cx, cy = (torch.full((count, 1), float(value)) for value in lens(size))
        poses = torch.from_numpy(frames.camera_to_world[:, :3]).float()
        return SimpleNamespace(cameras=Cameras(poses, fx, fy, cx, cy, size, size, metadata=metadata))

    pipeline: Any = torch.nn.Module()
    pipeline.model, pipeline.device = model, model.device
    dataparser = SimpleNamespace(sequence=sequence, get_dataparser_outputs=outputs, config=SimpleNamespace(data=folder))
    pipeline.datamanager = SimpleNamespace(dataparser=dataparser)
    return pipeline


def true_eyes(pictures: Any, gaze: np.ndarray) -> CalibratedEyes:
    """What a calibration should find; it stands in for one, which takes seconds."""
    eyeballs = Eyeballs(CENTERS, RADIUS)
    profile = IrisProfile(PUPIL, IRIS, WHITE, PUPIL_DEG, IRIS_DEG, 2.0)
    return CalibratedEyes(eyeballs, profile, SkinColor.learned(pictures, eyeballs))
