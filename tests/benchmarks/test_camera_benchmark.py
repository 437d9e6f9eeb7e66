import importlib
from pathlib import Path

import numpy as np
import pytest

from nerface_ns.evaluation.training_config import training_config

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def cameras(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("cameras")


@pytest.fixture
def benchmark(cameras, tmp_path):
    return cameras.CameraBenchmark(tmp_path, tmp_path, tmp_path / "f.json", train_file="noisy.json")


def config_of(cameras, benchmark, name, tmp_path):
    run = cameras.timed_run(benchmark, name)
    return training_config(run.method, tmp_path, tmp_path, "nerface-data", 64, 1, run.overrides)


def test_each_form_is_what_is_trained(cameras, benchmark, tmp_path):
    """All forms of both, on the noisy poses."""
    forms = set()
    for name in cameras.refined_names():
        config = config_of(cameras, benchmark, name, tmp_path)
        refinement = config.pipeline.model.camera_refinement
        focal = refinement.focal if refinement.refine_focal else cameras.FIXED
        assert refinement.enabled and f"{refinement.rotation}-{focal}" == name
        assert config.pipeline.datamanager.dataparser.train_file == "noisy.json"
        assert config.pipeline.model.refine_schedule.pretrain_share == benchmark.pretrain_share
        forms |= {refinement.rotation, focal}
    assert forms == {"axis_angle", "quaternion", "rotation_6d", "exp", "square", "ratio", "fixed"}


@pytest.mark.parametrize(("name", "file"), [("true_poses", "transforms_train.json"), ("noisy", "noisy.json")])
def test_runs_to_compare_with_do_not_refine(cameras, benchmark, tmp_path, name, file):
    config = config_of(cameras, benchmark, name, tmp_path)
    assert not config.pipeline.model.camera_refinement.enabled
    assert config.pipeline.model.refine_schedule.pretrain_share == 0
    assert config.pipeline.datamanager.dataparser.train_file == file


def test_summary_is_as_the_issue_names_it(cameras):
    errors = {
        "rotation_error_deg": 0.4,
        "translation_error_fraction": 0.004,
        "head_position_error_fraction": 0.001,
        "focal_error_fraction": 0.01,
    }
    runs = {
        "true_poses": {"psnr_aligned": 30.0},
        "noisy": {"psnr_aligned": 26.0, **errors},
        "axis_angle-fixed": {"psnr_aligned": 29.5, **errors, "steps": 3},
        "quaternion-fixed": {"psnr_aligned": 29.0, **errors},
    }
    summary = cameras.summary(runs)
    assert summary["psnr_true_poses"] == 30.0 and summary["psnr_noisy"] == 26.0 and summary["psnr_refined"] == 29.5
    assert summary["gain_over_noisy_db"] == 3.5 and summary["rotation_error_deg"] == 0.4
    assert summary["representations"]["quaternion-fixed"]["gain_over_noisy_db"] == 3.0


def test_poses_of_a_frame_file_are_ordinary_cameras(cameras, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(BENCHMARKS.parent / "tests" / "data")
    tiny_face = importlib.import_module("tiny_face")
    folder = tiny_face.write_tiny_face(tmp_path / "data")
    poses = cameras.true_poses(folder / "transforms_train.json")
    expected = np.stack([tiny_face.tiny_record(number, "train").camera_to_world[:3] for number in [0, 1, 2, 4, 5]])
    np.testing.assert_allclose(poses, expected, atol=1e-12)
    assert cameras.focal_px(folder / "transforms_train.json") == pytest.approx(tiny_face.FOCAL_PX)
