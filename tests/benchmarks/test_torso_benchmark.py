import importlib
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
