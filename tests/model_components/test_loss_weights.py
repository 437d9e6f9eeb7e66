from dataclasses import dataclass

import numpy as np
import pytest

from nerface_ns.model_components.loss_weights import LossWeights, WeightSchedule, parse_weight, parse_weights


@dataclass
class Settings:
    matte_weight: float = 0.25
    entropy_weight: float = 0.5
    skipping_lost_weight: float = 9.0


@dataclass
class Nested:
    table_weight: float = 2.0
    matte_weight: float = 7.0


def test_schedule_is_interpolation():
    """numpy's own, before, between and after the points."""
    schedule = parse_weight("weights", "10:0.5,20:1.5,60:0")
    steps = np.arange(0, 80, 3)
    expected = np.interp(steps, [10, 20, 60], [0.5, 1.5, 0.0])
    np.testing.assert_allclose([schedule.at(int(step)) for step in steps], expected)


def test_number_is_a_constant():
    assert parse_weight("weights", "0.125") == WeightSchedule(((0, 0.125),))
    assert parse_weight("weights", "0.125").at(10**6) == 0.125


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10:1,5:2", r"stages.weights matte: expected steps of at least 0 that grow .* got \[10, 5\]"),
        ("10:1,10:2", r"grow from each to the next, got \[10, 10\]"),
        ("-1:1,10:2", "expected steps of at least 0"),
        ("half", "expected a number or STEP:VALUE with commas between, such as 0:0.5,4000:0.05, got 'half'"),
        ("0:1,2", "expected a number or STEP:VALUE"),
        ("0:-1", "expected finite weights of at least 0"),
        ("inf", "expected finite weights"),
    ],
)
def test_bad_schedules(text, message):
    with pytest.raises(ValueError, match=message):
        parse_weights("stages.weights", [f"matte={text}"])


@pytest.mark.parametrize("texts", [["matte"], ["=1"], ["matte=1", "matte=2"]])
def test_bad_lists(texts):
    with pytest.raises(ValueError, match=r"stages.weights: expected (NAME=WEIGHT|each loss once)"):
        parse_weights("stages.weights", texts)


def test_stage_goes_before_schedule_and_schedule_before_settings():
    settings = Settings()
    weights = LossWeights(settings, Nested(), schedules=parse_weights("w", ["table=0:1,4:5"]), factors=("camera",))
    assert weights.now() == {"camera": 1.0, "entropy": 0.5, "matte": 0.25, "table": 1.0}
    weights.follow(2, parse_weights("w", ["entropy=0:0,8:4"]))
    assert (weights["table"], weights["entropy"], weights["matte"]) == (3.0, 1.0, 0.25)
    settings.matte_weight = 0.75
    assert weights["matte"] == 0.75  # asked of the settings, not remembered


def test_regions_weigh_one_unless_said():
    weights = LossWeights(Settings(), schedules=parse_weights("w", ["region.mouth=3"]))
    assert (weights["region.mouth"], weights["region.eyes"]) == (3.0, 1.0)
    assert set(weights.now()) == {"entropy", "matte", "region.mouth"}


@pytest.mark.parametrize("name", ["mate", "skipping_lost", "region.", "matte_weight"])
def test_unknown_loss(name):
    expected = rf"stages.weights: expected losses among entropy, matte, or region.NAME of a region, got '{name}'"
    with pytest.raises(ValueError, match=expected):
        LossWeights(Settings(), schedules={name: WeightSchedule(((0, 1.0),))})
