import importlib
import math
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def paper_rendering(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("paper_rendering")


def row(whole_s: float, fast_s: float, between: float) -> dict[str, float]:
    return {
        "seconds_all_samples": whole_s,
        "seconds_skipping": fast_s,
        "psnr_between": between,
        "psnr_all_samples": 30.0,
        "psnr_skipping": 29.0,
    }


def test_ratio_is_that_of_the_total_times(paper_rendering):
    """10 s against 2.5 s; a mean of the frames' ratios would be 3.5."""
    found = paper_rendering.summary([row(2.0, 1.0, 41.0), row(8.0, 1.5, 45.0)])
    assert found["speed_ratio"] == 4.0
    assert (found["mean_psnr_between"], found["least_psnr_between"]) == (43.0, 41.0)
    assert (found["seconds_a_frame_all_samples"], found["seconds_a_frame_skipping"]) == (5.0, 1.25)


def test_psnr_of_an_even_difference(paper_rendering):
    image = torch.full((2, 3, 3), 0.5)
    assert paper_rendering.psnr(image + 0.01, image) == pytest.approx(40.0, abs=1e-3)
    assert paper_rendering.psnr(image, image) == math.inf
