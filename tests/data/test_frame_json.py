from __future__ import annotations

import json

import numpy as np
import pytest
from tiny_face import edit_json, tiny_file

from nerface_ns.data.frame_json import is_mirrored, mirror_pose, read_frame_file, write_frame_file


def test_write_then_read_gives_the_same_values(tmp_path):
    written = tiny_file([0, 1, 5], "train")
    written.camera_angle_x = 0.27
    write_frame_file(tmp_path / "frames.json", written)
    read = read_frame_file(tmp_path / "frames.json")

    for name in ("fx_px", "fy_px", "cx_fraction", "cy_fraction", "expression_names", "camera_angle_x"):
        assert getattr(read, name) == getattr(written, name)
    for got, expected in zip(read.frames, written.frames):
        assert got.file_path == expected.file_path
        np.testing.assert_array_equal(got.camera_to_world, expected.camera_to_world)
        np.testing.assert_array_equal(got.expression, expected.expression)
        np.testing.assert_array_equal(got.face_box, expected.face_box)
        np.testing.assert_array_equal(got.gaze, expected.gaze)
        assert got.region_boxes.keys() == expected.region_boxes.keys()
        for region in expected.region_boxes:
            np.testing.assert_array_equal(got.region_boxes[region], expected.region_boxes[region])


def test_written_file_is_mirrored(tmp_path):
    """fx is negative and the pose is conjugated, as the release has it."""
    frame_file = tiny_file([2], "train")
    write_frame_file(tmp_path / "frames.json", frame_file)
    content = json.loads((tmp_path / "frames.json").read_text())

    assert content["intrinsics"][0] == -frame_file.fx_px
    mirror = np.diag([-1.0, 1, 1, 1])
    expected = mirror @ frame_file.frames[0].camera_to_world @ mirror
    np.testing.assert_array_equal(content["frames"][0]["transform_matrix"], expected)


def test_negative_fx_is_unmirrored_and_positive_fx_is_not(tmp_path):
    path = tmp_path / "frames.json"
    write_frame_file(path, tiny_file([2], "train"))
    mirrored = read_frame_file(path)
    stored = np.array(json.loads(path.read_text())["frames"][0]["transform_matrix"])
    edit_json(path, lambda content: content["intrinsics"].__setitem__(0, 60.0))
    plain = read_frame_file(path)

    assert mirrored.fx_px == plain.fx_px == 60.0
    np.testing.assert_array_equal(mirrored.frames[0].camera_to_world, mirror_pose(stored))
    np.testing.assert_array_equal(plain.frames[0].camera_to_world, stored)


def test_optional_keys_may_be_absent(tmp_path):
    def strip(content):
        del content["expression_names"]
        for key in ("bbox", "mouth_box", "eyes_box", "gaze"):
            del content["frames"][0][key]

    path = tmp_path / "frames.json"
    write_frame_file(path, tiny_file([0], "train"))
    edit_json(path, strip)
    read = read_frame_file(path)
    frame = read.frames[0]
    assert (read.expression_names, frame.face_box, frame.region_boxes, frame.gaze) == (None, None, {}, None)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.pop("intrinsics"), r"expected key 'intrinsics'"),
        (lambda c: c.pop("frames"), r"expected key 'frames'"),
        (lambda c: c.__setitem__("frames", {}), r"'frames' expected a list, got dict"),
        (lambda c: c["frames"].__setitem__(1, 3), r"frame 1: expected an object, got int"),
        (lambda c: c["frames"][1].pop("file_path"), r"frame 1: expected key 'file_path'"),
        (lambda c: c["frames"][1].pop("expression"), r"frame 1 \(\./train/f_0001\): expected key 'expression'"),
        (lambda c: c["frames"][0].pop("transform_matrix"), r"frame 0 .*: expected key 'transform_matrix'"),
        (lambda c: c["frames"][0]["transform_matrix"].pop(), r"'transform_matrix' .* 4x4, got shape \(3, 4\)"),
        (lambda c: c["frames"][0]["transform_matrix"][0].pop(), r"'transform_matrix' .* got ragged lists"),
        (lambda c: c["frames"][0].__setitem__("expression", ["a"]), r"'expression' expected numbers"),
        (lambda c: c["frames"][0].__setitem__("bbox", [0, 1, 0]), r"'bbox' expected numbers of shape 4"),
        (lambda c: c.__setitem__("intrinsics", [-60, 60, 8, 6]), r"cx, cy as fractions"),
        (lambda c: c.__setitem__("intrinsics", [0, 60, 0.5, 0.5]), r"fx not 0"),
        (lambda c: c.__setitem__("expression_names", ["a", "a", "b"]), r"distinct names"),
    ],
)
def test_malformed_content_is_named(tmp_path, edit, message):
    path = tmp_path / "frames.json"
    write_frame_file(path, tiny_file([0, 1], "train"))
    edit_json(path, edit)
    with pytest.raises(ValueError, match=message) as error:
        read_frame_file(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"), [("[1, 2]", "JSON object at the top level, got list"), ("{", "does not parse")]
)
def test_file_that_is_no_json_object(tmp_path, text, message):
    (tmp_path / "frames.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_frame_file(tmp_path / "frames.json")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"frames\.json: expected a frame file"):
        read_frame_file(tmp_path / "frames.json")


def test_sign_of_fx_tells_a_mirrored_world(tmp_path):
    path = tmp_path / "frames.json"
    write_frame_file(path, tiny_file([0, 1], "train"))
    assert is_mirrored(path)
    edit_json(path, lambda content: content.update(intrinsics=[600, 600, 0.5, 0.5]))
    assert not is_mirrored(path)
