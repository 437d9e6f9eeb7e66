"""Every mistake is called by its name, and a right file by none."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from camera_mistakes import MISTAKES, broken_copy, names_of
from made_up_head import head_cameras, write_head
from scipy.spatial.transform import Rotation

from nerface_ns.checking.camera_checks import check_convention
from nerface_ns.checking.camera_hypotheses import CameraHypothesis, hypotheses
from nerface_ns.checking.dataset_check import cheap_errors, check_dataset, geometry_findings, is_usable
from nerface_ns.checking.lens_check import check_lens, steadiest
from nerface_ns.checking.observed_points import observe
from nerface_ns.checking.triangulation import misfit, project, triangulate
from nerface_ns.data.dataparsers.adnerf_dataparser import ADNeRFDataParserConfig
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    return write_head(tmp_path_factory.mktemp("head") / "subject")


@pytest.fixture(scope="module")
def short_head_a(shared_data, tmp_path_factory):
    """Every sixth frame of the reference head: what a broken copy is made of."""
    root = tmp_path_factory.mktemp("head_a") / "head_a"
    for split in ("train", "val", "test"):
        content = json.loads((shared_data / "head_a" / f"transforms_{split}.json").read_text())
        content["frames"] = content["frames"][:: 6 if split == "train" else 4]
        root.mkdir(exist_ok=True)
        (root / f"transforms_{split}.json").write_text(json.dumps(content))
    for name in ("train", "val", "test", "masks", "bg"):
        os.symlink(shared_data / "head_a" / name, root / name)
    return root


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_mistake_is_named(head, tmp_path, mistake):
    assert names_of(broken_copy(head, tmp_path / "copy", MISTAKES[mistake])) == [mistake]


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_mistake_in_the_reference_head_is_named(short_head_a, tmp_path, mistake):
    assert names_of(broken_copy(short_head_a, tmp_path / "copy", MISTAKES[mistake])) == [mistake]


def test_right_files_have_no_mistake(head, short_head_a):
    assert names_of(head) == []
    assert names_of(short_head_a) == []


def test_exact_cameras_of_another_format_have_no_mistake(shared_data):
    sequence = ADNeRFDataParserConfig(data=shared_data / "adnerf_obama").setup().sequence
    assert [finding.status for finding in geometry_findings(sequence)] == ["ok", "ok"]


def test_moved_and_scaled_world_is_judged_as_it_was_stored(head):
    """A reader that puts the head at the origin does not hide world-to-camera matrices."""
    sequence = NeRFaceDataParserConfig(data=head).setup().sequence
    frames = sequence.splits["train"]
    expected = frames.camera_to_world.copy()
    sequence.world_transform = np.eye(4)
    sequence.world_transform[:3, 3] = [0.1, -0.2, 0.3]
    sequence.world_scale = 2.5
    frames.camera_to_world = expected.copy()
    frames.camera_to_world[:, :3, 3] = (expected[:, :3, 3] + [0.1, -0.2, 0.3]) * 2.5
    np.testing.assert_allclose(observe(sequence).camera_to_world, expected, atol=1e-12)


def test_head_that_barely_turns_is_not_judged(tmp_path):
    sequence = NeRFaceDataParserConfig(data=write_head(tmp_path / "still", turn=0.02)).setup().sequence
    finding = check_convention(observe(sequence), True)
    assert (finding.status, finding.problem) == ("warn", "undecided")


def test_poses_that_are_not_the_heads_are_loose(head):
    """Half of the head's turn missing, as when the neck's is left out."""
    observed = observe(NeRFaceDataParserConfig(data=head).setup().sequence)
    half = Rotation.from_matrix(observed.camera_to_world[:, :3, :3]).as_rotvec() / 2
    observed.camera_to_world[:, :3, :3] = Rotation.from_rotvec(half).as_matrix()
    observed.camera_to_world[:, :3, 3] = 0.5 * observed.camera_to_world[:, :3, 2]
    finding = check_convention(observed, True)
    assert (finding.status, finding.problem) == ("warn", "loose-poses")


@pytest.mark.parametrize("shift_px", [16, -20])
def test_small_error_of_the_principal_point(shared_data, shift_px):
    """6 % and 8 % of head_a's width: the eyes' boxes, steadier than the face's, tell the true point within 2 px."""
    observed = observe(NeRFaceDataParserConfig(data=shared_data / "head_a").setup().sequence)
    assert steadiest(observed).points_px.shape[1] == 1
    observed.intrinsics_px = observed.intrinsics_px + np.array([0, 0, shift_px, 0])
    finding = check_lens(observed)
    assert finding.problem == "principal-point"
    assert finding.figures["best_principal_point_px"] == pytest.approx([128.5, 128.5], abs=2)


def test_face_boxes_alone_do_not_condemn_a_lens(shared_data):
    """They move over the face as it turns, and make a wrong principal point fit 26 % better."""
    observed = observe(NeRFaceDataParserConfig(data=shared_data / "head_a").setup().sequence)
    observed.points_px = observed.points_px[:, :1]
    assert check_lens(observed).status == "ok"


def test_noisy_poses_are_loose(shared_data):
    """Every pose of the reference head off by about 2 deg."""
    noisy = NeRFaceDataParserConfig(data=shared_data / "head_a", train_file="transforms_train_noisy.json").setup()
    assert check_convention(observe(noisy.sequence), True).problem == "loose-poses"


def test_without_boxes_nothing_is_judged():
    assert check_convention(None, None).status == check_lens(None).status == "skip"


def test_every_hypothesis_undoes_its_own_mistake():
    rng = np.random.default_rng(0)
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, :3, :3] = np.linalg.qr(rng.normal(size=(3, 3, 3)))[0]
    poses[:, :3, 3] = rng.normal(size=(3, 3))
    found = list(hypotheses())
    assert found[0] == CameraHypothesis() and len(set(found)) == 16
    for each in found:
        # Mirrors and axes are their own inverse, and commute; the inverse of a matrix comes last.
        wrong = CameraHypothesis(False, each.axes, each.is_mirrored).apply(poses)
        wrong = np.linalg.inv(wrong) if each.is_world_to_camera else wrong
        np.testing.assert_allclose(each.apply(wrong), poses, atol=1e-12)


def test_triangulation_finds_points_and_their_pixels():
    rng = np.random.default_rng(0)
    cameras, lens = head_cameras(), np.tile([190.0, 200, 30, 34], (60, 1))
    points = rng.uniform(-0.05, 0.05, (5, 3))
    pixels, depth = project(points, cameras, lens)
    assert (depth > 0).all()
    np.testing.assert_allclose(triangulate(cameras, lens, pixels), points, atol=1e-7)
    error, front = misfit(cameras, lens, pixels)
    assert error < 1e-4 and front == 1


def test_training_is_told_what_is_wrong(head, tmp_path, capsys):
    """`ns-train` prints it before the scene box makes it stop; once, and not when rendering."""
    parser = NeRFaceDataParserConfig(data=broken_copy(head, tmp_path / "copy", MISTAKES["opencv-cameras"])).setup()
    with pytest.raises(ValueError, match="looking away"):
        parser.get_dataparser_outputs("train")
    with pytest.raises(ValueError, match="looking away"):
        parser.get_dataparser_outputs("train")
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count("Warning: copy: camera convention") == 1
    assert "OpenCV cameras (y down, z forward)" in printed
    right = NeRFaceDataParserConfig(data=head).setup()
    assert cheap_errors(right.sequence) == []
    right.get_dataparser_outputs("train")
    assert "Warning" not in capsys.readouterr().out


def test_all_checks_of_a_broken_copy(head, tmp_path):
    """A scene box that cannot be made is a finding, not the end."""
    parser = NeRFaceDataParserConfig(data=broken_copy(head, tmp_path / "copy", MISTAKES["world-to-camera"])).setup()
    parser.tells_errors = False
    findings = check_dataset(parser)
    assert not is_usable(findings)
    assert "world-to-camera" in [finding.problem for finding in findings]
