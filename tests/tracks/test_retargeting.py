import json

import numpy as np
import pytest
from sample_track import make_track

from nerface_ns.tracks.retargeting import (
    Retargeter,
    RetargetingConfig,
    RetargetingTarget,
    extrapolation,
    neutral_expression,
    retarget,
)
from nerface_ns.tracks.track_file import read_track

NAMES = ("jawOpen", "mouthSmile_L", "mouthSmile_R", "cheekPuff")


def make_target(names=NAMES, count: int = 200, seed: int = 5, **changes) -> RetargetingTarget:
    """A person whose coefficients go from 0 up to 0.4, 0.6, ..., the neutral expression given."""
    random = np.random.default_rng(seed)
    length = len(names) or 4
    train = random.uniform(0, 1, (count, length)) * np.linspace(0.4, 1.0, length)
    return RetargetingTarget(**{"names": names, "train_expression": train, "neutral": np.full(length, 0.1), **changes})


def make_driver(names=NAMES, count: int = 300, seed: int = 1, **changes):
    random = np.random.default_rng(seed)
    expression = random.uniform(0, 1, (count, len(names) or 4)) ** 2
    return make_track(names=names, expression=expression, **changes)


def test_difference_by_a_loop():
    """Each frame's difference from the driver's neutral, times the ratio of ranges, on top of the person's neutral."""
    driver, target = make_driver(neutral=np.array([0.1, 0.0, 0.2, 0.05])), make_target()
    found = retarget(driver, target, RetargetingConfig(gain=1.2, soft_clamp=False))
    for column in range(4):
        ranges = []
        for moved in (driver.expression[:, column] - driver.neutral[column], target.train_expression[:, column] - 0.1):
            low, high = np.percentile(moved, [2, 98])
            ranges.append(high - low)
        scale = 1.2 * min(max(ranges[1] / ranges[0], 0.25), 1.5)
        for frame in (0, 17, 299):
            expected = 0.1 + scale * (driver.expression[frame, column] - driver.neutral[column])
            assert found.asked[frame, column] == pytest.approx(expected)
    np.testing.assert_array_equal(found.expression, found.asked)


def test_a_neutral_driver_leaves_a_neutral_person():
    driver = make_driver(neutral=np.array([0.3, 0.2, 0.1, 0.4]))
    retargeter = Retargeter(driver, make_target(), RetargetingConfig())
    np.testing.assert_allclose(retargeter(driver.neutral[None]).expression, 0.1)


def test_scaling_carries_the_range_over():
    """A driver who moves twice as much as the person, about the same neutral, shows what the person would."""
    target = make_target()
    driver = make_track(names=NAMES, expression=0.1 + 2 * (target.train_expression - 0.1), neutral=np.full(4, 0.1))
    found = retarget(driver, target, RetargetingConfig(max_scale=2.5))
    np.testing.assert_allclose(found.expression, target.train_expression, atol=1e-12)
    unscaled = retarget(driver, target, RetargetingConfig(scale_ranges=False, soft_clamp=False))
    np.testing.assert_allclose(unscaled.expression, driver.expression, atol=1e-12)


def test_ratio_of_ranges_is_limited():
    """A hundredth of the person's movement is not blown up a hundred times, nor a hundredfold one shrunk so much."""
    target = make_target()
    driver = make_track(names=NAMES, expression=0.01 * target.train_expression, neutral=np.zeros(4))
    found = Retargeter(driver, target, RetargetingConfig(max_scale=3.0))
    np.testing.assert_allclose(found.scale, 3.0)
    driver = make_track(names=NAMES, expression=100 * target.train_expression, neutral=np.zeros(4))
    found = Retargeter(driver, target, RetargetingConfig(min_scale=0.4))
    np.testing.assert_allclose(found.scale, 0.4)


def test_dimensions_that_do_not_move_are_not_scaled():
    target, driver = make_target(), make_driver()
    expression = driver.expression.copy()
    expression[:, 1] = 0.25
    retargeter = Retargeter(make_track(names=NAMES, expression=expression), target, RetargetingConfig())
    assert retargeter.scale[1] == 1.0
    train = target.train_expression.copy()
    train[:, 2] = 0.1
    still = Retargeter(driver, make_target(train_expression=train), RetargetingConfig())
    assert still.scale[2] == 1.0
    np.testing.assert_array_equal(still(driver.expression).expression[:, 2], 0.1)


def test_absolute_takes_coefficients_as_they_are():
    driver, target = make_driver(), make_target()
    found = retarget(driver, target, RetargetingConfig(transfer="absolute", soft_clamp=False))
    np.testing.assert_allclose(found.expression, driver.expression, atol=1e-12)


def test_own_frames_come_back():
    """Absolute, within the trained range: the same numbers, soft clamp or not."""
    target = make_target()
    driver = make_track(names=NAMES, expression=target.train_expression)
    found = retarget(driver, target, RetargetingConfig(transfer="absolute"))
    np.testing.assert_allclose(found.expression, target.train_expression, atol=1e-12)
    np.testing.assert_allclose(found.extrapolation, 0, atol=1e-12)


@pytest.mark.parametrize("transfer", ["difference", "absolute"])
@pytest.mark.parametrize("margin", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("gain", [1.0, 30.0, -4.0])
def test_no_frame_leaves_the_soft_clamped_range(transfer, margin, gain):
    """Whatever the driver does."""
    random = np.random.default_rng(3)
    expression = random.standard_normal((400, 4)) * random.choice([1e-3, 1.0, 1e5], (400, 1))
    config = RetargetingConfig(transfer=transfer, clamp_margin=margin, gain=gain)
    target = make_target()
    found = retarget(make_track(names=NAMES, expression=expression), target, config)
    low, high = target.train_expression.min(axis=0), target.train_expression.max(axis=0)
    assert (found.expression >= low - margin * (high - low)).all()
    assert (found.expression <= high + margin * (high - low)).all()
    assert np.isfinite(found.expression).all()
    assert (found.clamped_extrapolation <= margin + 1e-12).all()


def test_extrapolation_is_told_before_and_behind_the_clamp():
    driver, target = make_driver(neutral=np.zeros(4)), make_target()
    found = retarget(driver, target, RetargetingConfig(gain=2.0))
    low, high = target.train_expression.min(axis=0), target.train_expression.max(axis=0)
    np.testing.assert_allclose(found.coefficient_extrapolation, extrapolation(found.asked, low, high))
    np.testing.assert_allclose(found.extrapolation, found.coefficient_extrapolation.max(axis=1))
    np.testing.assert_allclose(found.clamped_extrapolation, extrapolation(found.expression, low, high).max(axis=1))
    assert found.extrapolation.max() > 0.5 and found.clamped_extrapolation.max() <= 0.1 + 1e-12


def test_names_in_another_order_spelling_and_number():
    """The person's `mouthSmile_R` follows `MouthSmileRight`; what has no counterpart stays neutral, and is told."""
    driver = make_driver(names=("tongueOut", "MouthSmileRight", "JawOpen"))
    found = retarget(driver, make_target(), RetargetingConfig(transfer="absolute", soft_clamp=False))
    np.testing.assert_allclose(found.expression[:, 2], driver.expression[:, 1])
    np.testing.assert_allclose(found.expression[:, 0], driver.expression[:, 2])
    np.testing.assert_allclose(found.expression[:, [1, 3]], 0.1)
    assert found.driver_names == ("JawOpen", "", "MouthSmileRight", "")
    assert found.warnings == (
        "sample: 2 of the person's 4 coefficients have no counterpart in the driver and stay neutral: "
        "mouthSmile_L, cheekPuff",
        "sample: 1 of the driver's 3 coefficients are not used: tongueOut",
    )


def test_two_sides_into_one():
    driver = make_driver(names=("cheekPuff_L", "cheekPuff_R", "jawOpen"))
    found = retarget(driver, make_target(), RetargetingConfig(transfer="absolute", soft_clamp=False))
    np.testing.assert_allclose(found.expression[:, 3], driver.expression[:, :2].mean(axis=1))
    assert found.driver_names[3] == "cheekPuff_L+cheekPuff_R"


@pytest.mark.parametrize(
    ("driver_names", "target_names", "reason"),
    [
        ((), NAMES, "no names on both sides"),
        (NAMES, (), "no names on both sides"),
        (NAMES, ("expression_00", "expression_01", "expression_02", "expression_03"), "no names on both sides"),
        (("a", "b", "c", "d"), NAMES, "no name in common"),
    ],
)
def test_order_where_names_say_nothing(driver_names, target_names, reason):
    driver = make_driver(names=driver_names)
    found = retarget(driver, make_target(names=target_names), RetargetingConfig("absolute", soft_clamp=False))
    np.testing.assert_allclose(found.expression, driver.expression)
    assert found.warnings == (
        f"sample: 4 coefficients with {reason} are matched by their order; check that they mean the same",
    )


def test_order_on_request_needs_no_warning():
    driver = make_driver(names=NAMES[::-1])
    found = retarget(driver, make_target(), RetargetingConfig("absolute", "order", soft_clamp=False))
    np.testing.assert_allclose(found.expression, driver.expression)
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("names", "config", "message"),
    [
        (
            (),
            RetargetingConfig(),
            "4 coefficients, the person's, with no names on both sides, .* by their order, got 5",
        ),
        (
            ("a", "b", "c", "d", "e"),
            RetargetingConfig(),
            "4 coefficients, the person's, with no name in common, .* got 5",
        ),
        (
            (*NAMES, "e"),
            RetargetingConfig(match="order"),
            "4 coefficients, the person's, matched by their order, got 5",
        ),
        (("a", "b"), RetargetingConfig(match="names"), "by name, but the names have none in common"),
        ((), RetargetingConfig(match="names"), "by name, but the names are not known on both sides"),
    ],
)
def test_coefficients_that_cannot_be_matched(names, config, message):
    driver = make_track(names=names, length=len(names) or 5)
    with pytest.raises(ValueError, match=f"sample: expected .*{message}"):
        retarget(driver, make_target(), config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (RetargetingConfig(gain=float("nan")), "gain: expected a finite number, got nan"),
        (RetargetingConfig(clamp_margin=-0.1), "clamp_margin: expected a number from 0, got -0.1"),
        (RetargetingConfig(min_scale=1.5), "min_scale: expected a number in 0..1, got 1.5"),
        (RetargetingConfig(max_scale=0.5), "max_scale: expected a number from 1, got 0.5"),
        (RetargetingConfig(range_percentiles=(98.0, 2.0)), "range_percentiles: expected two rising numbers"),
        (RetargetingConfig(range_percentiles=(0.0, 101.0)), "range_percentiles: expected two rising numbers"),
    ],
)
def test_settings_that_make_no_sense(config, message):
    with pytest.raises(ValueError, match=f"retargeting.{message}"):
        retarget(make_driver(), make_target(), config)


def test_another_number_of_coefficients_later():
    retargeter = Retargeter(make_driver(), make_target(), RetargetingConfig())
    with pytest.raises(ValueError, match="sample: expected 4 coefficients, got 3"):
        retargeter(np.zeros((2, 3)))


def test_neutral_is_where_a_coefficient_is_most_of_the_time():
    """Smiles in four of ten frames do not move it, however large; a constant is found exactly."""
    random = np.random.default_rng(0)
    expression = np.stack([0.2 + 0.01 * random.standard_normal(200), np.zeros(200)], axis=-1)
    expression[::5] += 0.8
    expression[1::5] += 0.5
    found = neutral_expression(expression)
    assert found[0] == pytest.approx(0.2, abs=0.01)
    assert found[1] == 0


def test_neutral_by_a_loop():
    """The mean of the shortest interval that holds more than half of the frames."""
    expression = np.random.default_rng(0).gamma(1.0, 1.0, (31, 2))
    found = neutral_expression(expression)
    for column in range(2):
        ordered = sorted(expression[:, column])
        windows = [ordered[start : start + 16] for start in range(16)]
        shortest = min(windows, key=lambda window: window[-1] - window[0])
        assert found[column] == pytest.approx(np.mean(shortest))


def test_neutral_of_one_frame_is_that_frame():
    np.testing.assert_array_equal(neutral_expression(np.array([[0.3, -1.0]])), [0.3, -1.0])
    found = retarget(make_driver(count=1), make_target())
    np.testing.assert_allclose(found.expression, 0.1)
    assert found.warnings == ("sample: its only frame is taken for the neutral expression",)


def test_people_without_a_neutral_get_an_estimate():
    target = make_target(neutral=None)
    retargeter = Retargeter(make_driver(), target, RetargetingConfig())
    np.testing.assert_array_equal(retargeter.target_neutral, neutral_expression(target.train_expression))
    np.testing.assert_array_equal(retargeter.driver_neutral, neutral_expression(make_driver().expression))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_expression": np.zeros((0, 4))}, "at least one, got 0 of 4"),
        ({"train_expression": np.full((3, 4), np.nan)}, "finite training expressions"),
        (
            {"names": ("a",), "train_expression": np.zeros((3, 4)), "neutral": None},
            "4 names, one for each coefficient, got 1",
        ),
    ],
)
def test_people_that_make_no_sense(changes, message):
    with pytest.raises(ValueError, match=f"person: expected .*{message}"):
        make_target(**changes)


def test_live_link_drives_head_a(shared_data):
    """All of a recording's 4033 frames stay in what was trained, and the mouth follows."""
    content = json.loads((shared_data / "head_a" / "transforms_train.json").read_text())
    train = np.array([frame["expression"] for frame in content["frames"]])
    names = tuple(content["expression_names"])
    driver = read_track(shared_data / "head_model" / "alex_rom_3.csv")
    found = retarget(driver, RetargetingTarget(names, train))
    low, high = train.min(axis=0), train.max(axis=0)
    margin = 0.1 * (high - low)
    assert np.isfinite(found.expression).all()
    assert (found.expression >= low - margin).all() and (found.expression <= high + margin).all()
    assert len(found.warnings) == 2 and "cheekRaiser_R" in found.warnings[0] and "tongueOut" in found.warnings[1]
    jaw = found.expression[:, names.index("jawOpen")]
    assert np.corrcoef(jaw, driver.expression[:, driver.names.index("jawOpen")])[0, 1] > 0.95
    assert np.ptp(jaw) > 0.8 * np.ptp(train[:, names.index("jawOpen")])
