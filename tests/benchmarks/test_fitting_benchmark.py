"""Figures of `benchmarks/fitting.py`."""

import importlib
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ROWS = [
    {"frame": "a", "rotation_deg": 1.0, "psnr_drop_db": -0.5, "seconds": 20.0},
    {"frame": "b", "rotation_deg": 2.5, "psnr_drop_db": 0.5, "seconds": 30.0},
    {"frame": "c", "rotation_deg": 0.5, "psnr_drop_db": 1.6, "seconds": 40.0},
    {"frame": "d", "rotation_deg": 2.0, "psnr_drop_db": 1.5, "seconds": 60.0},
]


@pytest.fixture
def fitting(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("fitting")


def test_frames_within_all_bars_are_counted(fitting):
    figures = fitting.summary(ROWS)
    assert (figures["frames"], figures["within_bars"]) == (4, 2)
    assert figures["mean_rotation_deg"] == 1.5 and figures["max_rotation_deg"] == 2.5
    assert figures["mean_psnr_drop_db"] == pytest.approx(0.775) and figures["max_psnr_drop_db"] == 1.6
    assert figures["mean_seconds"] == 37.5 and figures["max_seconds"] == 60.0


@pytest.mark.parametrize(
    ("first", "second", "angle"),
    [((0.0, 0.0), (0.0, 0.2), 0.2), ((0.1, 0.3), (-0.2, 0.3), 0.3), ((0.4, 1.0), (0.4, 1.0), 0.0)],
)
def test_angles_between_gazes(fitting, first, second, angle):
    found = fitting.angle_between_deg(torch.tensor(first), torch.tensor(second))
    assert float(found) == pytest.approx(float(torch.rad2deg(torch.tensor(angle))), abs=1e-4)
