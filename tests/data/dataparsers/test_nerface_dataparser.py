from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_face import CENTER, FOCAL_PX, HEIGHT, WIDTH, edit_json, tiny_file, tiny_record, write_tiny_face

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.frame_json import write_frame_file

SPLITS = {"train": [0, 1, 2, 4, 5], "val": [3, 6], "test": [7, 8]}


def parse(root: Path, part: str = "train", **settings):
    return NeRFaceDataParserConfig(data=root, **settings).setup().get_dataparser_outputs(part)


def test_intrinsics_take_the_half_pixel_in(tiny_face):
    cameras = parse(tiny_face).cameras
    expected = [FOCAL_PX, FOCAL_PX + 2, WIDTH * CENTER[0] + 0.5, HEIGHT * CENTER[1] + 0.5]
    got = torch.cat([cameras.fx, cameras.fy, cameras.cx, cameras.cy], dim=-1)
    torch.testing.assert_close(got, torch.tensor(expected).expand(5, 4))


def test_resolution_scales_the_intrinsics(tiny_face):
    full, half = parse(tiny_face).cameras, parse(tiny_face, resolution=6).cameras
    assert (half.height[0].item(), half.width[0].item()) == (6, 8)
    for name in ("fx", "fy", "cx", "cy"):
        torch.testing.assert_close(getattr(half, name), getattr(full, name) / 2)


@pytest.mark.parametrize("resolution", [0, 13])
def test_resolution_beyond_the_stored_size(tiny_face, resolution):
    with pytest.raises(ValueError, match=rf"resolution: expected a height in 1\.\.12.* got {resolution}"):
        parse(tiny_face, resolution=resolution)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_cameras_and_conditions_of_each_frame(tiny_face, split):
    outputs = parse(tiny_face, split)
    records = [tiny_record(number, split) for number in SPLITS[split]]
    cameras = outputs.cameras
    expected = np.stack([record.camera_to_world[:3] for record in records]).astype(np.float32)
    np.testing.assert_array_equal(cameras.camera_to_worlds.numpy(), expected)
    np.testing.assert_array_equal(cameras.metadata["expression"].numpy(), np.stack([r.expression for r in records]))
    np.testing.assert_allclose(cameras.metadata["gaze"].numpy(), np.stack([r.gaze for r in records]), atol=1e-7)
    index = list(range(5)) if split == "train" else [-1] * len(records)
    assert cameras.metadata["frame_index"].tolist() == [[number] for number in index]
    torch.testing.assert_close(cameras.times[:, 0], torch.tensor(SPLITS[split]) / 8)
    assert outputs.metadata["frame_names"] == [f"{split}/f_{number:04d}" for number in SPLITS[split]]
    torch.testing.assert_close(
        outputs.metadata["face_boxes"], torch.tensor([[2 / 12, 10 / 12, 4 / 16, 12 / 16]]).expand(len(records), 4)
    )
    assert set(outputs.metadata["region_boxes"]) == {"eyes", "mouth"}
    assert [path.name for path in outputs.metadata["alpha_filenames"]] == [p.name for p in outputs.image_filenames]


def test_every_split_describes_the_training_frames(tiny_face):
    train, test = parse(tiny_face), parse(tiny_face, "test")
    for metadata in (train.metadata, test.metadata):
        assert metadata["train_expression"].shape == (5, 3)
        torch.testing.assert_close(metadata["train_expression"], train.cameras.metadata["expression"])
        torch.testing.assert_close(metadata["train_times"], train.cameras.times)
        torch.testing.assert_close(metadata["train_gaze"], train.cameras.metadata["gaze"])
        torch.testing.assert_close(metadata["train_camera_to_world"], train.cameras.camera_to_worlds)
        torch.testing.assert_close(metadata["train_intrinsics"][:, :1], train.cameras.fx)
        torch.testing.assert_close(metadata["train_face_boxes"], train.metadata["face_boxes"])
        assert metadata["expression_names"] == ("jawOpen", "smile", "blink")
        assert metadata["image_size"] == (HEIGHT, WIDTH)
        assert metadata["background_filename"] == tiny_face / "bg" / "00050.png"
        assert metadata["dataset_name"] == "subject"
    torch.testing.assert_close(train.scene_box.aabb, test.scene_box.aabb)
    assert train.metadata["near_far"] == test.metadata["near_far"]


def test_names_are_made_up_where_the_files_have_none(tiny_face):
    for split in SPLITS:
        edit_json(tiny_face / f"transforms_{split}.json", lambda content: content.pop("expression_names") and None)
    assert parse(tiny_face).metadata["expression_names"] == ("expression_00", "expression_01", "expression_02")


def test_everything_optional_may_be_absent(tmp_path):
    """No boxes, gaze, masks or background: the format's bare bones."""
    root = write_tiny_face(tmp_path / "bare", masks=False, suffix=".jpg")
    shutil.rmtree(root / "bg")
    for split in SPLITS:

        def strip(content):
            for frame in content["frames"]:
                for key in ("bbox", "mouth_box", "eyes_box", "gaze"):
                    del frame[key]

        edit_json(root / f"transforms_{split}.json", strip)
    outputs = parse(root)
    absent = {"face_boxes", "train_face_boxes", "train_gaze", "alpha_filenames"}
    assert absent.isdisjoint(outputs.metadata)
    assert outputs.metadata["region_boxes"] == {}
    assert outputs.metadata["background_filename"] is None
    assert "gaze" not in outputs.cameras.metadata
    assert [path.suffix for path in outputs.image_filenames] == [".jpg"] * 5


def test_positive_fx_keeps_the_poses(tiny_face):
    """A file with positive fx describes an unmirrored world, so its stored poses are the cameras'."""
    for split in SPLITS:
        edit_json(tiny_face / f"transforms_{split}.json", lambda c: c["intrinsics"].__setitem__(0, FOCAL_PX))
    mirrored = np.stack([tiny_record(number, "train").camera_to_world[:3] for number in SPLITS["train"]])
    expected = mirrored * np.array([-1, 1, 1])[:, None] * np.array([-1, 1, 1, 1])
    np.testing.assert_allclose(parse(tiny_face).cameras.camera_to_worlds.numpy(), expected, atol=1e-7)


def test_overrides_of_the_bounds(tiny_face):
    outputs = parse(tiny_face, scene_box=(-1, -2, -3, 1, 2, 3), near=0.2, far=0.8)
    assert outputs.scene_box.aabb.tolist() == [[-1, -2, -3], [1, 2, 3]]
    assert outputs.metadata["near_far"] == (0.2, 0.8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scene_box": (0, 0, 0, 1, 0, 1)}, "scene_box: expected x0 y0 z0 below"),
        ({"near": 0.8, "far": 0.2}, "near, far: expected 0 <= near < far"),
    ],
)
def test_bad_overrides(tiny_face, settings, message):
    with pytest.raises(ValueError, match=message):
        parse(tiny_face, **settings)


def test_scene_box_covers_masks_boxes_or_images(tiny_face):
    """The mask shows as much as the face box here; the whole image shows more. Without masks, images count."""
    sizes = {}
    for covers in ("auto", "mask", "face_box", "image"):
        low, high = parse(tiny_face, scene_box_covers=covers).scene_box.aabb
        sizes[covers] = (high - low).prod().item()
    assert sizes["auto"] == sizes["mask"] == pytest.approx(sizes["face_box"], rel=1e-5)
    assert sizes["image"] > 2 * sizes["mask"]
    low, high = parse(tiny_face, use_masks=False).scene_box.aabb
    assert (high - low).prod().item() == pytest.approx(sizes["image"])


def test_missing_split_is_an_explicit_choice(tiny_face):
    (tiny_face / "transforms_val.json").unlink()
    assert parse(tiny_face, "val", missing_split="other").metadata["frame_names"] == ["test/f_0007", "test/f_0008"]
    as_train = parse(tiny_face, "val", missing_split="train")
    assert as_train.metadata["frame_names"] == parse(tiny_face, missing_split="train").metadata["frame_names"]
    assert (as_train.cameras.metadata["frame_index"] == -1).all()
    times = parse(tiny_face, "test", missing_split="other").cameras.times
    torch.testing.assert_close(parse(tiny_face, "val", missing_split="other").cameras.times, times)


@pytest.fixture
def one_file(tmp_path):
    """Twenty frames in one transforms.json."""
    root = write_tiny_face(tmp_path / "one", {"all": list(range(20))})
    (root / "transforms_all.json").rename(root / "transforms.json")
    return root


@pytest.mark.parametrize(
    "settings", [{"split": "fraction", "test_fraction": 0.2}, {"split": "last", "num_test_frames": 4}]
)
def test_one_file_is_split_at_its_end(one_file, settings):
    numbers = {}
    for split in ("train", "val", "test"):
        outputs = parse(one_file, split, num_val_frames=2, **settings)
        numbers[split] = [int(name[-4:]) for name in outputs.metadata["frame_names"]]
        torch.testing.assert_close(outputs.cameras.times[:, 0], torch.tensor(numbers[split]) / 19)
    assert numbers["test"] == [16, 17, 18, 19]
    assert numbers["val"] == [4, 12]
    assert sorted(numbers["train"] + numbers["val"]) == list(range(16))


def test_one_file_with_too_few_frames(one_file):
    with pytest.raises(ValueError, match=r"transforms\.json: expected at least one frame in each split, got 20 frames"):
        parse(one_file, split="last")


def test_novel_views_are_an_extra_split(tmp_path):
    root = write_tiny_face(tmp_path / "views", {**SPLITS, "nvs": [1, 4]})
    outputs = parse(root, "nvs")
    assert outputs.metadata["frame_names"] == ["nvs/f_0001", "nvs/f_0004"]
    assert (outputs.cameras.metadata["frame_index"] == -1).all()
    torch.testing.assert_close(outputs.cameras.times[:, 0], torch.tensor([1, 4]) / 8)


def test_unknown_split(tiny_face):
    with pytest.raises(ValueError, match=r"expected split among \['test', 'train', 'val'\], got 'nvs'"):
        parse(tiny_face, "nvs")


def test_other_training_file(tiny_face):
    noisy = tiny_file(SPLITS["train"], "train")
    noisy.fx_px *= 1.05
    write_frame_file(tiny_face / "transforms_train_noisy.json", noisy)
    settings = {"train_file": "transforms_train_noisy.json"}
    torch.testing.assert_close(parse(tiny_face, **settings).cameras.fx, torch.full((5, 1), 1.05 * FOCAL_PX))
    torch.testing.assert_close(parse(tiny_face, "test", **settings).cameras.fx, torch.full((2, 1), FOCAL_PX))


def test_index_map_beside_the_files_is_no_problem(tiny_face):
    np.save(tiny_face / "index_map.npy", np.arange(5))
    assert len(parse(tiny_face).image_filenames) == 5


def test_reference_head(shared_data):
    """The release-format head: sizes, splits and the recorded order across them."""
    parser = NeRFaceDataParserConfig(data=shared_data / "head_a", resolution=128).setup()
    outputs = {split: parser.get_dataparser_outputs(split) for split in ("train", "val", "test", "nvs")}
    assert {split: len(output.image_filenames) for split, output in outputs.items()} == {
        "train": 354,
        "val": 16,
        "test": 70,
        "nvs": 30,
    }
    assert outputs["train"].metadata["train_expression"].shape == (354, 57)
    assert outputs["train"].cameras.fx[0].item() == pytest.approx(941.17647 / 2)
    assert outputs["val"].cameras.times[0].item() == pytest.approx(7 / 439)
    assert outputs["test"].cameras.times[-1].item() == 1.0
    assert outputs["nvs"].cameras.times[1].item() == pytest.approx(12 / 439)
