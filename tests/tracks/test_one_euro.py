import math

import numpy as np
import pytest

from nerface_ns.tracks.one_euro import OneEuroConfig, OneEuroFilter


def one_euro_by_hand(numbers: list[float], rate: float, config: OneEuroConfig) -> list[float]:
    """Algorithm 1 and 2 of the paper, a number at a time."""

    def alpha(cutoff: float) -> float:
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau * rate)

    filtered, speed, result = numbers[0], 0.0, []
    for index, number in enumerate(numbers):
        change = 0.0 if index == 0 else (number - filtered) * rate
        share = 1.0 if index == 0 else alpha(config.derivative_cutoff_hz)
        speed = share * change + (1 - share) * speed
        share = alpha(config.min_cutoff_hz + config.beta * abs(speed))
        filtered = share * number + (1 - share) * filtered
        result.append(filtered)
    return result


@pytest.mark.parametrize("config", [OneEuroConfig(), OneEuroConfig(0.5, 0.0, 2.0), OneEuroConfig(3.0, 7.0, 0.3)])
def test_matches_the_paper(config):
    numbers = np.random.default_rng(0).uniform(-1, 1, (40, 3))
    filtered = OneEuroFilter(config)
    found = np.stack([filtered(row, 1 / 30) for row in numbers])
    for column in range(3):
        np.testing.assert_allclose(found[:, column], one_euro_by_hand(numbers[:, column].tolist(), 30, config))


def test_without_beta_it_is_exponential_smoothing_of_the_cutoff():
    """A step of 1 at a cutoff f follows 1 - (1 - a)^n, a = 1 / (1 + rate / (2 pi f))."""
    filtered = OneEuroFilter(OneEuroConfig(min_cutoff_hz=2.0, beta=0.0))
    found = [filtered(np.array([0.0 if index == 0 else 1.0]), 0.01)[0] for index in range(20)]
    share = 1 / (1 + 100 / (4 * math.pi))
    np.testing.assert_allclose(found, 1 - (1 - share) ** np.arange(20))


def test_it_does_not_change_what_it_is_given():
    row = np.ones(2)
    filtered = OneEuroFilter()
    filtered(row, 0.1)[:] = 7
    np.testing.assert_array_equal(row, 1)
    np.testing.assert_array_equal(filtered(row, 0.1), 1)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (OneEuroConfig(min_cutoff_hz=0.0), "min_cutoff_hz above 0 and finite, got 0"),
        (OneEuroConfig(beta=-1.0), "beta from 0 and finite, got -1"),
        (OneEuroConfig(derivative_cutoff_hz=math.nan), "derivative_cutoff_hz above 0 and finite, got nan"),
    ],
)
def test_settings_that_make_no_sense(config, message):
    with pytest.raises(ValueError, match=f"One-Euro filter: expected {message}"):
        OneEuroFilter(config)
