import importlib
import json
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def torso(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("torso")


def test_shoulders_are_what_is_covered_and_never_changes(torso):
    truths = np.full((3, 2, 2, 3), 0.5)
    truths[1, 0, 0] += 1 / 255  # rounding
    truths[2, 0, 1, 2] += 3 / 255  # moves
    alphas = np.ones((3, 2, 2))
    alphas[0, 1, 0] = 0.9  # half outside
    np.testing.assert_array_equal(torso.standing_pixels(truths, alphas), [[True, False], [False, True]])


def test_flicker_and_psnr_of_the_shoulders(torso):
    truths = np.zeros((3, 1, 2, 3))
    renders = truths.copy()
    renders[:, 0, 0] += np.array([0.1, 0.01, 0.1])[:, None]
    renders[:, 0, 1] = 0.9  # elsewhere
    figures = torso.shoulder_figures(truths, renders, np.array([[True, False]]))
    assert figures == {"shoulder_psnr": pytest.approx((20 + 40 + 20) / 3, abs=1e-3), "shoulder_flicker": 0.09}


def test_summary_compares_with_a_head_space_alone(torso):
    runs = {
        "head_only": {"shoulder_psnr": 25.0, "shoulder_flicker": 0.02, "face_psnr": 30.0},
        "single": {"shoulder_psnr": 29.0, "shoulder_flicker": 0.01, "face_psnr": 30.0},
        "torso": {"shoulder_psnr": 31.5, "shoulder_flicker": 0.004, "face_psnr": 29.9},
    }
    assert torso.summary(runs) == {
        "shoulder_gain_db": 6.5,
        "shoulder_flicker_reduction": 0.8,
        "face_psnr_change_db": -0.1,
    }


def test_reused_trainings_are_not_run_again(torso, monkeypatch, tmp_path):
    score = {"test": {"psnr": 30.0, "mouth": {"psnr": 28.0}, "eyes": {"psnr": 30.0}}, "steps": 7}
    for run in torso.RUNS:
        (tmp_path / f"{run.name}-42.json").write_text(json.dumps(score))
    trained = []
    monkeypatch.setattr(torso, "train_and_score", lambda run, *rest: (trained.append(run.name), score)[1])
    renders = np.full((2, 4, 4, 3), 0.6)
    renders[1] += 0.01
    still = np.full((2, 4, 4, 3), 0.5), np.ones((2, 4, 4)), renders
    monkeypatch.setattr(torso, "rendered", lambda folder: still)
    command = torso.TorsoBenchmark(tmp_path, tmp_path / "figures.json", reuse=True)
    figures = torso.main(command)
    assert trained == [] and figures["runs"]["torso"]["face_psnr"] == 29.0
    assert figures["runs"]["torso"]["shoulder_flicker"] == pytest.approx(0.01)
    (tmp_path / "torso-42.json").unlink()
    torso.main(command)
    assert trained == ["torso"]
