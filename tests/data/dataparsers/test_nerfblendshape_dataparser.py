from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from blendshape_folder import HEIGHT, WIDTH, stored_pose, write_blendshape
from tiny_face import edit_json

from nerface_ns.data import recorded_splits
from nerface_ns.data.dataparsers.nerfblendshape_dataparser import NeRFBlendShapeDataParserConfig
from nerface_ns.data.face_rays import FaceRayGenerator
from nerface_ns.data.frame_store import decode_alpha


@pytest.fixture
def blendshape(tmp_path):
    return write_blendshape(tmp_path / "id1")


def parse(root: Path, split: str = "train", **settings):
    settings = {"num_val_frames": 1, "num_test_frames": 4, **settings}
    return NeRFBlendShapeDataParserConfig(data=root, **settings).setup().get_dataparser_outputs(split)


def test_last_frames_by_number_are_the_test_split(blendshape):
    names = {split: parse(blendshape, split).metadata["frame_names"] for split in ("train", "val", "test")}
    assert names["test"] == ["9", "10", "11", "12"]
    assert sorted([*names["train"], *names["val"]], key=int) == ["0", "1", "2", "4", "5", "6", "7", "8"]


def test_coefficients_and_images_of_each_frame(blendshape):
    outputs = parse(blendshape, "test")
    expected = torch.arange(46) / 46 + torch.tensor([9, 10, 11, 12])[:, None] / 100
    torch.testing.assert_close(outputs.cameras.metadata["expression"], expected)
    assert [path.parent.name for path in outputs.image_filenames] == ["head_imgs"] * 4
    other = parse(blendshape, "test", image_folder="ori_imgs")
    assert [path.parent.name for path in other.image_filenames] == ["ori_imgs"] * 4


def test_rays_are_those_of_the_released_loader(blendshape):
    """The loader permutes the world's axes and scales it; its rays, permuted back, are ours."""
    cameras = parse(blendshape, "test", camera_distance=None).cameras
    generator = FaceRayGenerator(cameras)
    row, column = np.array([0, 5, 11]), np.array([0, 8, 15])
    permutation = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=float)  # x, y, z to y, z, x
    for index, number in enumerate([9, 10, 11, 12]):
        pose = stored_pose(number)
        rotation = permutation @ pose[:3, :3] @ np.diag([1, -1, -1])
        local = np.stack([(column - 7.5) / 40, (row - 6.25) / 42, np.ones(3)], axis=-1)
        expected = local @ rotation.T @ permutation
        rays = generator(torch.from_numpy(np.stack([np.full(3, index), row, column], axis=-1)))
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(rays.directions.numpy(), expected, atol=1e-6)
        np.testing.assert_allclose(rays.origins.numpy(), np.tile(pose[:3, 3], (3, 1)), atol=1e-6)


def test_head_is_at_the_origin_half_a_unit_away(blendshape):
    outputs = parse(blendshape)
    assert outputs.cameras.camera_to_worlds[:, :, 3].norm(dim=-1).mean().item() == pytest.approx(0.5, abs=0.05)
    back = outputs.transform_poses_to_original_space(outputs.cameras.camera_to_worlds, camera_convention="opengl")
    expected = np.stack([stored_pose(int(name))[:3] for name in outputs.metadata["frame_names"]])
    np.testing.assert_allclose(back.numpy(), expected, atol=1e-6)


def test_masks_are_the_blue_head_before_head_images(blendshape):
    """The release's loss pulls the opacity to 1 where the parsing is blue."""
    alpha = decode_alpha(parse(blendshape).metadata["alpha_filenames"][0])
    expected = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    expected[3:9, 5:11] = 255
    np.testing.assert_array_equal(alpha, expected)


def test_masks_of_whole_pictures_keep_neck_and_torso(blendshape):
    alpha = decode_alpha(parse(blendshape, image_folder="ori_imgs").metadata["alpha_filenames"][0])
    expected = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    expected[3:9, 5:11] = expected[9:11, 4:12] = expected[11, 2:14] = 255
    np.testing.assert_array_equal(alpha, expected)


def test_boxes_are_those_of_the_landmarks(blendshape):
    metadata = parse(blendshape, "test").metadata
    # Landmarks span (6..10, 4..8): middle (8, 6), half diagonal 2 sqrt 2.
    radius = 2 * np.sqrt(2)
    box = np.array([6 - 1.44 * radius, 6 + 0.96 * radius, 8 - 1.2 * radius, 8 + 1.2 * radius])
    np.testing.assert_allclose(metadata["face_boxes"][0], box / [12, 12, 16, 16], atol=1e-4)
    mouth = metadata["region_boxes"]["mouth"][0].numpy() * [12, 12, 16, 16]
    margin = 0.25 * np.hypot(3, 1)
    np.testing.assert_allclose(mouth, [6.5 - margin, 7.5 + margin, 6 - margin, 9 + margin], atol=1e-3)
    eyes = metadata["region_boxes"]["eyes"][0].numpy() * [12, 12, 16, 16]
    margin = 0.15 * np.hypot(3, 1)
    np.testing.assert_allclose(eyes, [4.5 - margin, 5.5 + margin, 6.5 - margin, 9.5 + margin], atol=1e-3)


def test_folder_without_landmarks_and_parsing(blendshape):
    for path in [*(blendshape / "ori_imgs").glob("*.lms"), *(blendshape / "parsing").glob("*.png")]:
        path.unlink()
    metadata = parse(blendshape).metadata
    assert "face_boxes" not in metadata and "alpha_filenames" not in metadata


@pytest.mark.parametrize("start", [-5, 7])
def test_test_start_counts_frames_as_the_release_does(blendshape, start):
    """Python's slices of the sorted frames, which the release takes; image 3 does not count."""
    numbers = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    outputs = {split: parse(blendshape, split, test_start=start, num_val_frames=0) for split in ("train", "test")}
    assert outputs["train"].metadata["frame_names"] == [str(n) for n in numbers[:start]]
    assert outputs["test"].metadata["frame_names"] == [str(n) for n in numbers[start:]]


def test_validation_on_every_70th_test_frame(blendshape, monkeypatch):
    """No training frame is held out; a validation frame stands at its test frame's time."""
    monkeypatch.setattr(recorded_splits, "VAL_STRIDE", 2)
    val, test = (parse(blendshape, split, test_start=-4, num_val_frames=0) for split in ("val", "test"))
    assert val.metadata["frame_names"] == ["9", "11"]
    assert test.metadata["frame_names"] == ["9", "10", "11", "12"]
    torch.testing.assert_close(val.cameras.times, test.cameras.times[::2])
    torch.testing.assert_close(test.cameras.times[:, 0], torch.arange(8, 12) / 11, check_dtype=False)


@pytest.mark.parametrize("start", [0, 12, -12, -20])
def test_test_start_leaves_frames_for_both(blendshape, start):
    with pytest.raises(ValueError, match=r"transforms\.json: expected at least one frame in each split.*test_start"):
        parse(blendshape, test_start=start, num_val_frames=0)


def test_paper_split_needs_its_frames(blendshape):
    with pytest.raises(
        ValueError, match=r"transforms\.json: expected at least one frame in each split.*num_test_frames"
    ):
        parse(blendshape, num_test_frames=500)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c["frames"][3].pop("exp_ori"), r"expected key 'exp_ori'"),
        (lambda c: c["frames"][3]["exp_ori"].pop(), r"\(9\): expected 46 coefficients as in the first frame, got 45"),
        (lambda c: c["frames"][3].__setitem__("img_id", 10), r"expected each img_id once, got 10"),
        (lambda c: c["frames"][3].__setitem__("img_id", 1.5), r"expected a whole number"),
        (lambda c: c["frames"][3].__setitem__("img_id", 1e300), r"expected a whole number from 0 to 999999999"),
        (lambda c: c.__setitem__("fx", 0), r"expected fx, fy, h, w > 0"),
        (
            lambda c: c["frames"][3]["transform_matrix"][0].__setitem__(0, float("inf")),
            r"\(9\): expected a finite pose",
        ),
        (lambda c: c.__setitem__("frames", []), r"expected at least one frame, got none"),
    ],
)
def test_malformed_file(blendshape, edit, message):
    edit_json(blendshape / "transforms.json", edit)
    with pytest.raises(ValueError, match=message):
        parse(blendshape)


@pytest.mark.parametrize(("name", "what"), [("ori_imgs/5.lms", "landmarks"), ("parsing/5.png", "parsing")])
def test_missing_file_of_one_frame(blendshape, name, what):
    (blendshape / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"\(5\): expected {what}"):
        parse(blendshape)


def test_damaged_landmarks(blendshape):
    (blendshape / "ori_imgs" / "5.lms").write_text("1 2\n3\n")
    with pytest.raises(ValueError, match=r"\(5\): expected lines of x and y"):
        parse(blendshape)
