import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def timed_runs(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("timed_runs")


def record(full: float, mouth: float) -> dict:
    return {"test": {"psnr": full, "ssim": 0.9, "mouth": {"psnr": mouth}}, "nvs": {"psnr": full - 1}, "steps": 3}


def test_difference_is_of_the_rounds_means(timed_runs):
    """(34 + 36) / 2 - (23 + 24) / 2 over the full image."""
    difference = timed_runs.psnr_difference([record(34, 28), record(36, 30)], [record(23, 20), record(24, 20)])
    assert difference == {"test": {"full": 11.5, "mouth": 9.0}, "nvs": {"full": 11.5}}


def test_variants_differ_from_the_method_in_the_field_alone(monkeypatch):
    """Else the table would compare more than fields."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    variants = importlib.import_module("field_variants")
    from nerface_ns.configs.method_configs import nerface

    for variant in (variants.blended_grids, variants.perceptron):
        model = variant.config.pipeline.model
        assert variant.config.method_name in variants.ENVIRONMENT
        model.radiance_field = nerface.config.pipeline.model.radiance_field
        assert model == nerface.config.pipeline.model
        assert variant.config.pipeline.datamanager == nerface.config.pipeline.datamanager
