"""Each malformed dataset gets one clear error from the dataparser, before anything is trained."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tiny_face import HEIGHT, WIDTH, edit_json

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.face_frames import read_image_size


def parse(root, **settings):
    return NeRFaceDataParserConfig(data=root, **settings).setup().get_dataparser_outputs("train")


def set_frame(root, key, value, split="train", frame=1):
    edit_json(root / f"transforms_{split}.json", lambda content: content["frames"][frame].__setitem__(key, value))


def set_pose(root, change):
    def edit(content):
        pose = np.array(content["frames"][1]["transform_matrix"])
        content["frames"][1]["transform_matrix"] = change(pose).tolist()

    edit_json(root / "transforms_train.json", edit)


def spoil_pose(value):
    def change(pose):
        pose[0, 3] = value
        return pose

    return change


def test_intact_data_pass(tiny_face):
    assert len(parse(tiny_face).image_filenames) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoil_pose(np.nan), "expected a finite pose, got nan"),
        (lambda pose: pose @ np.diag([1.0, 1, -1, 1]), r"determinant -1\.0000.*reflection"),
        (lambda pose: pose @ np.diag([1.1, 1, 1, 1]), "expected a proper rotation"),
        (lambda pose: pose + np.eye(4)[[3, 3, 3, 0]] * 0.1, r"expected last pose row \[0, 0, 0, 1\]"),
    ],
)
def test_bad_pose(tiny_face, change, message):
    set_pose(tiny_face, change)
    with pytest.raises(ValueError, match=message) as error:
        parse(tiny_face)
    assert "transforms_train.json: frame 1 (train/f_0001)" in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("expression", [0.1, 0.2], r"expected 3 expression coefficients as in frame 0, got 2"),
        ("expression", [0.1, float("nan"), 0.2], r"expected a finite expression, got nan at position 1"),
        ("expression", [0.1, 0.2, float("inf")], r"expected a finite expression, got inf at position 2"),
        ("gaze", [float("nan"), 0.2], r"expected a finite gaze, got nan"),
        ("bbox", [0.1, 1.2, 0.1, 0.9], r"expected face box .*got \[0\.1, 1\.2, 0\.1, 0\.9\]"),
        ("bbox", [0.5, 0.5, 0.1, 0.9], r"expected face box y0, y1, x0, x1 with 0 <= low < high <= 1"),
        ("mouth_box", [0.5, 0.4, 0.1, 0.9], r"expected mouth box"),
    ],
)
def test_bad_frame_field(tiny_face, key, value, message):
    set_frame(tiny_face, key, value)
    with pytest.raises(ValueError, match=message) as error:
        parse(tiny_face)
    assert "transforms_train.json: frame 1 (" in str(error.value)


def test_optional_field_that_one_frame_lacks(tiny_face):
    edit_json(tiny_face / "transforms_train.json", lambda content: content["frames"][2].pop("bbox") and None)
    with pytest.raises(ValueError, match=r"frame 2 \(\./train/f_0002\): expected 'bbox' as other frames"):
        parse(tiny_face)


def test_other_number_of_coefficients_in_another_split(tiny_face):
    for frame in (0, 1):
        set_frame(tiny_face, "expression", [0.0, 1.0], split="test", frame=frame)
    with pytest.raises(ValueError, match=r"transforms_test\.json: expected 3 expression coefficients .* got 2"):
        parse(tiny_face)


def test_names_that_do_not_fit_the_coefficients(tiny_face):
    for split in ("train", "val", "test"):
        edit_json(tiny_face / f"transforms_{split}.json", lambda c: c.__setitem__("expression_names", ["a", "b"]))
    with pytest.raises(ValueError, match="expected 3 expression names, got 2"):
        parse(tiny_face)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_split_without_frames(tiny_face, split):
    edit_json(tiny_face / f"transforms_{split}.json", lambda content: content.__setitem__("frames", []))
    with pytest.raises(ValueError, match=rf"transforms_{split}\.json: expected at least one frame, got none"):
        parse(tiny_face)


def test_missing_image(tiny_face):
    (tiny_face / "test" / "f_0008.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"transforms_test\.json: frame 1 .*f_0008\.png, f_0008\.jpg"):
        parse(tiny_face)


def test_missing_mask(tiny_face):
    (tiny_face / "masks" / "train" / "f_0004.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"frame 3 \(train/f_0004\): expected mask .*f_0004\.png"):
        parse(tiny_face)


def test_image_of_another_size(tiny_face):
    Image.new("RGB", (WIDTH, HEIGHT + 1)).save(tiny_face / "train" / "f_0004.png")
    with pytest.raises(ValueError, match=r"frame 3 \(train/f_0004\): expected image of 16x12 .* got 16x13"):
        parse(tiny_face)


def test_image_that_is_none(tiny_face):
    (tiny_face / "val" / "f_0006.png").write_text("no image")
    with pytest.raises(ValueError, match=r"f_0006\.png: expected a readable image"):
        parse(tiny_face)


def test_named_background_is_missing(tiny_face):
    with pytest.raises(FileNotFoundError, match=r"none\.png: expected an image"):
        parse(tiny_face, background=tiny_face / "none.png")


def test_truncated_background(tiny_face):
    path = tiny_face / "bg" / "00050.png"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"00050\.png: expected a whole image"):
        parse(tiny_face)


def test_two_backgrounds(tiny_face):
    Image.new("RGB", (WIDTH, HEIGHT)).save(tiny_face / "bg" / "other.png")
    with pytest.raises(ValueError, match=r"expected one background image, got \['00050\.png', 'other\.png'\]"):
        parse(tiny_face)


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a dataset folder here, found none; set --data"):
        parse(tmp_path / "nothing")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_missing_frame_file(tiny_face, split):
    (tiny_face / f"transforms_{split}.json").unlink()
    with pytest.raises(FileNotFoundError, match=rf"transforms_{split}\.json: expected"):
        parse(tiny_face)


def test_read_image_size(tmp_path):
    Image.new("RGB", (7, 5)).save(tmp_path / "image.jpg")
    assert read_image_size(tmp_path / "image.jpg") == (5, 7)
