from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from flame_folders import (
    EXPRESSION,
    EYES,
    JAW,
    NECK,
    NECK_JOINT,
    NUM_FRAMES,
    ROOT_JOINT,
    WRITERS,
    face_image,
    matte,
    opencv_points,
    pixels_of,
)
from PIL import Image
from tiny_face import edit_json

from nerface_ns.data.dataparsers.flame_dataparser import FlameDataParserConfig
from nerface_ns.data.flame.layouts import detect_layout
from nerface_ns.data.frame_store import decode_alpha

TEST_FRAMES = {"insta": 5, "metrical-tracker": 4, "imavatar": 4, "neural-head-avatars": 4, "vhap": 6}
HAS_NECK = ("imavatar", "neural-head-avatars", "vhap")
JOINTS = {
    "imavatar": {"root_joint": tuple(4 * ROOT_JOINT), "neck_joint": tuple(4 * (NECK_JOINT - ROOT_JOINT))},
    "neural-head-avatars": {"neck_joint": tuple(NECK_JOINT - ROOT_JOINT)},
    "vhap": {"root_joint": tuple(ROOT_JOINT), "neck_joint": tuple(NECK_JOINT - ROOT_JOINT)},
}


@cache
def written(layout: str) -> Path:
    """A folder in a layout, which all tests read and none changes."""
    root = Path(tempfile.mkdtemp()) / layout
    root.mkdir()
    atexit.register(shutil.rmtree, root.parent, ignore_errors=True)
    WRITERS[layout](root)
    return root


@pytest.fixture(params=list(WRITERS))
def folder(request):
    """A folder in one of the layouts, not to be changed."""
    return written(request.param)


def write(tmp_path: Path, layout: str) -> Path:
    """A folder in a layout that a test may change."""
    return Path(shutil.copytree(written(layout), tmp_path / layout))


def parser_of(root: Path, **settings):
    return FlameDataParserConfig(data=root, **{"num_val_frames": 2, **settings}).setup()


def parse(root: Path, split: str = "train", **settings):
    return parser_of(root, **settings).get_dataparser_outputs(split)


def ray_spread(root: Path, **settings) -> float:
    """How far a head point's rays pass the point where they meet best, in head widths; of several points the worst.

    The pixels come from the tracker's own formulas, the rays from our cameras.
    """
    parser = parser_of(root, **settings)
    layout = "insta" if root.name == "metrical-tracker" else root.name
    origins, directions = [], []
    for frames in parser.sequence.splits.values():
        for row, name in enumerate(frames.frame_names):
            x, y = pixels_of(opencv_points(frame_number(root.name, name), layout)).T
            fx, fy, cx, cy = frames.intrinsics_px[row]
            local = np.stack([(x - cx) / fx, -(y - cy) / fy, -np.ones_like(x)], axis=1)
            local /= np.linalg.norm(local, axis=1, keepdims=True)
            origins.append(frames.camera_to_world[row, :3, 3])
            directions.append(local @ frames.camera_to_world[row, :3, :3].T)
    directions, origins = np.stack(directions), np.stack(origins)[:, None]
    across = np.eye(3) - directions[..., :, None] * directions[..., None, :]
    meeting = np.linalg.solve(across.sum(axis=0), (across @ origins[..., None]).sum(axis=0))[..., 0]
    distance = np.linalg.norm((across @ (meeting - origins)[..., None])[..., 0], axis=-1)
    unit = 4 if layout == "imavatar" else 1
    return float(np.sqrt((distance**2).mean(axis=0)).max()) / (0.15 * unit * parser.sequence.world_scale)


def frame_number(layout: str, name: str) -> int:
    if layout == "vhap":
        return int(name.split("_")[0])
    number = int(name.split("/")[-1].removeprefix("frame_"))
    return number - 1 if layout == "imavatar" else number


def test_layout_is_told_by_the_files(folder):
    assert detect_layout(folder) == folder.name


def test_head_stands_still_under_our_cameras(folder):
    """All frames' rays to one point of the head meet, when the joints are known."""
    assert ray_spread(folder, **JOINTS.get(folder.name, {})) < 1e-5


@pytest.mark.parametrize("layout", ["imavatar", "neural-head-avatars", "vhap"])
def test_unknown_joints_are_found_from_the_pictures(layout):
    """Landmarks, boxes or mattes tell the joints well enough: 4 % of a head's width, against more without a neck."""
    limit = 0.06 if layout == "vhap" else 0.04
    assert ray_spread(written(layout)) < limit < ray_spread(written(layout), fold_neck=False)


def test_splits_are_the_layouts_own(folder):
    counts = {split: len(frames) for split, frames in parser_of(folder).sequence.splits.items()}
    num_test = TEST_FRAMES[folder.name]
    assert counts == {"train": NUM_FRAMES - num_test - 2, "val": 2, "test": num_test}
    times = parser_of(folder).sequence.times
    np.testing.assert_allclose(np.sort(np.concatenate(list(times.values()))), np.arange(NUM_FRAMES) / (NUM_FRAMES - 1))
    np.testing.assert_allclose(times["test"], np.arange(NUM_FRAMES - num_test, NUM_FRAMES) / (NUM_FRAMES - 1))


def test_conditions_of_every_frame(folder):
    outputs = parse(folder, "test")
    names, values = outputs.metadata["expression_names"], outputs.cameras.metadata["expression"].numpy()
    assert names[:10] == tuple(f"exp_{index:03d}" for index in range(10))
    assert "neck_x" not in names
    test = slice(NUM_FRAMES - TEST_FRAMES[folder.name], NUM_FRAMES)
    np.testing.assert_allclose(values[:, :10], EXPRESSION[test], atol=1e-6)
    jaw = values[:, names.index("jaw_x")]
    np.testing.assert_allclose(jaw, JAW[test, 0], atol=1e-5)
    if folder.name != "neural-head-avatars":
        first = names.index("eye_first_x")
        np.testing.assert_allclose(values[:, first : first + 6], EYES[test], atol=1e-5)


@pytest.mark.parametrize("layout", HAS_NECK)
def test_conditions_can_be_chosen(layout):
    root = written(layout)
    outputs = parse(root, "test", conditions=("neck", "expression"), num_expressions=4)
    assert outputs.metadata["expression_names"] == ("neck_x", "neck_y", "neck_z", *(f"exp_{k:03d}" for k in range(4)))
    test = slice(NUM_FRAMES - TEST_FRAMES[layout], NUM_FRAMES)
    np.testing.assert_allclose(outputs.cameras.metadata["expression"][:, :3].numpy(), NECK[test], atol=1e-5)
    assert "neck_x" in parse(root, fold_neck=False).metadata["expression_names"]


def test_eyelids_of_the_tracker():
    outputs = parse(written("metrical-tracker"), conditions=("eyelids",))
    assert outputs.metadata["expression_names"] == ("eyelid_first", "eyelid_second")
    torch.testing.assert_close(outputs.metadata["train_expression"], torch.full((18, 2), 0.25))


@pytest.mark.parametrize("layout", ["insta", "imavatar", "neural-head-avatars", "vhap"])
def test_mattes_and_boxes(layout):
    outputs = parse(written(layout), "test")
    number = NUM_FRAMES - TEST_FRAMES[layout]
    pixels = pixels_of(opencv_points(number, layout))
    expected = np.asarray(matte(pixels))
    assert (decode_alpha(outputs.metadata["alpha_filenames"][0]) == expected).mean() > 0.999
    y0, y1, x0, x1 = outputs.metadata["face_boxes"][0].numpy() * 64
    x, y = pixels[0]
    assert x0 < x < x1 and y0 < y < y1
    assert 10 < x1 - x0 < 32 and 12 < y1 - y0 < 36


def test_unfolded_neck_is_pointed_out():
    root = written("vhap")
    assert parser_of(root).sequence.warnings == ()
    (warning,) = parser_of(root, fold_neck=False).sequence.warnings
    assert "the neck turns the head by" in warning and "fold_neck" in warning


def test_another_camera_is_the_novel_view(tmp_path):
    """VHAP keeps one of several cameras for validation: frames of the training's moments, never trained on."""
    root = write(tmp_path, "vhap")
    for number in range(3):
        save_second_view(root, number)
    parser = parser_of(root)
    assert parser.sequence.splits["nvs"].frame_names == ["00000_01", "00001_01", "00002_01"]
    np.testing.assert_allclose(parser.sequence.times["nvs"], np.arange(3) / (NUM_FRAMES - 1))


def save_second_view(root: Path, number: int) -> None:
    for folder, image in (("images", face_image), ("fg_masks", matte)):
        image(pixels_of(opencv_points(number, "vhap"))).save(root / folder / f"{number:05d}_01.png")

    def add(content: dict) -> None:
        frames = json.loads((root / "transforms_train.json").read_text())["frames"]
        other = {**frames[number], "camera_index": 1}
        for key in ("file_path", "fg_mask_path"):
            other[key] = other[key].replace("_00", "_01")
        content["frames"].append(other)

    edit_json(root / "transforms_val.json", add)
    edit_json(root / "transforms.json", add)


def test_clips_of_a_person(tmp_path):
    root = tmp_path / "person"
    for name in ("MVI_1", "MVI_2"):
        shutil.copytree(written("imavatar"), root / name)
    parser = parser_of(root, test_folders=("MVI_2",))
    counts = {split: len(frames) for split, frames in parser.sequence.splits.items()}
    assert counts == {"train": NUM_FRAMES - 2, "val": 2, "test": NUM_FRAMES}
    assert parser.sequence.splits["test"].frame_names[0] == "MVI_2/1"
    with pytest.raises(ValueError, match=r"test_folders: expected some of \['MVI_1', 'MVI_2'\], got MVI_3"):
        parser_of(root, test_folders=("MVI_3",)).sequence  # noqa: B018


@pytest.mark.parametrize(
    ("layout", "settings", "message"),
    [
        ("insta", {"conditions": ("neck",)}, r"conditions: expected some of .*got \('neck',\)"),
        ("insta", {"conditions": ()}, r"conditions: expected some of"),
        ("insta", {"num_expressions": 11}, r"num_expressions: expected 1\.\.10, got 11"),
        ("insta", {"num_val_frames": 19}, r"expected at least one frame in each split"),
        ("insta", {"camera_distance": 0.0}, r"camera_distance: expected a positive distance"),
        ("imavatar", {"layout": "vhap"}, r"expected frames in transforms\.json"),
    ],
)
def test_settings_that_do_not_fit(layout, settings, message):
    with pytest.raises(ValueError, match=message):
        parse(written(layout), **settings)


def test_folder_of_no_layout(tmp_path):
    with pytest.raises(ValueError, match=r"expected a FLAME layout"):
        parse(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"expected a dataset folder here"):
        parse(tmp_path / "none")


@pytest.mark.parametrize(
    ("layout", "name", "edit", "message"),
    [
        (
            "insta",
            "transforms.json",
            lambda c: c["frames"][2].pop("transform_matrix"),
            r"expected key 'transform_matrix'",
        ),
        ("insta", "transforms.json", lambda c: c.__setitem__("fl_x", -1), r"expected fl_x, fl_y > 0"),
        ("imavatar", "flame_params.json", lambda c: c["frames"][2]["pose"].pop(), r"frame 2: 'pose' expected numbers"),
        ("imavatar", "flame_params.json", lambda c: c["intrinsics"].__setitem__(0, 2.0), r"fx < 0 < fy"),
        ("imavatar", "flame_params.json", lambda c: c["frames"][2].pop("bbox"), r"frame 2: expected key 'bbox'"),
        ("vhap", "transforms.json", lambda c: c["frames"][2].pop("flame_param_path"), r"frame 2: 'flame_param_path'"),
        ("vhap", "transforms.json", lambda c: c["frames"][2].__setitem__("fl_x", None), r"frame 2: 'fl_x'"),
    ],
)
def test_malformed_json(tmp_path, layout, name, edit, message):
    root = write(tmp_path, layout)
    edit_json(root / name, edit)
    with pytest.raises(ValueError, match=message):
        parse(root)


def test_pickled_arrays_are_refused(tmp_path):
    """A .npz that holds objects could run code when it is unpickled."""
    root = write(tmp_path, "vhap")
    np.savez(root / "flame_param" / "00002.npz", expr=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"00002\.npz: expected"):
        parse(root)


def test_frame_files_that_run_code_are_refused(tmp_path):
    root = write(tmp_path, "metrical-tracker")
    torch.save({"flame": Path("x")}, root / "checkpoint" / "00002.frame")
    with pytest.raises(ValueError, match=r"00002\.frame: expected metrical-tracker's arrays"):
        parse(root)


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("insta", "flame/exp/00003.txt"),
        ("insta", "images/00003.png"),
        ("vhap", "flame_param/00003.npz"),
        ("vhap", "fg_masks/00003_00.png"),
        ("neural-head-avatars", "frame_0003/image_0000.png"),
    ],
)
def test_missing_file_of_one_frame(tmp_path, layout, name):
    root = write(tmp_path, layout)
    (root / name).unlink()
    with pytest.raises(FileNotFoundError, match=Path(name).name):
        parse(root)


def test_coloured_image_without_alpha_has_no_matte(tmp_path):
    root = write(tmp_path, "insta")
    for path in (root / "images").glob("*.png"):
        Image.open(path).convert("RGB").save(path)
    assert "alpha_filenames" not in parse(root).metadata
