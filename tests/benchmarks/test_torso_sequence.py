"""The scanned head before standing shoulders: geometry against the model's files, pictures against what is written."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.synthetic.mesh_part import Material
from nerface_ns.synthetic.rasterizer import vertex_normals

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RESOLUTION = 32


@pytest.fixture(scope="module", autouse=True)
def _scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield


@pytest.fixture(scope="module")
def head_model(shared_data) -> Path:
    folder = shared_data / "head_model"
    if not folder.is_dir():
        pytest.skip(f"no head model at {folder}")
    return folder


@pytest.fixture(scope="module")
def head(head_model):
    return importlib.import_module("torso_head").read_model_head(head_model, texture_size=256)


@pytest.fixture(scope="module")
def size():
    return importlib.import_module("torso_sequence").SequenceSize(RESOLUTION, 4, 1, 2, samples=2)


@pytest.fixture(scope="module")
def recorded(head_model, size, tmp_path_factory) -> Path:
    script = importlib.import_module("torso_sequence")
    folder = tmp_path_factory.mktemp("torso") / "sequence"
    return script.write_torso_sequence(script.TorsoSequence(head_model, folder, size))


def pictures(folder: Path) -> np.ndarray:
    """Return a folder's pictures (n, h, w, channels) in order."""
    return np.stack([cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(folder.glob("*.png"))])


def test_neutral_expression_is_the_neutral_scan(head, head_model):
    model, identity = np.load(head_model / "ict_facekit.npz"), np.load(head_model / "ict_lps_identity.npz")
    posed, _ = head.posed(np.zeros(57, np.float32))
    teeth = np.unique(model["f"][model["fmat"] == list(model["materials"]).index("M_Teeth")])
    start = head.regions["left_eyeball"][0] - len(teeth)
    expected = 0.01 * identity["neutral"][teeth].astype(np.float64) - [0, 0.01, 0]
    np.testing.assert_allclose(posed[start : start + len(teeth)], expected, atol=1e-7)


def test_expression_moves_the_head_by_the_models_offsets(head, head_model):
    model = np.load(head_model / "ict_facekit.npz")
    expression = np.zeros(57, np.float32)
    expression[list(model["expr_names"]).index("jawOpen")] = 0.5
    moves = head.posed(expression)[0] - head.posed(np.zeros(57, np.float32))[0]
    teeth = np.unique(model["f"][model["fmat"] == list(model["materials"]).index("M_Teeth")])
    start = head.regions["left_eyeball"][0] - len(teeth)
    expected = 0.005 * model["expr"][list(model["expr_names"]).index("jawOpen")][teeth]
    np.testing.assert_allclose(moves[start : start + len(teeth)], expected, atol=1e-7)
    assert np.abs(expected).max() > 0.005


def test_expressions_leave_the_shoulders(head):
    neutral = head.posed(np.zeros(57, np.float32))[0]
    shoulders = neutral[:, 1] < -0.155
    assert shoulders.sum() > 500
    np.testing.assert_array_equal(head.posed(np.ones(57, np.float32))[0][shoulders], neutral[shoulders])


def test_gaze_turns_the_eyeballs(head):
    expression = np.zeros(57, np.float32)
    for name in ("eyeLookUp_L", "eyeLookUp_R", "eyeLookOut_L", "eyeLookIn_R"):
        expression[head.expression_names.index(name)] = 0.5
    pitch, yaw = head.eye_gaze(expression).mean(axis=0)
    pupil = head.regions["left_eyeball"][0]  # the ball's first ring
    looked = head.posed(expression)[0][pupil] - head.eye_centers[0]
    looked /= np.linalg.norm(looked)
    expected = [np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)]
    np.testing.assert_allclose(looked, expected, atol=1e-6)
    assert pitch > 0.1
    assert yaw > 0.1


def test_bust_shares_the_scans_normals_at_the_seam(head):
    """Where the bust begins, its vertices have the place and the normal of the scan's: no crack, no crease."""
    bust = importlib.import_module("torso_bust")
    columns = 55  # the scan's edge has 54 vertices
    start = head.triangles[head.materials == Material.SKIN].max() + 1 - bust.BUST_ROWS * columns
    normals = vertex_normals(head.points, head.triangles, head.weld)
    for vertex in range(start, start + columns):
        distances = np.linalg.norm(head.points[:start] - head.points[vertex], axis=1)
        assert distances.min() < 1e-9
        np.testing.assert_array_equal(normals[vertex], normals[distances.argmin()])


def test_light_arrives_on_a_roof_and_not_under_it():
    script = importlib.import_module("torso_head")
    corners = np.array([[-0.2, 0, -0.2], [0.2, 0, -0.2], [0.2, 0, 0.2], [-0.2, 0, 0.2]])
    points = np.concatenate([corners + np.array([0, 0.02, 0]), 0.1 * corners])
    triangles = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], np.int32)
    light = script.arriving_light(points, np.tile([0.0, 1, 0], (8, 1)), triangles)
    assert light[:4].min() > 0.95
    assert light[4:].max() < 0.05


def test_shoulders_are_the_same_to_the_bit_in_every_frame(recorded):
    frames = np.concatenate([pictures(recorded / split) for split in ("train", "val", "test")])
    masks = np.concatenate([pictures(recorded / "masks" / split) for split in ("train", "val", "test")])
    shoulders = (slice(None), slice(-4, None), slice(8, 24))
    assert (masks[shoulders] == 255).all()
    np.testing.assert_array_equal(frames[shoulders], np.broadcast_to(frames[:1], frames.shape)[shoulders])
    assert (frames[:, 8:20].max(axis=0) != frames[:, 8:20].min(axis=0)).mean() > 0.3


def test_the_background_is_seen_where_no_mask_is(recorded):
    backdrop = cv2.imread(str(recorded / "bg" / "00050.png"))
    empty = pictures(recorded / "masks" / "train") == 0
    frames = pictures(recorded / "train")
    np.testing.assert_array_equal(frames[empty], np.broadcast_to(backdrop, frames.shape)[empty])
    assert empty.any()


def test_written_cameras_see_the_eyes_and_the_crown(recorded, head):
    """The format's own formula, in its mirrored world, puts vertices where boxes and masks have them."""
    content = json.loads((recorded / "transforms_test.json").read_text())
    fx, fy, cx, cy = content["intrinsics"]
    for frame, mask in zip(content["frames"], pictures(recorded / "masks" / "test")):
        pose = np.array(frame["transform_matrix"])
        points = head.posed(np.array(frame["expression"], np.float32))[0] * [-0.6, 0.6, 0.6]
        seen = (points - pose[:3, 3]) @ pose[:3, :3]
        column = RESOLUTION * cx - fx * seen[:, 0] / seen[:, 2]
        row = RESOLUTION * cy + fy * seen[:, 1] / seen[:, 2]
        eyes = head.regions["eyes"]
        box = [row[eyes].min(), row[eyes].max(), column[eyes].min(), column[eyes].max()]
        np.testing.assert_allclose(frame["eyes_box"], (np.array(box) + 0.5) / RESOLUTION, atol=1e-6)
        first_row = np.flatnonzero((mask > 0).any(axis=1))[0]
        assert abs(first_row - row[head.points[:, 1] > 0].min()) < 1


def test_recording_loads(recorded, head):
    outputs = NeRFaceDataParserConfig(data=recorded).setup().get_dataparser_outputs("train")
    assert len(outputs.image_filenames) == 4
    assert int(outputs.cameras.height[0]) == RESOLUTION
    assert outputs.cameras.fx[0].item() == pytest.approx(2.1 * RESOLUTION)


def test_performance_fills_both_sides(head_model, head):
    """ARKit's one `browInnerUp` drives the model's two; all is within [0, 1]."""
    shown = importlib.import_module("torso_sequence").performance(head_model, head.expression_names, 50)
    left, right = (shown[:, head.expression_names.index(f"browInnerUp_{side}")] for side in "LR")
    np.testing.assert_array_equal(left, right)
    assert left.max() > 0.3
    assert shown.min() >= 0
    assert shown.max() <= 1


def test_a_recording_is_made_once(recorded, head_model, size):
    script = importlib.import_module("torso_sequence")
    made = (recorded / "bg" / "00050.png").stat().st_mtime_ns
    script.write_torso_sequence(script.TorsoSequence(head_model, recorded, size))
    assert (recorded / "bg" / "00050.png").stat().st_mtime_ns == made


def test_another_size_is_refused(recorded, head_model):
    script = importlib.import_module("torso_sequence")
    with pytest.raises(ValueError, match="remove it or name another"):
        script.write_torso_sequence(script.TorsoSequence(head_model, recorded))


def test_nothing_is_left_where_the_model_is_missing(tmp_path):
    script = importlib.import_module("torso_sequence")
    with pytest.raises(FileNotFoundError, match=r"ict_facekit\.npz"):
        script.write_torso_sequence(script.TorsoSequence(tmp_path / "none", tmp_path / "out" / "sequence"))
    assert list((tmp_path / "out").iterdir()) == []


def test_splits_share_no_frame_and_leave_none_out():
    script = importlib.import_module("torso_sequence")
    splits = script.split_numbers(script.SequenceSize(num_train=7, num_val=2, num_test=3))
    assert splits == {"train": [0, 1, 3, 4, 5, 7, 8], "val": [2, 6], "test": [9, 10, 11]}
