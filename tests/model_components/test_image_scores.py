import math

import pytest
import torch

from nerface_ns.model_components.image_scores import score_image


def test_constant_error():
    truth = torch.rand(16, 16, 3, generator=torch.Generator().manual_seed(0)) * 0.8
    scores = score_image(truth + 0.1, truth)
    assert scores["psnr"] == pytest.approx(-20 * math.log10(0.1), abs=1e-3)
    assert scores["l1"] == pytest.approx(0.1, abs=1e-6)
    assert 0.5 < scores["ssim"] < 1


def test_perfect_picture():
    truth = torch.rand(16, 16, 3, generator=torch.Generator().manual_seed(0))
    scores = score_image(truth, truth)
    assert scores["ssim"] == pytest.approx(1.0, abs=1e-6) and scores["l1"] == 0 and scores["psnr"] == math.inf
