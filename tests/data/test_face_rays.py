from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.face_rays import FaceRayGenerator


def format_rays(content: dict, frame: int, row: np.ndarray, column: np.ndarray, height: int, width: int):
    """Rays as the format defines them, in its mirrored world; float64."""
    fx, fy, cx, cy = content["intrinsics"]
    pose = np.array(content["frames"][frame]["transform_matrix"])
    local = np.stack([(column - width * cx) / fx, -(row - height * cy) / fy, -np.ones(len(row))], axis=-1)
    direction = local @ pose[:3, :3].T
    return pose[:3, 3], direction / np.linalg.norm(direction, axis=1, keepdims=True)


def assert_rays_follow_the_format(root: Path, split: str, stride: int):
    """Every frame's pixel rays are the format's, mirrored in x, to 1e-6."""
    outputs = NeRFaceDataParserConfig(data=root).setup().get_dataparser_outputs(split)
    height, width = outputs.metadata["image_size"]
    generator = FaceRayGenerator(outputs.cameras)
    content = json.loads((root / f"transforms_{split}.json").read_text())
    row, column = (grid.ravel() for grid in np.mgrid[0:height:stride, 0:width:stride])
    mirror = np.array([-1.0, 1, 1])
    for frame in range(len(outputs.image_filenames)):
        indices = torch.from_numpy(np.stack([np.full_like(row, frame), row, column], axis=-1))
        rays = generator(indices)
        origin, direction = format_rays(content, frame, row, column, height, width)
        np.testing.assert_allclose(rays.directions.numpy(), direction * mirror, atol=1e-6, rtol=0)
        np.testing.assert_allclose(rays.origins.numpy(), np.tile(origin * mirror, (len(row), 1)), atol=1e-6, rtol=0)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_rays_follow_the_format(tiny_face, split):
    assert_rays_follow_the_format(tiny_face, split, stride=1)


@pytest.mark.parametrize("split", ["train", "val", "test", "nvs"])
def test_reference_rays_follow_the_format(shared_data, split):
    assert_rays_follow_the_format(shared_data / "head_a", split, stride=51)


def test_rays_match_nerfstudio(tiny_face):
    """The fast generator gives what `Cameras.generate_rays` gives, at a reduced size too."""
    outputs = NeRFaceDataParserConfig(data=tiny_face, resolution=6).setup().get_dataparser_outputs("train")
    cameras = outputs.cameras
    indices = torch.cartesian_prod(torch.arange(5), torch.arange(6), torch.arange(8))
    rays = FaceRayGenerator(cameras, condition_keys=("frame_index", "expression", "gaze"))(indices)
    coordinates = indices[:, 1:] + 0.5
    with pytest.warns(UserWarning, match="non-tuple sequence"):
        expected = cameras.generate_rays(indices[:, :1], coordinates)

    for name in ("origins", "directions", "camera_indices", "times"):
        torch.testing.assert_close(getattr(rays, name), getattr(expected, name), atol=1e-6, rtol=0)
    # The pixels here are 2 degrees wide, so the chord that nerfstudio takes is shorter than the angle.
    torch.testing.assert_close(rays.pixel_area, expected.pixel_area, rtol=1e-3, atol=0)
    for name in ("frame_index", "expression", "gaze", "directions_norm"):
        torch.testing.assert_close(rays.metadata[name], expected.metadata[name], atol=1e-6, rtol=0)


def test_rays_carry_rotation_and_pixel_position(tiny_face):
    outputs = NeRFaceDataParserConfig(data=tiny_face).setup().get_dataparser_outputs("train")
    rays = FaceRayGenerator(outputs.cameras)(torch.tensor([[3, 2, 5], [1, 11, 15]]))
    rotation = outputs.cameras.camera_to_worlds[[3, 1], :3, :3]
    torch.testing.assert_close(rays.metadata["camera_rotation"].reshape(2, 3, 3), rotation)
    expected = torch.tensor([[5.5 / 16, 2.5 / 12], [15.5 / 16, 11.5 / 12]])
    torch.testing.assert_close(rays.metadata["pixel_position"], expected)
    assert rays.metadata["frame_index"].tolist() == [[3], [1]]
